// What is done for one Gateway in every pass: publish its configuration, note who is in it, keep its workloads as they should be.
import type { Logger } from 'pino';
import type { Resource } from '#shared/api/kinds.ts';
import { parseSpec } from '#shared/api/parse.ts';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import type { KubeObject, ResourceType } from '#shared/kube/object.ts';
import type { KeyMinter } from '../keys/mint.ts';
import type { OperatorMetrics } from '../metrics.ts';
import { conditionOf, PublishError } from '../publish/errors.ts';
import type { GatewayIdentity } from '../publish/objects.ts';
import type { Published, Publisher } from '../publish/publisher.ts';
import type { GatewayState } from '../status/desired.ts';
import type { ProgrammedTracker } from '../status/programmed.ts';
import type { WorkloadWriter } from '../workloads/apply.ts';
import { egressPorts, renderWorkloads, serviceAddress, type WorkloadOptions } from '../workloads/render.ts';
import type { CustomObject, World } from '../world/world.ts';
import { availability } from './availability.ts';
import type { Compiled } from './compiled.ts';
import type { Extent } from './loop.ts';

export interface Serving {
  readonly state: GatewayState;
  /** What to do again when something failed that may go better next time. Workloads need no new compile. */
  readonly retry: Extent | undefined;
}

export interface GatewayServingOptions {
  readonly world: World;
  readonly publisher: Publisher;
  readonly minter: KeyMinter;
  readonly tracker: ProgrammedTracker;
  readonly workloads: WorkloadWriter;
  readonly workloadOptions: Omit<WorkloadOptions, 'egressPorts'>;
  readonly metrics: OperatorMetrics;
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Another operator has taken over: this one must end. */
  readonly onSuperseded: () => void;
}

/** Between two looks at what is published. */
const VERIFY_MS = 300_000;

interface Fault {
  readonly reason: string;
  readonly message: string;
}

/** Last known about one Gateway. */
interface Known {
  published?: Published;
  uid?: string;
  /** Why its configuration could not be read or published. */
  fault?: Fault | undefined;
  ports: readonly number[];
  /** When it was last looked whether what is published is as it was left, by the monotonic clock. */
  verifiedAt: number;
  /** As compiled last. */
  keys: readonly KeyEntry[];
}

