// Statuses of everything that was compiled, or of what pods and workloads can have moved since, handed to the writer.
import type { Kind } from '#shared/api/kinds.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import { desiredStatus } from '../status/desired.ts';
import type { ProgrammedTracker } from '../status/programmed.ts';
import { conditionOf, statusOf } from '../status/stored.ts';
import type { StatusWriter } from '../status/writer.ts';
import type { World } from '../world/world.ts';
import type { Compiled, Judged } from './compiled.ts';
import type { Serving } from './gateway-serving.ts';
import type { UpstreamFactsBook } from './upstream-facts.ts';

/** Objects looked at before others get their turn. */
const SLICE = 2_000;

export class StatusReport {
  readonly #tracker: ProgrammedTracker;
  readonly #upstreamFacts: UpstreamFactsBook;
  readonly #writer: StatusWriter;
  readonly #wallClock: () => number;

  constructor(
    tracker: ProgrammedTracker,
    upstreamFacts: UpstreamFactsBook,
    writer: StatusWriter,
    wallClock: () => number,
  ) {
    this.#upstreamFacts = upstreamFacts;
    this.#tracker = tracker;
    this.#writer = writer;
    this.#wallClock = wallClock;
  }

  /** @returns when a status changes by itself, in milliseconds since 1970 */
  async offer(
    compiled: Compiled,
    served: ReadonlyMap<string, Serving>,
    world: World,
    full: boolean,
  ): Promise<{ wakeAt: number | undefined }> {
    let wakeAt: number | undefined;
    let count = 0;
    if (full) this.#upstreamFacts.keep(new Set(compiled.judgedUpstreams.map(({ key }) => key)));
    for (const judged of full ? compiled.judged : this.#movable(compiled)) {
      const at = this.offerOne(judged, compiled, served, world);
      if (at !== undefined && (wakeAt === undefined || at < wakeAt)) wakeAt = at;
      if (++count % SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return { wakeAt };
  }

  /** What a pod or a Deployment can move: Gateways, Upstreams, and objects that some pod has not loaded yet. */
  *#movable(compiled: Compiled): Generator<Judged> {
    yield* compiled.judgedUpstreams;
    for (const judged of compiled.judgedGateways) {
      yield judged;
      for (const uid of this.#tracker.waiting(judged.gateway)) {
        const waiting = compiled.byUid(uid);
        if (waiting !== undefined && waiting !== judged && waiting.object.kind !== 'Upstream') yield waiting;
      }
    }
  }

  /** @returns when this status changes by itself, in milliseconds since 1970 */
  offerOne(judged: Judged, compiled: Compiled, served: ReadonlyMap<string, Serving>, world: World): number | undefined {
    const { object, status, gateway, key } = judged;
    const kind = object.kind as Kind;
    const current = world.kinds[kind].get(key);
    // Gone or new since the compile: the next pass knows better.
    if (current === undefined || current.metadata.uid !== object.metadata.uid) return undefined;
    const { uid = '', generation = 0 } = object.metadata;
    const programmed = served.has(gateway)
      ? this.#tracker.verdict(gateway, {
          kind,
          uid,
          generation,
          current: conditionOf(statusOf(current), 'Programmed'),
        })
      : undefined;
    const lifecycle = kind === 'VirtualKey' ? compiled.plan.lifecycles.get(key) : undefined;
    const now = this.#wallClock();
    const health =
      kind === 'Upstream' && served.has(gateway) ? this.#upstreamFacts.of(current, key, gateway, now) : undefined;
    const before = judged.offered;
    // A Gateway has its workloads and pods told as well, which move without any of this.
    if (
      kind !== 'Gateway' &&
      before?.current === current &&
      before.programmed === programmed &&
      before.lifecycle === lifecycle &&
      before.health === health &&
      (before.wakeAt === undefined || now < before.wakeAt)
    ) {
      return before.wakeAt;
    }
    const { status: desired, wakeAt: statusWakeAt } = desiredStatus({
      object: current,
      compiled: status,
      programmed,
      lifecycle,
      health,
      gateway: kind === 'Gateway' ? served.get(gateway)?.state : undefined,
      now,
    });
    this.#writer.offer(RESOURCE[kind], current, desired);
    const wakeAt = earlier(statusWakeAt, health?.wakeAt);
    judged.offered = { current, programmed, lifecycle, health, wakeAt };
    return wakeAt;
  }
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
