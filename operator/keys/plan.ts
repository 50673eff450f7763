// The state of every virtual key as the operator wants it, worked out from what the caches hold: which hashes are good, which values are to
// be made, which Secrets are to be written, what is reported. No clock, no randomness, no calls; the same for the same input.
import type { KeyCredential } from '#shared/compile/types.ts';
import type { PreviousSecretUse } from '#shared/kube/labels.ts';
import type { KubeObject } from '#shared/kube/object.ts';
import { Claims, type SecretCache } from './claims.ts';
import type { GatewayFacts, KeyGateways } from './gateways.ts';
import { judgeKey, type Circumstances, type Judgement, type KeyAction } from './judge.ts';
import type { KeyLifecycle } from './lifecycle.ts';
import type { KeyMemory } from './memory.ts';
import { keyView, type KeyView, type VirtualKeyObject } from './view.ts';

export type { KeyAction } from './judge.ts';
export type { KeyLifecycle } from './lifecycle.ts';
export type { VirtualKeyObject } from './view.ts';

export interface KeyPlanInput {
  /** As the cache holds them: an object that did not change must be the same object, or planning 100,000 keys takes seconds. */
  readonly virtualKeys: Iterable<VirtualKeyObject>;
  /** Metadata of all Secrets. */
  readonly secrets: SecretCache;
  readonly gateways: KeyGateways;
  /** Use of old secrets as the pods' Leases tell it, by `namespace/name` of the VirtualKey. */
  readonly previousUse: ReadonlyMap<string, readonly PreviousSecretUse[]>;
  /** What the minter has done and the caches do not show yet. */
  readonly memory: KeyMemory;
  /** Milliseconds since 1970, UTC. */
  readonly now: number;
}

export interface KeyPlan {
  /** For `CompileInput.credentials`, by `namespace/name`: every Generated key that has a value, whatever its state. */
  readonly credentials: ReadonlyMap<string, KeyCredential>;
  /** By `namespace/name`, of every readable VirtualKey. */
  readonly lifecycles: ReadonlyMap<string, KeyLifecycle>;
  /** Most urgent first. */
  readonly actions: readonly KeyAction[];
  /** Milliseconds since 1970 when the plan changes by itself. */
  readonly wakeAt: number | undefined;
  /** Uids of keys of which the minter has to remember something: the caches do not show all of it. */
  readonly unsettled: ReadonlySet<string>;
}

/** What is known of one cached object: how it reads, and what was made of it last. */
interface Known {
  readonly view: KeyView;
  judged?: Judged;
}

/** What a judgement rested on; while that is the same, so is the judgement. */
interface Judged {
  readonly gateway: GatewayFacts | undefined;
  readonly secret: KubeObject | undefined;
  readonly denied: string | undefined;
  readonly from: number;
  readonly judgement: Judgement;
}

const known = new WeakMap<VirtualKeyObject, Known | 'unreadable'>();

const NO_USE: readonly PreviousSecretUse[] = [];

/** In seconds at 100,000 keys when all are new, in tens of milliseconds when few changed. */
export function planKeys({ virtualKeys, secrets, gateways, previousUse, memory, now }: KeyPlanInput): KeyPlan {
  const keys: Known[] = [];
  for (const object of virtualKeys) {
    let key = known.get(object);
    if (key === undefined) known.set(object, (key = read(object)));
    if (key !== 'unreadable') keys.push(key);
  }
  const claims = new Claims(keys, secrets, gateways);
  const credentials = new Map<string, KeyCredential>();
  const lifecycles = new Map<string, KeyLifecycle>();
  const unsettled = new Set<string>();
  const byUrgency: KeyAction[][] = [[], [], [], []];
  let wakeAt = Infinity;
  for (const key of keys) {
    const { view } = key;
    const judgement = judge(key, {
      gateway: gateways.for(view.gateway, view.meta.namespace),
      secret: view.secret === undefined ? undefined : secrets.get(view.secret),
      denied: claims.denied(view),
      record: memory.get(view.uid),
      use: previousUse.get(view.id) ?? NO_USE,
      now,
    });
    if (judgement.credential !== undefined) credentials.set(view.id, judgement.credential);
    lifecycles.set(view.id, judgement.lifecycle);
    if (judgement.action !== undefined) byUrgency[urgency(judgement.action)]?.push(judgement.action);
    if (!judgement.settled) unsettled.add(view.uid);
    if (judgement.wakeAt !== undefined && judgement.wakeAt < wakeAt) wakeAt = judgement.wakeAt;
  }
  return {
    credentials,
    lifecycles,
    actions: byUrgency.flat(),
    wakeAt: wakeAt === Infinity ? undefined : wakeAt,
    unsettled,
  };
}

function read(object: VirtualKeyObject): Known | 'unreadable' {
  const view = keyView(object);
  return view === undefined ? 'unreadable' : { view };
}

function judge(key: Known, at: Circumstances): Judgement {
  if (at.record !== undefined || at.use.length > 0) return judgeKey(key.view, at);
  if (key.judged !== undefined && isSame(key.judged, at)) return key.judged.judgement;
  const judgement = judgeKey(key.view, at);
  const { gateway, secret, denied, now } = at;
  key.judged = { gateway, secret, denied, from: now, judgement };
  return judgement;
}

function isSame({ gateway, secret, denied, from, judgement }: Judged, at: Circumstances): boolean {
  return (
    sameGateway(gateway, at.gateway) &&
    secret === at.secret &&
    denied === at.denied &&
    at.now >= from &&
    (judgement.wakeAt === undefined || at.now < judgement.wakeAt)
  );
}

/** By what it says: a Gateway's object changes with its status, and that concerns no key. */
function sameGateway(a: GatewayFacts | undefined, b: GatewayFacts | undefined): boolean {
  if (a === undefined || b === undefined || a === b) return a === b;
  return a.key === b.key && a.prefix === b.prefix && a.baseUrl === b.baseUrl && a.pepper.reveal() === b.pepper.reveal();
}

/** People wait for a rotation they asked for and for a first value; nobody waits for a schedule or for bookkeeping. */
function urgency(action: KeyAction): 0 | 1 | 2 | 3 {
  if (action.kind === 'mint') return action.reason === 'Annotation' ? 0 : action.reason === 'Schedule' ? 2 : 1;
  if (action.kind === 'deliver') return 0;
  return action.kind === 'repair' ? 2 : 3;
}