export class GatewayServing {
  readonly #options: GatewayServingOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: GatewayServingOptions) {
    this.#options = options;
  }

  /** @param full whether there was a new compile; without one only pods and workloads are looked at */
  async serve(object: CustomObject, gateway: string, compiled: Compiled, full: boolean): Promise<Serving> {
    const { tracker, minter } = this.#options;
    const known = this.#of(gateway);
    known.uid = object.metadata.uid ?? '';
    let retry: Extent | undefined;
    if (full && (await this.#publish(object, gateway, compiled, known))) retry = 'all';
    minter.reached(gateway, tracker.reached(gateway));
    const parsed = parseSpec('Gateway', object.spec);
    const resource: Resource<'Gateway'> | undefined = parsed.ok
      ? { kind: 'Gateway', metadata: object.metadata, spec: parsed.value }
      : undefined;
    const faults: Fault[] = known.fault === undefined ? [] : [known.fault];
    if (resource !== undefined && compiled.gateways.has(gateway)) {
      const bad = await this.#deploy(resource, known);
      if (bad.some((each) => each.retry)) retry ??= 'settle';
      faults.push(...bad);
    }
    const deployment = this.#options.world.deployments.get(gateway);
    return {
      retry,
      state: {
        revision: known.published?.revision,
        replicas: tracker.replicas(gateway),
        address: resource === undefined ? undefined : serviceAddress(resource),
        available: availability(deployment),
        paused: resource?.spec.paused ?? false,
        fault:
          faults.length === 0
            ? undefined
            : { reason: faults[0]!.reason, message: faults.map(({ message }) => message).join('; ') },
      },
    };
  }

  /** Notes why a Gateway cannot be served just now. */
  fault(gateway: string, error: unknown): void {
    const { message } = error as Error;
    this.#of(gateway).fault = conditionOf(error) ?? { reason: 'Unavailable', message };
  }

  forget(gateway: string): void {
    const { tracker, publisher, workloads } = this.#options;
    const uid = this.#known.get(gateway)?.uid;
    tracker.forgetGateway(gateway);
    publisher.forget(gateway);
    if (uid !== undefined) workloads.forget(uid);
    this.#known.delete(gateway);
  }

  async #publish({ metadata }: CustomObject, gateway: string, compiled: Compiled, known: Known): Promise<boolean> {
    const { publisher, minter, tracker, metrics, log } = this.#options;
    const result = compiled.gateways.get(gateway);
    const at = { namespace: metadata.namespace, name: metadata.name, uid: metadata.uid ?? '' };
    const { present } = compiled;
    try {
      if (await this.#isTampered(at, known))
        log.warn({ gateway }, 'a published object was altered; it is written again');
      if (result === undefined) {
        // Not accepted: the last good configuration keeps serving, but a key that died must not live on because of somebody's typing error.
        const gone = known.keys.filter(({ key }) => !present.has(key)).map(({ hash }) => hash);
        const dead = [...gone, ...compiled.revoked(gateway)];
        if (dead.length > 0) await publisher.revoke(at, dead);
        return false;
      }
      const published = await metrics.phase('publish', () => publisher.publish(at, result, present));
      if (published.writes > 0) {
        metrics.published(gateway);
        const { revision, sequence, changedParts } = published;
        log.info({ gateway, generation: metadata.generation, revision, sequence, parts: changedParts }, 'published');
      }
      for (const warning of published.warnings) log.warn({ gateway }, warning);
      known.published = published;
      known.fault = undefined;
      known.keys = result.keys;
      known.ports = egressPorts(result.bundle);
      tracker.published({ ...at, ...birth(metadata) }, published.sequence, compiled.contributors(gateway));
      minter.published(gateway, published.sequence, result.keys);
      return false;
    } catch (error) {
      if (error instanceof PublishError && error.code === 'superseded') this.#options.onSuperseded();
      log.error(
        { gateway, err: error },
        'the configuration cannot be published; what was published before keeps serving',
      );
      this.fault(gateway, error);
      return true;
    }
  }

  /** Looks now and then whether somebody altered what is published, in case no watch told. */
  async #isTampered(at: GatewayIdentity, known: Known): Promise<boolean> {
    const { publisher, now } = this.#options;
    if (known.published === undefined || now() - known.verifiedAt < VERIFY_MS) return false;
    known.verifiedAt = now();
    return !(await publisher.verify(at));
  }

  async #deploy(resource: Resource<'Gateway'>, known: Known): Promise<(Fault & { retry: boolean })[]> {
    const { workloads, workloadOptions, world, metrics, log } = this.#options;
    const desired = renderWorkloads(resource, { ...workloadOptions, egressPorts: known.ports });
    const observed = (type: ResourceType, name: string): KubeObject | undefined =>
      world.child(type.plural, `${resource.metadata.namespace}/${name}`);
    try {
      const { written, deleted, faults } = await metrics.phase('workloads', () => workloads.apply(desired, observed));
      if (written.length + deleted.length > 0)
        log.info({ gateway: resource.metadata.name, written, deleted }, 'workloads');
      return faults.map(({ object, reason, message, retry }) => ({ reason, message: `${object}: ${message}`, retry }));
    } catch (error) {
      log.error({ gateway: resource.metadata.name, err: error }, 'the workloads cannot be written');
      return [{ reason: 'Unavailable', message: (error as Error).message, retry: true }];
    }
  }

  #of(gateway: string): Known {
    let known = this.#known.get(gateway);
    if (known === undefined) {
      known = { ports: [], keys: [], verifiedAt: this.#options.now() };
      this.#known.set(gateway, known);
    }
    return known;
  }
}

const birth = ({ creationTimestamp }: CustomObject['metadata']): { creationTimestamp?: string } =>
  creationTimestamp === undefined ? {} : { creationTimestamp };
