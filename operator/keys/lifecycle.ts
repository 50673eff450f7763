// What is told about a key's life: phase, end, rotation. Everything moves at known times only, so that 100,000 statuses rest in between.
import type { Condition } from '#shared/api/conditions.ts';
import type { KeyPhase } from '#shared/api/virtual-key-status.ts';
import { parseDuration } from '#shared/duration.ts';
import { ROTATE_ANNOTATION } from '#shared/kube/labels.ts';
import type { GatewayFacts } from './gateways.ts';
import { clientEnv } from './output-secret.ts';
import type { KeyView, StoredKey } from './view.ts';

/** What the status writer reports of a key; `credential` and `previous` of the status are written by the minter alone. */
export interface KeyLifecycle {
  readonly phase: KeyPhase;
  /** Expiring and RotationDue, only when True. */
  readonly conditions: readonly Condition[];
  /** Overrides what the compile step says. */
  readonly resolvedRefs?: { readonly status: 'False' | 'Unknown'; readonly reason: string; readonly message: string };
  /** RFC 3339. */
  readonly nextRotation?: string;
  /** Further members of the status. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const DAY = 86_400_000;
/** Days before the end at which the warning changes. */
const STAGES = [1, 3, 7, 30];

/** Whether the end of a key's life has come. */
export const isOver = ({ endsAt }: KeyView, now: number): boolean => endsAt !== undefined && now >= endsAt;

/** When the value in force is due to be replaced, in milliseconds since 1970; undefined without a schedule. */
export function rotationDue({ spec }: KeyView, { credential }: StoredKey): number | undefined {
  const every = spec.rotation?.every;
  if (every === undefined || credential === undefined) return undefined;
  return Date.parse(credential.mintedAt) + parseDuration(every);
}

/** The value that a rotation replaced, while it is good. */
export function inGrace({ previous }: StoredKey, now: number): StoredKey['previous'] {
  if (previous === undefined) return undefined;
  return previous.until === undefined || now < Date.parse(previous.until) ? previous : undefined;
}

/** The times after `now` at which something told here, or the set of good values, changes by itself. */
export function turningPoints(view: KeyView, stored: StoredKey, now: number): number[] {
  const { endsAt } = view;
  const stages =
    endsAt === undefined ? [] : [...STAGES.map((days) => endsAt - days * DAY), warnFrom(view, endsAt), endsAt];
  const until = stored.previous?.until;
  const times = [...stages, rotationDue(view, stored), until === undefined ? undefined : Date.parse(until)];
  return times.filter((time): time is number => time !== undefined && time > now);
}

/**
 * @param stored the state in force
 * @param finding what keeps ResolvedRefs from being True
 */
export function lifecycle(
  view: KeyView,
  stored: StoredKey,
  gateway: GatewayFacts | undefined,
  finding: KeyLifecycle['resolvedRefs'],
  now: number,
): KeyLifecycle {
  const conditions = [expiring(view, now), rotationOverdue(view, stored, finding !== undefined, now)].filter(
    (condition) => condition !== undefined,
  );
  const due = rotationDue(view, stored);
  const moving = view.spec.state === 'Revoked' || isOver(view, now) ? undefined : due;
  return {
    phase: phase(view, stored, conditions, now),
    conditions,
    ...(finding === undefined ? {} : { resolvedRefs: finding }),
    ...(moving === undefined ? {} : { nextRotation: new Date(moving).toISOString() }),
    fields: gateway === undefined ? {} : { clientEnv: clientEnv(view, gateway) },
  };
}

/** The first that holds: what ends the key, then what is missing, then what is to be done, then what goes on by itself. */
function phase(view: KeyView, stored: StoredKey, conditions: readonly Condition[], now: number): KeyPhase {
  const { state, credential } = view.spec;
  if (state !== 'Active') return state;
  if (isOver(view, now)) return 'Expired';
  const previous = inGrace(stored, now);
  if (credential.type === 'Generated' && !stored.credential?.delivered && previous === undefined) return 'Pending';
  const [first] = conditions;
  if (first?.type === 'Expiring') return 'Expiring';
  if (first?.type === 'RotationDue') return 'RotationDue';
  return previous === undefined ? 'Active' : 'Grace';
}

function expiring(view: KeyView, now: number): Condition | undefined {
  const { endsAt, spec } = view;
  if (endsAt === undefined || spec.state === 'Revoked' || now < warnFrom(view, endsAt) || now >= endsAt)
    return undefined;
  const days = STAGES.find((stage) => endsAt - now <= stage * DAY) ?? 30;
  const field = spec.ttl === undefined ? 'spec.expiresAt' : 'spec.ttl';
  const message = `The key ends at ${new Date(endsAt).toISOString()}; raise ${field}, or move its clients to a new key before`;
  return condition(view, 'Expiring', `Within${days}Day${days === 1 ? '' : 's'}`, message);
}

/** 30 days before the end, or the last quarter of a shorter life. */
function warnFrom({ bornAt }: KeyView, endsAt: number): number {
  const life = bornAt === undefined ? Infinity : Math.max(0, endsAt - bornAt);
  return endsAt - Math.min(30 * DAY, life / 4);
}

/** A value past its age that does not replace itself, or cannot just now. */
function rotationOverdue(view: KeyView, stored: StoredKey, blocked: boolean, now: number): Condition | undefined {
  const due = rotationDue(view, stored);
  const { rotation, state } = view.spec;
  if (due === undefined || now < due || state === 'Revoked' || isOver(view, now)) return undefined;
  if (rotation?.automatic && state === 'Active' && !blocked) return undefined;
  const age = `The value is older than spec.rotation.every (${rotation?.every})`;
  if (!rotation?.automatic) {
    return condition(
      view,
      'RotationDue',
      'AgeReached',
      `${age}; set annotation ${ROTATE_ANNOTATION} to a new value to replace it`,
    );
  }
  const why =
    state === 'Disabled' ? 'it is replaced when the key is Active again' : 'it is replaced once ResolvedRefs allows it';
  return condition(view, 'RotationDue', 'AgeReached', `${age}; ${why}`);
}

function condition(view: KeyView, type: Condition['type'], reason: string, message: string): Condition {
  const { generation } = view.meta;
  return {
    type,
    status: 'True',
    reason,
    message,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}
