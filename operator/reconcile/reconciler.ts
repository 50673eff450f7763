// One pass from what the caches hold to what the cluster should hold: keys, compile, publish, workloads, statuses. Level-driven: nothing in
// here knows what changed, every step compares with what is there and writes the difference. Only the leader runs it.
import type { Logger } from 'pino';
import { objectKey } from '#shared/api/kinds.ts';
import { builtinCatalog } from '#shared/catalog/catalog.ts';
import type { CatalogOverlay } from '#shared/catalog/overlay.ts';
import { compile } from '#shared/compile/compile.ts';
import { CompileMemo } from '#shared/compile/memo.ts';
import type { CompileOutput } from '#shared/compile/types.ts';
import type { SecretText } from '#shared/secret-text.ts';
import { KeyGateways } from '../keys/gateways.ts';
import type { KeyMinter } from '../keys/mint.ts';
import { planKeys, type KeyPlan } from '../keys/plan.ts';
import type { OperatorMetrics } from '../metrics.ts';
import type { Publisher } from '../publish/publisher.ts';
import type { ProgrammedTracker } from '../status/programmed.ts';
import { catalogRef } from '../world/catalog-refs.ts';
import { secretRefs } from '../world/secret-refs.ts';
import type { NamedValues } from '../world/named-values.ts';
import type { CustomObject, World } from '../world/world.ts';
import { Compiled } from './compiled.ts';
import type { GatewayServing, Serving } from './gateway-serving.ts';
import { Judgements } from './judgements.ts';
import type { Extent } from './loop.ts';
import { previousUse } from './previous-use.ts';
import type { StatusReport } from './status-report.ts';

export interface ReconcilerOptions {
  readonly world: World;
  readonly secretValues: NamedValues<SecretText>;
  readonly configMapValues: NamedValues<string>;
  readonly publisher: Publisher;
  readonly minter: KeyMinter;
  readonly tracker: ProgrammedTracker;
  readonly serving: GatewayServing;
  readonly statusReport: StatusReport;
  readonly metrics: OperatorMetrics;
  readonly log: Logger;
  /** Milliseconds since 1970, UTC. */
  readonly wallClock: () => number;
  /** Asks for a full pass at a time of the wall clock. */
  readonly wakeAt: (at: number | undefined) => void;
  /** Asks for a settling pass at a time of the monotonic clock. */
  readonly settleAt: (at: number | undefined) => void;
}

