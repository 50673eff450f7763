// Programmed: whether every ready pod has loaded a publication that holds an object's current generation. For Upstream, Policy and
// VirtualKey the answer True is kept per generation, or a rolling update of the pods would rewrite 100,000 statuses; a pod that joins later
// becomes ready only with a publication that is at least as new. The Gateway's own answer follows its pods.
import type { Condition } from '#shared/api/conditions.ts';
import type { Kind } from '#shared/api/kinds.ts';
import type { ObjectStatus } from '#shared/compile/types.ts';
import { GATEWAY_LABEL } from '#shared/kube/labels.ts';
import { Replicas, type LeaseObject, type PodObject, type Replica } from './replicas.ts';
import { judge, PENDING, type Verdict } from './verdict.ts';

export interface TrackedGateway {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** RFC 3339. What was said before this Gateway existed was said about another one of its name. */
  readonly creationTimestamp?: string | undefined;
}

/** The object a verdict is asked for. */
export interface ProgrammedSubject {
  readonly kind: Kind;
  readonly uid: string;
  readonly generation: number;
  /** The Programmed condition the object has now. */
  readonly current?: (Condition & { readonly lastTransitionTime?: string }) | undefined;
}

interface Inclusion {
  readonly generation: number;
  /** First publication that holds it. */
  readonly sequence: number;
  /** The call of {@link ProgrammedTracker.published} that last named it. */
  named: number;
  /** Set once every ready pod had it. */
  reached?: Verdict;
}

interface Tracked {
  readonly replicas: Replicas;
  uid?: string;
  createdAt?: number;
  sequence?: number;
  readonly objects: Map<string, Inclusion>;
  readonly waiting: Set<string>;
  /** Of {@link ProgrammedTracker.published}. */
  calls: number;
  /** Verdicts by sequence, good until a pod says something else or `expiresAt`. */
  readonly judged: Map<string, Verdict>;
  view?: { readonly ready: readonly Replica[]; readonly expiresAt: number } | undefined;
}

const NO_REPLICAS: readonly Replica[] = [];
const NO_UIDS: ReadonlySet<string> = new Set();

/**
 * Whether a publication holds the object: by the word of the compile step it is Accepted and, where the object is nothing without what it
 * refers to, that is there as well. A Policy counts with those of its references that exist.
 */
export function contributes({ kind, conditions }: ObjectStatus): boolean {
  const holds = (wanted: string): boolean =>
    conditions.some(({ type, status }) => type === wanted && status === 'True');
  return holds('Accepted') && (kind === 'Gateway' || kind === 'Policy' || holds('ResolvedRefs'));
}

/** Brings together what is published with what pods say they have loaded. Knows nothing of an API server. */
export class ProgrammedTracker {
  readonly #now: () => number;
  readonly #gateways = new Map<string, Tracked>();
  /** Which Gateway a pod or a Lease was last seen with. */
  readonly #podHomes = new Map<string, string>();
  readonly #leaseHomes = new Map<string, string>();

  /** @param options.now milliseconds of a clock that never goes back */
  constructor({ now }: { readonly now: () => number }) {
    this.#now = now;
  }

  /** @returns whether a verdict may have changed */
  observePod(pod: PodObject): boolean {
    const home = homeOf(pod);
    const key = keyOf(pod.metadata);
    const moved = this.#podHomes.get(key) !== home && this.forgetPod(pod.metadata);
    if (home === undefined) return moved;
    this.#podHomes.set(key, home);
    return this.#changed(home, this.#tracked(home).replicas.observePod(pod)) || moved;
  }

  forgetPod(pod: { readonly namespace: string; readonly name: string }): boolean {
    const home = this.#podHomes.get(keyOf(pod));
    this.#podHomes.delete(keyOf(pod));
    return home !== undefined && this.#left(home, this.#tracked(home).replicas.forgetPod(pod.name));
  }

