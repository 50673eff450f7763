// One key: from its manifest, its status, its Secret's metadata and what the minter remembers to the one thing to be done next.
import type { StoredPrevious } from '#shared/api/virtual-key-status.ts';
import type { KeyCredential } from '#shared/compile/types.ts';
import type { PreviousSecretUse } from '#shared/kube/labels.ts';
import type { KubeObject } from '#shared/kube/object.ts';
import type { GatewayFacts } from './gateways.ts';
import { inGrace, isOver, lifecycle, rotationDue, turningPoints, type KeyLifecycle } from './lifecycle.ts';
import { CACHE_LAG, laterStored, type KeyRecord } from './memory.ts';
import { HASH_ANNOTATION, isMarked, isOurs } from './output-secret.ts';
import { previousUse } from './previous-use.ts';
import type { KeyView, StoredKey } from './view.ts';

/**
 * Why a value is made. First: there is none. Undelivered: one was made, and lost before anybody could have it. Annotation, Schedule: rotation.
 * Pepper: the hash was made under another pepper than the Gateway's, so no pod can know the value.
 */
export type MintReason = 'First' | 'Undelivered' | 'Annotation' | 'Schedule' | 'Pepper';

interface About {
  readonly key: KeyView;
  /** The state to go on from. */
  readonly stored: StoredKey;
}

interface AboutSecret extends About {
  readonly gateway: GatewayFacts;
  /** Metadata of the output Secret; undefined when it is not there. */
  readonly secret: KubeObject | undefined;
}

/** What is to be done for one key. At most one thing at a time. */
export type KeyAction =
  /** Make a value and write its hash to the status, or take over the one the Secret holds. */
  | ({ readonly kind: 'mint'; readonly reason: MintReason } & AboutSecret)
  /** Write the value held in memory into the Secret, once the pods know its hash. */
  | ({ readonly kind: 'deliver' } & AboutSecret)
  /** The Secret changed, or its lines are not what they should be. */
  | ({ readonly kind: 'repair' } & AboutSecret)
  /** Write what is known of the previous secret; undefined: grace is over. */
  | ({ readonly kind: 'note'; readonly previous: StoredPrevious | undefined } & About);

