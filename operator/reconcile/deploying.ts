// Keeps the workloads of every Gateway as they should be, each at its own pace: a namespace whose API calls hang or are refused holds up neither
// publications nor other Gateways, and is tried again later each time.
import type { Logger } from 'pino';
import { objectKey, type Resource } from '#shared/api/kinds.ts';
import type { KubeObject, ResourceType } from '#shared/kube/object.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { OperatorMetrics } from '../metrics.ts';
import type { WorkloadWriter } from '../workloads/apply.ts';
import type { Egress } from '../workloads/network-policy.ts';
import { renderWorkloads, type WorkloadOptions } from '../workloads/render.ts';
import type { World } from '../world/world.ts';

/** Why something of a Gateway is not as it should be, in words for its status. */
export interface Fault {
  readonly reason: string;
  readonly message: string;
}

export interface DeployingOptions {
  readonly world: Pick<World, 'child'>;
  readonly workloads: WorkloadWriter;
  readonly workloadOptions: Omit<WorkloadOptions, 'egress' | 'pods'>;
  /** Pods of a Gateway; left out where an admission policy keeps each pod to its own Lease. */
  readonly podsOf?: ((gateway: { readonly namespace: string; readonly name: string }) => readonly string[]) | undefined;
  readonly metrics: Pick<OperatorMetrics, 'phase'>;
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** The faults of some Gateway are others than before: its status wants another look. */
  readonly onChange: () => void;
  /** Milliseconds before the first and the latest retry. */
  readonly retry?: { readonly first: number; readonly most: number };
}

interface Wanted {
  readonly resource: Resource<'Gateway'>;
  readonly egress: Egress;
}

/** Gateways worked on at a time. */
const CONCURRENCY = 8;
const RETRY = { first: 500, most: 60_000 };
const NONE: readonly Fault[] = [];

export class Deploying {
  readonly #options: DeployingOptions;
  readonly #queue: WorkQueue;
  readonly #wanted = new Map<string, Wanted>();
  readonly #faults = new Map<string, readonly Fault[]>();

  constructor(options: DeployingOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      work: async (gateway) => this.#deploy(gateway),
      concurrency: CONCURRENCY,
      log: options.log,
      now: options.now,
      retry: options.retry ?? RETRY,
    });
  }

  /** States what a Gateway should have; the newest word counts. Looks also for what others have changed, so say it with every pass. */
  want(resource: Resource<'Gateway'>, egress: Egress): void {
    const gateway = objectKey(resource.metadata);
    this.#wanted.set(gateway, { resource, egress });
    this.#queue.add(gateway);
  }

  /** As the last attempt left it. @param gateway `namespace/name` */
  faults(gateway: string): readonly Fault[] {
    return this.#faults.get(gateway) ?? NONE;
  }

  /** @param uid of the Gateway that is gone */
  forget(gateway: string, uid: string): void {
    this.#wanted.delete(gateway);
    this.#faults.delete(gateway);
    this.#options.workloads.forget(uid);
  }

  async stop(): Promise<void> {
    await this.#queue.stop();
  }

  async #deploy(gateway: string): Promise<undefined> {
    const { world, workloads, workloadOptions, podsOf, metrics, log } = this.#options;
    const wanted = this.#wanted.get(gateway);
    if (wanted === undefined) return undefined;
    const { resource, egress } = wanted;
    const desired = renderWorkloads(resource, { ...workloadOptions, egress, pods: podsOf?.(resource.metadata) });
    const observed = (type: ResourceType, name: string): KubeObject | undefined =>
      world.child(type.plural, `${resource.metadata.namespace}/${name}`);
    try {
      const { written, deleted, faults } = await metrics.phase('workloads', () => workloads.apply(desired, observed));
      if (written.length + deleted.length > 0) log.info({ gateway, written, deleted }, 'workloads');
      this.#note(
        gateway,
        faults.map(({ object, reason, message }) => ({ reason, message: `${object}: ${message}` })),
      );
      const passing = faults.filter(({ retry }) => retry).map(({ object, message }) => `${object}: ${message}`);
      if (passing.length > 0) throw new DeployingError(passing.join('; '));
    } catch (error) {
      if (!(error instanceof DeployingError)) {
        this.#note(gateway, [{ reason: 'Unavailable', message: (error as Error).message }]);
      }
      throw error;
    }
    return undefined;
  }

  #note(gateway: string, faults: readonly Fault[]): void {
    // Gone while it was worked on.
    if (!this.#wanted.has(gateway)) return;
    const before = this.faults(gateway);
    if (faults.length === 0) this.#faults.delete(gateway);
    else this.#faults.set(gateway, faults);
    const words = (list: readonly Fault[]): string => list.map(({ message }) => message).join('\n');
    if (words(before) !== words(faults)) this.#options.onChange();
  }
}

/** Some object could not be written and may be later; it has been noted already. */
class DeployingError extends Error {}
