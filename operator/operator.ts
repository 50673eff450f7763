// The operator's parts wired together: caches that every replica keeps warm, and the writing side that starts when this replica leads.
import type { Logger } from 'pino';
import { objectKey } from '#shared/api/kinds.ts';
import type { KubeClient } from '#shared/kube/client.ts';
import type { EventRecorder } from './kube/events.ts';
import { KeyMinter } from './keys/mint.ts';
import type { OperatorMetrics } from './metrics.ts';
import { createPublisher } from './publish/publisher.ts';
import { Deploying } from './reconcile/deploying.ts';
import { GatewayServing } from './reconcile/gateway-serving.ts';
import { Loop } from './reconcile/loop.ts';
import { Reconciler } from './reconcile/reconciler.ts';
import { StatusReport } from './reconcile/status-report.ts';
import { credentialSecrets, UpstreamFactsBook } from './reconcile/upstream-facts.ts';
import { listenForChanges } from './reconcile/triggers.ts';
import { recordTransitions } from './status/events.ts';
import { ProgrammedTracker } from './status/programmed.ts';
import { StatusWriter } from './status/writer.ts';
import { createWorkloadWriter } from './workloads/apply.ts';
import type { WorkloadOptions } from './workloads/render.ts';
import { configMapValues, secretValues } from './world/named-values.ts';
import type { Scope } from './world/watched.ts';
import { World, type CustomObject } from './world/world.ts';

export interface OperatorOptions {
  readonly client: KubeClient;
  /** Namespaces to work in; the whole cluster when undefined. */
  readonly scope: Scope;
  /** Of this process, never used again by another. */
  readonly identity: string;
  readonly version: string;
  readonly workloads: Omit<WorkloadOptions, 'egress' | 'pods'>;
  /** Statuses written a second. */
  readonly statusRate: number;
  readonly recorder: EventRecorder;
  /** Another operator publishes: this one's word does not count any more, and its process must end. */
  readonly onSuperseded: () => void;
  readonly metrics: OperatorMetrics;
  readonly log: Logger;
  /** Milliseconds since 1970, UTC. */
  readonly wallClock: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Cryptographically strong. */
  readonly randomBytes: (count: number) => Uint8Array;
}

export interface Operator {
  /** Whether the caches are filled. */
  readonly ready: boolean;
  /** Fills the caches and keeps them; writes nothing. */
  start(): void;
  /** Resolves when the caches are filled. */
  synced(): Promise<void>;
  /** Begins to write: for the leader, once. */
  lead(): void;
  /** Ends what is running, writes nothing more. */
  stop(): Promise<void>;
  /** Brings gauges up to date before a scrape. */
  measure(): void;
}

export function createOperator(options: OperatorOptions): Operator {
  const { client, scope, log, metrics, now, random, wallClock } = options;
  const world = new World(scope, {
    client,
    log,
    now,
    random,
    observe: (resource, event) => metrics.reflected(resource, event),
  });
  const contents = secretValues(client, log);
  let ready = false;
  let writing: { stop(): Promise<void> } | undefined;

  return {
    get ready() {
      return ready;
    },
    start() {
      world.start();
      void becomeReady();
    },
    synced: () => world.synced(),
    lead() {
      writing = startWriting(world, options);
      metrics.leading(true);
    },
    async stop() {
      metrics.leading(false);
      await writing?.stop();
      await world.stop();
    },
    measure() {
      for (const [resource, count] of world.sizes()) metrics.cached(resource, count);
      metrics.credentials(
        world.kinds.Upstream.values().map(
          (each) => [objectKey(each.metadata), credentialSecrets(each, world, contents)] as const,
        ),
        wallClock(),
      );
    },
  };

  async function becomeReady(): Promise<void> {
    try {
      await world.synced();
    } catch {
      // Stopped before it was.
      return;
    }
    ready = true;
    log.info({ objects: Object.fromEntries(world.sizes()) }, 'caches are filled');
  }

  /** Everything that only a leader has. */
  function startWriting(
    caches: World,
    { version, identity, randomBytes, recorder }: OperatorOptions,
  ): {
    stop(): Promise<void>;
  } {
    const toMonotonic = (at: number | undefined): number | undefined =>
      at === undefined ? undefined : now() + Math.max(0, at - wallClock());
    const loop = new Loop({ run: (extent) => reconciler.run(extent), now, log });
    const tracker = new ProgrammedTracker({ now });
    const minter = new KeyMinter({ client, now: wallClock, randomBytes, log, onChange: () => loop.request('all') });
    const publisher = createPublisher(client, { writer: version, identity, now: wallClock, randomBytes, log });
    const writer = new StatusWriter({
      client,
      now,
      log,
      rate: { perSecond: options.statusRate, burst: options.statusRate },
      onWritten: (written, before, after) => {
        metrics.statusWritten(written.type.kind);
        recordTransitions(recorder, written, before, after);
      },
    });
    const deploying = new Deploying({
      world: caches,
      workloads: createWorkloadWriter(client),
      workloadOptions: options.workloads,
      // An admission policy is the cluster's: an operator that may work in some namespaces only has none.
      podsOf: options.scope === undefined ? undefined : (gateway) => caches.podsOf(gateway),
      metrics,
      log,
      now,
      onChange: () => loop.request('settle'),
    });
    const serving = new GatewayServing({
      world: caches,
      publisher,
      minter,
      tracker,
      deploying,
      metrics,
      log,
      now,
      onSuperseded: options.onSuperseded,
    });
    const reconciler = new Reconciler({
      world: caches,
      secretValues: contents,
      configMapValues: configMapValues(client, log),
      publisher,
      minter,
      tracker,
      serving,
      statusReport: new StatusReport(tracker, new UpstreamFactsBook(tracker, caches, contents), writer, wallClock),
      metrics,
      log,
      wallClock,
      wakeAt: (at) => loop.wakeAt(toMonotonic(at)),
      settleAt: (at) => loop.wakeAt(at, 'settle'),
    });
    const statusChanged = (object: CustomObject): void => reconciler.statusChanged(object);
    listenForChanges({ world: caches, tracker, publisher, minter, loop, now, statusChanged });
    loop.request('all');
    return {
      async stop() {
        await loop.stop();
        await Promise.all([minter.stop(), writer.stop(), deploying.stop()]);
      },
    };
  }
}
