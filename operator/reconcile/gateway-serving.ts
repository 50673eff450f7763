// What is done for one Gateway in every pass: publish its configuration, note who is in it, say what workloads it should have.
import type { Logger } from 'pino';
import type { Resource } from '#shared/api/kinds.ts';
import { parseSpec } from '#shared/api/parse.ts';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import type { KeyMinter } from '../keys/mint.ts';
import type { OperatorMetrics } from '../metrics.ts';
import { conditionOf, PublishError } from '../publish/errors.ts';
import type { GatewayIdentity } from '../publish/objects.ts';
import type { Published, Publisher } from '../publish/publisher.ts';
import type { GatewayState } from '../status/desired.ts';
import type { ProgrammedTracker } from '../status/programmed.ts';
import { egressOf, type Egress } from '../workloads/network-policy.ts';
import { serviceAddress } from '../workloads/render.ts';
import type { CustomObject, World } from '../world/world.ts';
import { availability } from './availability.ts';
import type { Compiled } from './compiled.ts';
import type { Deploying, Fault } from './deploying.ts';

export interface Serving {
  readonly state: GatewayState;
  /** The configuration could not be published, and may be next time. */
  readonly retry: boolean;
}

export interface GatewayServingOptions {
  readonly world: World;
  readonly publisher: Publisher;
  readonly minter: KeyMinter;
  readonly tracker: ProgrammedTracker;
  readonly deploying: Deploying;
  readonly metrics: OperatorMetrics;
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Another operator has taken over: this one must end. */
  readonly onSuperseded: () => void;
}

/** Between two looks at what is published. */
const VERIFY_MS = 300_000;

/** Last known about one Gateway. */
interface Known {
  published?: Published;
  uid?: string;
  /** Why its configuration could not be read or published. */
  fault?: Fault | undefined;
  egress: Egress;
  /** As last said. */
  warnings: readonly string[];
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
    const { tracker, minter, deploying } = this.#options;
    const known = this.#of(gateway);
    const { uid = '' } = object.metadata;
    // Deleted and made again between two passes.
    if (known.uid !== undefined && known.uid !== uid) deploying.forget(gateway, known.uid);
    known.uid = uid;
    const retry = full && (await this.#publish(object, gateway, compiled, known));
    minter.reached(gateway, tracker.reached(gateway));
    const parsed = parseSpec('Gateway', object.spec);
    const resource: Resource<'Gateway'> | undefined = parsed.ok
      ? { kind: 'Gateway', metadata: object.metadata, spec: parsed.value }
      : undefined;
    const faults: Fault[] = known.fault === undefined ? [] : [known.fault];
    if (resource !== undefined && compiled.gateways.has(gateway)) {
      deploying.want(resource, known.egress);
      faults.push(...deploying.faults(gateway));
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
    const { tracker, publisher, minter, deploying, metrics } = this.#options;
    const uid = this.#known.get(gateway)?.uid;
    tracker.forgetGateway(gateway);
    minter.forgetGateway(gateway);
    metrics.forgetGateway(gateway);
    publisher.forget(gateway);
    if (uid !== undefined) deploying.forget(gateway, uid);
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
      this.#warn(gateway, published.warnings, known);
      known.published = published;
      known.fault = undefined;
      known.keys = result.keys;
      known.egress = egressOf(result.bundle);
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

  /** Says what is not as it should be once, not with every pass. */
  #warn(gateway: string, warnings: readonly string[], known: Known): void {
    for (const warning of warnings) if (!known.warnings.includes(warning)) this.#options.log.warn({ gateway }, warning);
    known.warnings = warnings;
  }

  /** Looks now and then whether somebody altered what is published, in case no watch told. */
  async #isTampered(at: GatewayIdentity, known: Known): Promise<boolean> {
    const { publisher, now } = this.#options;
    if (known.published === undefined || now() - known.verifiedAt < VERIFY_MS) return false;
    known.verifiedAt = now();
    return !(await publisher.verify(at));
  }

  #of(gateway: string): Known {
    let known = this.#known.get(gateway);
    if (known === undefined) {
      known = { egress: { ports: [], metadata: false }, keys: [], warnings: [], verifiedAt: this.#options.now() };
      this.#known.set(gateway, known);
    }
    return known;
  }
}

const birth = ({ creationTimestamp }: CustomObject['metadata']): { creationTimestamp?: string } =>
  creationTimestamp === undefined ? {} : { creationTimestamp };