/** How soon to ask again for what could not be read or written, in milliseconds. */
const RETRY_MS = 2_000;
/** Keys that a first pass takes in before others get their turn: some 100 ms. */
const SLICE = 5_000;

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #memo = new CompileMemo();
  readonly #judgements = new Judgements();
  #compiled: Compiled | undefined;
  #served: ReadonlyMap<string, Serving> = new Map();
  #known = new Set<string>();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  async run(extent: Extent): Promise<void> {
    const { metrics, minter, statusReport, tracker, wakeAt, settleAt, world } = this.#options;
    const end = metrics.pass();
    try {
      const full = extent === 'all' || this.#compiled === undefined;
      if (full) this.#compiled = await this.#compile();
      const compiled = this.#compiled!;
      const served = await this.#serve(compiled, full);
      this.#served = served;
      // What was published just now starts the longest wait of values for their pods.
      wakeAt(minter.wakeAt);
      const report = await metrics.phase('status', () => statusReport.offer(compiled, served, world, full));
      wakeAt(report.wakeAt);
      settleAt(tracker.wakeAt());
    } finally {
      end();
    }
  }

  /**
   * An object's status changed and nothing else of it. Most often it was us, and then there is nothing to do; what a person wrote is put right
   * without a pass, which for 100,000 of our own writes would never end.
   */
  statusChanged(object: CustomObject): void {
    const { statusReport, world } = this.#options;
    const judged = this.#compiled?.byUid(object.metadata.uid ?? '');
    // A pass is under way or due that knows better.
    if (judged === undefined || judged.object.metadata.generation !== object.metadata.generation) return;
    if (object.kind === 'Gateway' && !this.#served.has(judged.gateway)) return;
    statusReport.offerOne(judged, this.#compiled!, this.#served, world);
  }

  async #compile(): Promise<Compiled> {
    const { world, secretValues, configMapValues, minter, metrics, wallClock, wakeAt } = this.#options;
    const objects = world.objects();
    const gateways = objects.filter(({ kind }) => kind === 'Gateway');
    this.#forget(new Set(gateways.map(({ metadata }) => objectKey(metadata))));
    const { peppers, tombstones, lastCatalogs } = await metrics.phase('pepper', () => this.#publishedOf(gateways));
    const names = new Set<string>();
    for (const object of objects) for (const name of secretRefs(object)) names.add(name);
    const { complete, values: secrets } = await metrics.phase('secrets', () =>
      secretValues.read(names, (name) => world.secrets.get(name)?.metadata.resourceVersion),
    );
    const maps = new Set(gateways.map(catalogRef).filter((name) => name !== undefined));
    const { complete: mapsComplete, values: catalogs } = await configMapValues.read(
      maps,
      (name) => world.configMaps.get(name)?.metadata.resourceVersion,
    );
    if (!complete || !mapsComplete) wakeAt(wallClock() + RETRY_MS);
    const namespaces = world.namespaceLabels();
    const gatewaysOfKeys = new KeyGateways(gateways, namespaces, peppers);
    const uses = previousUse(world.leases.values());
    const planOf = (virtualKeys: Iterable<CustomObject>): KeyPlan =>
      planKeys({
        virtualKeys,
        secrets: world.secrets,
        gateways: gatewaysOfKeys,
        previousUse: uses,
        memory: minter.memory,
        now: wallClock(),
      });
    const compileWith = (some: readonly CustomObject[], credentials: KeyPlan['credentials']): CompileOutput =>
      compile(
        { objects: some, secrets, catalogs, lastCatalogs, namespaces, peppers, tombstones, credentials },
        builtinCatalog.models,
        this.#memo,
      );
    if (this.#compiled === undefined) {
      await metrics.phase('first', () =>
        inSlices(objects, (keys, others) => compileWith([...others, ...keys], planOf(keys).credentials)),
      );
    }
    const plan = await metrics.phase('keys', () => planOf(world.kinds.VirtualKey.values()));
    minter.offer(plan);
    wakeAt(plan.wakeAt);
    const output = await metrics.phase('compile', () => compileWith(objects, plan.credentials));
    return new Compiled(output, plan, this.#judgements);
  }

  /** What is published of every Gateway that a compile rests on. One whose namespace refuses them is left out, and says so in its status. */
  async #publishedOf(gateways: readonly CustomObject[]): Promise<{
    peppers: Map<string, SecretText>;
    tombstones: Map<string, ReadonlySet<string>>;
    lastCatalogs: Map<string, CatalogOverlay>;
  }> {
    const { publisher, serving, metrics, wakeAt, wallClock } = this.#options;
    const peppers = new Map<string, SecretText>();
    const tombstones = new Map<string, ReadonlySet<string>>();
    const lastCatalogs = new Map<string, CatalogOverlay>();
    await Promise.all(
      gateways.map(async ({ metadata }) => {
        const key = objectKey(metadata);
        const at = { namespace: metadata.namespace, name: metadata.name, uid: metadata.uid ?? '' };
        try {
          const loaded = await publisher.load(at);
          peppers.set(key, loaded.pepper);
          tombstones.set(key, loaded.tombstones);
          if (loaded.catalog !== undefined) lastCatalogs.set(key, loaded.catalog);
        } catch (error) {
          metrics.failed('pepper');
          serving.fault(key, error);
          wakeAt(wallClock() + RETRY_MS);
        }
      }),
    );
    return { peppers, tombstones, lastCatalogs };
  }

  /** Publishes and deploys, Gateways side by side: what fails for one is tried again and keeps none of the others waiting. */
  async #serve(compiled: Compiled, full: boolean): Promise<ReadonlyMap<string, Serving>> {
    const { serving, metrics, wakeAt, wallClock } = this.#options;
    const served = await metrics.phase('serve', () =>
      Promise.all(
        compiled.judgedGateways.map(async ({ object, gateway }) => {
          const result = await serving.serve(object, gateway, compiled, full);
          if (result.retry) wakeAt(wallClock() + RETRY_MS);
          return [gateway, result] as const;
        }),
      ),
    );
    return new Map(served);
  }

  #forget(present: ReadonlySet<string>): void {
    for (const key of this.#known) if (!present.has(key)) this.#options.serving.forget(key);
    this.#known = new Set(present);
  }
}

/**
 * Takes a hundred thousand keys in a few at a time, with what all of them rest on: planning and compiling remember single keys, so that the pass that
 * follows finds them known. At once it would hold the event loop for seconds, and the leader's Lease must be renewed meanwhile.
 */
async function inSlices(
  objects: readonly CustomObject[],
  take: (keys: readonly CustomObject[], others: readonly CustomObject[]) => void,
): Promise<void> {
  const keys = objects.filter(({ kind }) => kind === 'VirtualKey');
  const others = objects.filter(({ kind }) => kind !== 'VirtualKey');
  for (let at = 0; at < keys.length; at += SLICE) {
    take(keys.slice(at, at + SLICE), others);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