/** What one key rests on beside its own object. */
export interface Circumstances {
  /** Undefined when the Gateway is not there or does not admit the key. */
  readonly gateway: GatewayFacts | undefined;
  readonly secret: KubeObject | undefined;
  /** Why the key may not have the name its Secret should have. */
  readonly denied: string | undefined;
  readonly record: KeyRecord | undefined;
  readonly use: readonly PreviousSecretUse[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface Judgement {
  readonly credential: KeyCredential | undefined;
  readonly lifecycle: KeyLifecycle;
  readonly action: KeyAction | undefined;
  /** Milliseconds since 1970 when the judgement changes by itself. */
  readonly wakeAt: number | undefined;
  /** The minter has nothing to remember of the key: the caches show all of it. */
  readonly settled: boolean;
}

type Finding = KeyLifecycle['resolvedRefs'];

export function judgeKey(view: KeyView, at: Circumstances): Judgement {
  const stored = laterStored(view.stored, at.record?.stored);
  const finding = view.secret === undefined ? undefined : findingOf(view, stored, at);
  const ahead = aheadUntil(stored, at);
  const points = [...turningPoints(view, stored, at.now), ...(ahead === undefined ? [] : [ahead])];
  return {
    credential: credentialOf(view, stored, at),
    lifecycle: lifecycle(view, stored, at.gateway, finding, at.now),
    action: view.secret === undefined ? undefined : actionOf(view, stored, at),
    wakeAt: points.length === 0 ? undefined : Math.min(...points),
    settled: stored === view.stored && ahead === undefined && !mustRemember(stored, at),
  };
}

/** The hashes that are good. A hash under another pepper is one that no call will ever have. */
function credentialOf(view: KeyView, stored: StoredKey, { gateway, now }: Circumstances): KeyCredential | undefined {
  const { credential } = stored;
  if (view.secret === undefined || credential === undefined) return undefined;
  if (gateway !== undefined && credential.pepper !== gateway.pepperId) return undefined;
  const { hash, prefix } = credential;
  const previous = inGrace(stored, now);
  if (previous === undefined) return { hash, prefix };
  const until = previous.until === undefined ? {} : { until: Date.parse(previous.until) };
  return { hash, prefix, previous: { hash: previous.hash, prefix: previous.prefix, ...until } };
}

/** Until when our own write of the Secret is believed while the cache still has the Secret as it was before. */
function aheadUntil({ credential }: StoredKey, { record, secret, now }: Circumstances): number | undefined {
  const written = record?.written;
  if (written === undefined || written.hash !== credential?.hash || now >= written.at + CACHE_LAG) return undefined;
  return secret?.metadata.annotations?.[HASH_ANNOTATION] === written.hash ? undefined : written.at + CACHE_LAG;
}

function findingOf(view: KeyView, stored: StoredKey, at: Circumstances): Finding {
  const { gateway, secret, denied, record, now } = at;
  const name = view.spec.credential.generated?.secretName ?? '';
  const { credential } = stored;
  if (gateway === undefined) return undefined;
  if (credential === undefined && (view.spec.state === 'Revoked' || isOver(view, now))) {
    return no('NoValue', 'The key ended before a value was made for it; create a new VirtualKey');
  }
  if (denied !== undefined) return no('SecretConflict', denied);
  if (isForeign(view, stored, at)) {
    return no(
      'SecretConflict',
      `Secret ${name} exists and was not made for this key, so it is left alone; delete it or set another spec.credential.generated.secretName`,
    );
  }
  if (record?.fault !== undefined && secret !== undefined) return no(record.fault.reason, record.fault.message);
  if (credential?.delivered) {
    if (secret !== undefined || aheadUntil(stored, at) !== undefined) return undefined;
    return no(
      'SecretLost',
      `Secret ${name} is gone. The key is still good for whoever has its value, which is kept nowhere else; ` +
        'annotation portcullis.dev/rotate with any new value makes a new one',
    );
  }
  if (stored.previous !== undefined && secret !== undefined) return undefined;
  return { status: 'Unknown', reason: 'SecretPending', message: `The key is being made; Secret ${name} follows` };
}

/** Somebody else's Secret has the name. */
const isForeign = (view: KeyView, stored: StoredKey, at: Circumstances): boolean =>
  at.secret !== undefined && !isOurs(at.secret, view.uid) && aheadUntil(stored, at) === undefined;

const no = (reason: string, message: string) => ({ status: 'False', reason, message }) as const;

function actionOf(view: KeyView, stored: StoredKey, at: Circumstances): KeyAction | undefined {
  const { gateway, secret, use, now } = at;
  const { credential, previous } = stored;
  if (gateway === undefined) return undefined;
  const about = { key: view, stored, gateway, secret };
  if (at.denied === undefined && !isForeign(view, stored, at) && view.spec.state !== 'Revoked' && !isOver(view, now)) {
    const reason = mintReason(view, stored, at);
    if (reason !== undefined) return { kind: 'mint', reason, ...about };
    if (credential?.delivered === false) return { kind: 'deliver', ...about };
  }
  if (credential === undefined) return undefined;
  if (needsRepair(view, stored, at)) return { kind: 'repair', ...about };
  if (previous === undefined || !credential.delivered) return undefined;
  if (inGrace(stored, now) === undefined) return { kind: 'note', key: view, stored, previous: undefined };
  const used = previousUse(previous, Date.parse(credential.mintedAt), use);
  return used === undefined ? undefined : { kind: 'note', key: view, stored, previous: used };
}

function mintReason(view: KeyView, stored: StoredKey, { gateway, record, now }: Circumstances): MintReason | undefined {
  const { credential } = stored;
  if (credential === undefined) return 'First';
  if (credential.pepper !== gateway?.pepperId) return 'Pepper';
  if (!credential.delivered) return isAtHand(credential.hash, record) ? undefined : 'Undelivered';
  if (view.rotate !== undefined && view.rotate !== credential.rotate) return 'Annotation';
  const { rotation, state } = view.spec;
  const due = rotationDue(view, stored);
  return rotation?.automatic && state === 'Active' && due !== undefined && now >= due ? 'Schedule' : undefined;
}

/** Whether the value of this hash is in memory. */
function isAtHand(hash: string, record: KeyRecord | undefined): boolean {
  return record?.value !== undefined && record.stored?.credential?.hash === hash;
}

function mustRemember({ credential }: StoredKey, { record }: Circumstances): boolean {
  if (record === undefined) return false;
  const { failures = 0, fault, suspect } = record;
  return failures > 0 || fault !== undefined || suspect !== undefined || isAtHand(credential?.hash ?? '', record);
}

function needsRepair(view: KeyView, { credential }: StoredKey, at: Circumstances): boolean {
  const { secret, gateway, record } = at;
  if (secret === undefined || gateway === undefined || credential === undefined || !credential.delivered) return false;
  if (!isOurs(secret, view.uid) || credential.pepper !== gateway.pepperId) return false;
  if (record?.suspect !== undefined) return true;
  // Our own write that the cache does not show yet, and a Secret already found to hold something else.
  if (aheadUntil({ credential }, at) !== undefined || record?.fault !== undefined) return false;
  return !isMarked(secret, view, gateway, credential);
}