  /** @returns whether a verdict may have changed; a mere renewal changes nothing */
  observeLease(lease: LeaseObject): boolean {
    const home = homeOf(lease);
    const key = keyOf(lease.metadata);
    const moved = this.#leaseHomes.get(key) !== home && this.forgetLease(lease.metadata);
    if (home === undefined) return moved;
    this.#leaseHomes.set(key, home);
    const tracked = this.#tracked(home);
    const changed = tracked.replicas.observeLease(lease, this.#now());
    // A renewal moves the time at which the pod would fall silent.
    tracked.view = undefined;
    return this.#changed(home, changed) || moved;
  }

  forgetLease(lease: { readonly namespace: string; readonly name: string }): boolean {
    const home = this.#leaseHomes.get(keyOf(lease));
    this.#leaseHomes.delete(keyOf(lease));
    return home !== undefined && this.#left(home, this.#tracked(home).replicas.forgetLease(lease.name));
  }

  /**
   * Notes a publication. To be called after every publish, also when there was nothing to write: then what is published already holds
   * these generations, as after a restart of the operator.
   * @param objects everything whose content the publication holds, the Gateway itself included
   */
  published(
    gateway: TrackedGateway,
    sequence: number,
    objects: Iterable<{ readonly uid: string; readonly generation: number }>,
  ): void {
    const tracked = this.#tracked(keyOf(gateway));
    // A Gateway made anew counts from the start again, and so does one whose index was lost.
    const anew = tracked.uid !== undefined && tracked.uid !== gateway.uid;
    const restarted = anew || (tracked.sequence !== undefined && sequence < tracked.sequence);
    if (anew) {
      tracked.objects.clear();
      tracked.waiting.clear();
    }
    const { objects: known, waiting } = tracked;
    const named = ++tracked.calls;
    let count = 0;
    for (const { uid, generation } of objects) {
      count++;
      const before = known.get(uid);
      if (before?.generation === generation && (!restarted || before.reached !== undefined)) {
        before.named = named;
        continue;
      }
      known.set(uid, { generation, sequence, named });
      waiting.add(uid);
    }
    // Hardly ever: something has left the publication.
    if (known.size > count) {
      for (const [uid, inclusion] of known) {
        if (inclusion.named === named) continue;
        known.delete(uid);
        waiting.delete(uid);
      }
    }
    tracked.uid = gateway.uid;
    tracked.createdAt = gateway.creationTimestamp === undefined ? 0 : Date.parse(gateway.creationTimestamp);
    tracked.sequence = sequence;
  }

  /**
   * @param gateway `namespace/name` of the Gateway the object attaches to, or is
   * @returns what Programmed says of a generation, provided that the object {@link contributes}
   */
  verdict(gateway: string, { kind, uid, generation, current }: ProgrammedSubject): Verdict {
    const tracked = this.#gateways.get(gateway);
    const found = tracked?.objects.get(uid);
    const inclusion = found?.generation === generation ? found : undefined;
    if (kind === 'Gateway') {
      return tracked === undefined || inclusion === undefined
        ? PENDING
        : this.#judge(tracked, inclusion.sequence, true);
    }
    if (inclusion?.reached !== undefined) return inclusion.reached;
    const kept = stillHolds(current, generation, tracked?.createdAt ?? 0);
    const verdict =
      kept ??
      (tracked === undefined || inclusion === undefined ? PENDING : this.#judge(tracked, inclusion.sequence, false));
    if (inclusion !== undefined && verdict.status === 'True') {
      inclusion.reached = verdict;
      tracked?.waiting.delete(uid);
    }
    return verdict;
  }

  /** @returns the lowest sequence among the ready pods: what everyone has. 0 while one is silent; undefined without a ready pod */
  reached(gateway: string): number | undefined {
    const ready = this.#view(gateway)?.ready ?? [];
    return ready.length === 0 ? undefined : Math.min(...ready.map(({ sequence }) => sequence ?? 0));
  }

  /** For `status.replicas` of the Gateway. */
  replicas(gateway: string): { readonly ready: number; readonly current: number } {
    const ready = this.#view(gateway)?.ready ?? [];
    const published = this.#gateways.get(gateway)?.sequence;
    const current = ready.filter(({ sequence }) => published !== undefined && (sequence ?? -1) >= published);
    return { ready: ready.length, current: current.length };
  }

  /** The ready replicas and what they say. */
  ready(gateway: string): readonly Replica[] {
    return this.#view(gateway)?.ready ?? NO_REPLICAS;
  }

  /** Objects that are published and not yet Programmed, by uid: all that news of a pod can move, beside the Gateway. */
  waiting(gateway: string): ReadonlySet<string> {
    return this.#gateways.get(gateway)?.waiting ?? NO_UIDS;
  }

  /** The Gateway is gone. Its pods are forgotten as they go. */
  forgetGateway(gateway: string): void {
    const tracked = this.#gateways.get(gateway);
    if (tracked === undefined) return;
    if (tracked.replicas.empty) this.#gateways.delete(gateway);
    else this.#gateways.set(gateway, fresh(tracked.replicas));
  }

  /** Time at which a pod falls silent if nothing more is heard: verdicts may change then without any event. */
  wakeAt(): number | undefined {
    const ends = [...this.#gateways.keys()].map((gateway) => this.#view(gateway)?.expiresAt ?? Infinity);
    const first = Math.min(Infinity, ...ends);
    return first === Infinity ? undefined : first;
  }

  #judge(tracked: Tracked, sequence: number, live: boolean): Verdict {
    const { ready } = this.#viewOf(tracked);
    const key = `${live ? 'live' : 'once'} ${sequence}`;
    let verdict = tracked.judged.get(key);
    if (verdict === undefined) {
      verdict = judge(ready, sequence, live);
      tracked.judged.set(key, verdict);
    }
    return verdict;
  }

  #view(gateway: string): Tracked['view'] {
    const tracked = this.#gateways.get(gateway);
    return tracked === undefined ? undefined : this.#viewOf(tracked);
  }

  #viewOf(tracked: Tracked): NonNullable<Tracked['view']> {
    const now = this.#now();
    if (tracked.view === undefined || now >= tracked.view.expiresAt) {
      tracked.view = tracked.replicas.at(now);
      tracked.judged.clear();
    }
    return tracked.view;
  }

