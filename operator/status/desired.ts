// The status an object should have: what the compile step says of the manifest, what the pods say of the configuration, what is known of a
// key's life or of a Gateway's workloads. Pure.
//
// Ready means, for every kind, that Accepted, ResolvedRefs and Programmed are True, and besides
//   Gateway     the Deployment is available and spec.paused is not set;
//   Upstream    some replica can use its credential and reach it, or has not tried yet;
//   VirtualKey  the key can be used: its value is in the Secret and it is neither expired, disabled nor revoked.
// Where something is not known yet, or may be on its way (objects of one `kubectl apply` arrive in any order), the answer is Unknown and not
// False, or an installation would look broken while it comes up.
import type { Condition, ConditionType } from '#shared/api/conditions.ts';
import type { Kind } from '#shared/api/kinds.ts';
import type { ObjectStatus } from '#shared/compile/types.ts';
import type { KubeObject } from '#shared/kube/object.ts';
import { contributes } from './programmed.ts';
import { conditionOf, statusOf, type StatusObject, type StoredCondition } from './stored.ts';
import type { Health } from './upstream-health.ts';
import { PENDING, type Verdict } from './verdict.ts';

/** What is known of a key's life; topic of `operator/keys`. */
export interface Lifecycle {
  readonly phase?: string;
  /** Expiring and RotationDue, only when True. */
  readonly conditions?: readonly Condition[];
  /** Counts only where the compile step finds nothing wrong. */
  readonly resolvedRefs?: Verdict;
  readonly nextRotation?: string;
  /** Further members of the status. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** What is known of a Gateway beside its manifest. */
export interface GatewayState {
  /** Published last. */
  readonly revision?: string | undefined;
  readonly replicas: { readonly ready: number; readonly current: number };
  /** Host and port of the Service inside the cluster. */
  readonly address?: string | undefined;
  /** Whether the Deployment is available; unknown when left out. */
  readonly available?: Verdict | undefined;
  readonly paused: boolean;
  /** Why the configuration could not be published. */
  readonly fault?: { readonly reason: string; readonly message: string } | undefined;
}

export interface DesiredInput {
  /** As the cache holds it. */
  readonly object: KubeObject & { readonly status?: unknown };
  readonly compiled: ObjectStatus;
  /** Of the tracker; left out for objects that attach to no Gateway. */
  readonly programmed?: Verdict | undefined;
  readonly lifecycle?: Lifecycle | undefined;
  /** What the pods know of an Upstream, and the life of its credentials. */
  readonly health?: Health | undefined;
  readonly gateway?: GatewayState | undefined;
  /** Milliseconds since 1970, UTC. */
  readonly now: number;
}

export interface Desired {
  readonly status: StatusObject;
  /** Milliseconds since 1970 at which the status changes by itself. */
  readonly wakeAt?: number;
}

/** How long a new object waits for what it refers to before its absence is a fault, in milliseconds. */
export const ARRIVAL_MS = 15_000;
/** Reasons that may pass when another object arrives. */
const MAY_ARRIVE = new Set([
  'GatewayNotFound',
  'GatewayNotAccepted',
  'NotAllowedByGateway',
  'PepperMissing',
  'RefNotFound',
]);
/** Phases in which a key opens nothing, and why. */
const UNUSABLE: Readonly<Record<string, string>> = {
  Expired: 'The end of its life has come; set a later spec.expiresAt or create a new key.',
  Disabled: 'spec.state is Disabled.',
  Revoked: 'spec.state is Revoked, which is final.',
};
/** The API server's bound on a condition message. */
const MAX_MESSAGE = 32_768;

/** @returns the wanted status; equal input gives an equal status, and times move only where a condition's status does */
export function desiredStatus(input: DesiredInput): Desired {
  const { object, compiled, lifecycle, health, gateway, now } = input;
  const birth = Date.parse(object.metadata.creationTimestamp ?? '');
  const arrivalEnds = Number.isNaN(birth) ? 0 : birth + ARRIVAL_MS;
  const said = (type: ConditionType): Verdict => compiled.conditions.find((each) => each.type === type) ?? PENDING;

  let wakeAt: number | undefined;
  const orWaiting = (verdict: Verdict): Verdict => {
    if (verdict.reason === 'SecretPending') return { ...verdict, status: 'Unknown' };
    if (verdict.status !== 'False' || !MAY_ARRIVE.has(verdict.reason) || now >= arrivalEnds) return verdict;
    wakeAt = arrivalEnds;
    return { ...verdict, status: 'Unknown' };
  };
  const accepted = orWaiting(said('Accepted'));
  const compiledRefs = said('ResolvedRefs');
  const refs = orWaiting(compiledRefs.status === 'True' ? (lifecycle?.resolvedRefs ?? compiledRefs) : compiledRefs);
  const programmed = programmedOf(input, accepted, refs);
  const ready = ifHealthy(input, readyOf(input, { Accepted: accepted, ResolvedRefs: refs, Programmed: programmed }));

  const before = statusOf(object);
  const conditions: StoredCondition[] = [];
  const add = (type: ConditionType, { status, reason, message }: Verdict): void => {
    const known = conditionOf(before, type);
    conditions.push({
      type,
      status,
      reason,
      message: bounded(message),
      ...(compiled.generation === undefined ? {} : { observedGeneration: compiled.generation }),
      lastTransitionTime: known?.status === status ? known.lastTransitionTime : wholeSeconds(now),
    });
  };
  add('Accepted', withWarnings(accepted, compiled.warnings));
  add('ResolvedRefs', refs);
  add('Programmed', programmed);
  add('Ready', ready);
  for (const condition of furtherConditions(input)) add(condition.type, condition);

  const status: StatusObject = {
    ...(compiled.generation === undefined ? {} : { observedGeneration: compiled.generation }),
    conditions,
    ...compiled.fields,
    ...lifecycle?.fields,
    ...health?.fields,
    ...(lifecycle?.phase === undefined ? {} : { phase: lifecycle.phase }),
    ...(lifecycle?.nextRotation === undefined ? {} : { nextRotation: lifecycle.nextRotation }),
    ...(gateway === undefined ? {} : gatewayMembers(gateway)),
  };
  return { status, ...(wakeAt === undefined ? {} : { wakeAt }) };
}

function programmedOf(
  { compiled, programmed, health, gateway }: DesiredInput,
  accepted: Verdict,
  refs: Verdict,
): Verdict {
  if (accepted.status === 'Unknown') return PENDING;
  if (accepted.status === 'False') {
    const text =
      compiled.kind === 'Gateway'
        ? 'Not published; the data plane keeps the configuration it has. See Accepted.'
        : 'Not part of the configuration; see Accepted.';
    return { status: 'False', reason: 'NotAccepted', message: text };
  }
  if (!contributes(compiled)) {
    if (refs.status !== 'False') return PENDING;
    return { status: 'False', reason: 'RefsNotResolved', message: 'Not part of the configuration; see ResolvedRefs.' };
  }
  if (gateway?.fault !== undefined) return { status: 'False', ...gateway.fault };
  const verdict = programmed ?? PENDING;
  // A pod that has loaded everything may still not know what to do with it.
  return verdict.status === 'True' ? (health?.notProgrammed ?? verdict) : verdict;
}

function readyOf(
  { compiled, lifecycle, gateway }: DesiredInput,
  summary: Readonly<Record<'Accepted' | 'ResolvedRefs' | 'Programmed', Verdict>>,
): Verdict {
  const phase = lifecycle?.phase ?? compiled.fields['phase'];
  const unusable = typeof phase === 'string' && compiled.kind === 'VirtualKey' ? UNUSABLE[phase] : undefined;
  if (unusable !== undefined) return { status: 'False', reason: String(phase), message: unusable };
  const entries = Object.entries(summary);
  const failing = entries.find(([, { status }]) => status === 'False');
  if (failing !== undefined) return notReady(...failing);
  if (gateway?.paused) {
    return { status: 'False', reason: 'Paused', message: 'spec.paused is set: every call is answered with 503.' };
  }
  if (gateway?.available?.status === 'False') return gateway.available;
  const unknown = entries.find(([, { status }]) => status === 'Unknown');
  if (unknown !== undefined) return notReady(...unknown);
  if (compiled.kind === 'Gateway' && gateway?.available?.status !== 'True') {
    return gateway?.available ?? { status: 'Unknown', reason: 'Pending', message: 'Waiting for the Deployment.' };
  }
  if (phase === 'Pending')
    return { status: 'Unknown', reason: 'Pending', message: 'The key is not in its Secret yet.' };
  return { status: 'True', reason: 'Ready', message: READY[compiled.kind] };
}

/** What everything else allows, the pods may know to be of no use. */
function ifHealthy({ health }: DesiredInput, ready: Verdict): Verdict {
  return ready.status === 'True' && health?.notReady !== undefined ? health.notReady : ready;
}

/** Those that not every object has. */
function furtherConditions({ compiled, lifecycle, health }: DesiredInput): readonly Condition[] {
  const overridden = compiled.conditions.filter(({ type }) => type === 'Overridden');
  return [...overridden, ...(lifecycle?.conditions ?? []), ...(health?.conditions ?? [])];
}

const READY: Readonly<Record<Kind, string>> = {
  Gateway: 'Calls are answered.',
  Upstream: 'Calls can be sent here.',
  Policy: 'In force.',
  VirtualKey: 'The key can be used.',
};

const notReady = (type: string, { status, reason }: Verdict): Verdict => ({
  status,
  reason: status === 'Unknown' ? 'Pending' : reason,
  message: `${type} is ${status}: ${reason}.`,
});

/** Things that work but are probably not meant have no condition of their own. */
function withWarnings(accepted: Verdict, warnings: readonly string[]): Verdict {
  if (warnings.length === 0) return accepted;
  return { ...accepted, message: `${accepted.message} Warning: ${warnings.join('; ')}` };
}

function gatewayMembers({ revision, replicas, address }: GatewayState): Record<string, unknown> {
  return {
    replicas: { ready: replicas.ready, current: replicas.current },
    ...(revision === undefined ? {} : { revision }),
    ...(address === undefined ? {} : { address }),
  };
}

function bounded(message: string): string {
  return message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 3).toWellFormed()}...` : message;
}

/** As `metav1.Time` prints it. */
function wholeSeconds(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}