  #tracked(gateway: string): Tracked {
    let tracked = this.#gateways.get(gateway);
    if (tracked === undefined) {
      tracked = fresh(new Replicas(gateway.slice(gateway.indexOf('/') + 1)));
      this.#gateways.set(gateway, tracked);
    }
    return tracked;
  }

  /** A Gateway that is gone is forgotten with the last of its pods and Leases. */
  #left(gateway: string, changed: boolean): boolean {
    const { replicas, uid } = this.#tracked(gateway);
    if (uid === undefined && replicas.empty) this.#gateways.delete(gateway);
    return this.#changed(gateway, changed);
  }

  #changed(gateway: string, changed: boolean): boolean {
    const tracked = this.#gateways.get(gateway);
    if (changed && tracked !== undefined) tracked.view = undefined;
    return changed;
  }
}

const fresh = (replicas: Replicas): Tracked => ({
  replicas,
  objects: new Map(),
  waiting: new Set(),
  calls: 0,
  judged: new Map(),
});

const keyOf = (meta: { readonly namespace: string; readonly name: string }): string => `${meta.namespace}/${meta.name}`;

function homeOf({ metadata }: PodObject | LeaseObject): string | undefined {
  const gateway = metadata.labels?.[GATEWAY_LABEL];
  return gateway === undefined ? undefined : `${metadata.namespace}/${gateway}`;
}

/** What an earlier run of the operator, or an earlier pass of this one, found out and wrote down. */
function stillHolds(
  current: ProgrammedSubject['current'],
  generation: number,
  gatewayCreatedAt: number,
): Verdict | undefined {
  if (current?.status !== 'True' || current.observedGeneration !== generation) return undefined;
  if (Date.parse(current.lastTransitionTime ?? '') < gatewayCreatedAt) return undefined;
  const { status, reason, message } = current;
  return { status, reason, message };
}
