// Which replica writes: the one that holds the Lease. client-go's rules and numbers.
//
// Nobody reads another's clock. A holder stops believing `renewDeadline` after it SENT its last renewal that went through; the others wait until
// they have seen the Lease unchanged for `leaseDuration`. The server took the renewal between the two, and the one time is shorter than the
// other, so two never believe in themselves at once. A write is sent by whoever believes at that moment (the client's `mayWrite`); nothing
// fences those that are already on their way: they must be safe on their own.
import { canonicalJson } from '#shared/canonical-json.ts';
import { isApiError, type KubeClient, type Reference } from '#shared/kube/client.ts';
import { sleep } from '#shared/kube/deadline.ts';
import { MANAGED_BY } from '#shared/kube/labels.ts';
import { microTime } from '#shared/kube/micro-time.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import type { Lease } from '#shared/kube/types.ts';

/** Milliseconds; leaseDuration > renewDeadline > 1.2 · retryPeriod. */
export interface LeaseTiming {
  readonly leaseDuration: number;
  readonly renewDeadline: number;
  readonly retryPeriod: number;
}

export const LEASE_TIMING: LeaseTiming = { leaseDuration: 15_000, renewDeadline: 10_000, retryPeriod: 2_000 };

export interface LeaderOptions {
  /** One of its own: renewals must not wait behind other calls. */
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly lease: Reference;
  /** Different for every process that ever ran, such as the pod's name and something random. */
  readonly identity: string;
  readonly timing?: LeaseTiming;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Milliseconds since 1970, for people who read the Lease. */
  readonly wallClock: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly log: { readonly info: Log; readonly warn: Log };
  readonly onElected: () => void;
  /** Called once and for good, unless `stop` came first: end the process, its caches may be as good as any but its word is not. */
  readonly onLost: () => void;
}

type Log = (context: object, text: string) => void;

const JITTER = 1.2;

/** @throws {RangeError} for times that would allow two leaders */
export class LeaderElection {
  readonly #options: LeaderOptions;
  readonly #timing: LeaseTiming;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  /** As last read or written, and when we first saw its spec. */
  #lease: Lease | undefined;
  #seen = '';
  #seenAt = 0;
  /** Until when we may believe to hold it; undefined when we do not. */
  #until: number | undefined;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#timing = options.timing ?? LEASE_TIMING;
    const { leaseDuration, renewDeadline, retryPeriod } = this.#timing;
    if (leaseDuration <= renewDeadline || renewDeadline <= retryPeriod * JITTER) {
      throw new RangeError('leaseDuration must be longer than renewDeadline, and that longer than 1.2 · retryPeriod');
    }
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Looks at the clock, not at what a timer has got around to. */
  get leading(): boolean {
    return this.#until !== undefined && this.#options.now() < this.#until;
  }

  /** Who holds the Lease, as far as we know; undefined when nobody does. */
  get holder(): string | undefined {
    return this.#lease?.spec?.holderIdentity || undefined;
  }

  /** Gives the Lease back, so that another need not wait. Stop all writing before. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    const ours = this.leading && this.#lease?.spec?.holderIdentity === this.#options.identity;
    this.#until = undefined;
    if (!ours) return;
    const { wallClock } = this.#options;
    const now = microTime(wallClock());
    const spec = {
      ...this.#lease?.spec,
      holderIdentity: '',
      leaseDurationSeconds: 1,
      acquireTime: now,
      renewTime: now,
    };
    await this.#write(spec).catch((error: unknown) =>
      this.#options.log.warn({ err: error }, 'the Lease was not given back; others wait until it runs out'),
    );
  }

  async #run(): Promise<void> {
    const { log, onElected, onLost, lease, identity } = this.#options;
    const { signal } = this.#stopping;
    try {
      while (!(await this.#attempt())) await this.#rest();
      log.info({ lease, identity }, 'this replica leads');
      onElected();
      while (this.leading) {
        await this.#rest();
        if (!(await this.#attempt()) && this.#until === undefined) break;
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    this.#until = undefined;
    log.warn({ lease, identity, holder: this.holder }, 'this replica leads no more');
    onLost();
  }

  /** @returns whether the Lease is ours now, by an answer of the server */
  async #attempt(): Promise<boolean> {
    const { signal } = this.#stopping;
    signal.throwIfAborted();
    try {
      return await this.#acquireOrRenew();
    } catch (error) {
      signal.throwIfAborted();
      // It may have been written by another, or by us without our hearing of it: look before the next step.
      this.#lease = undefined;
      if (!isApiError(error, 409)) this.#options.log.warn({ err: error }, 'the Lease could not be read or written');
      return false;
    }
  }

  async #acquireOrRenew(): Promise<boolean> {
    const { identity, wallClock } = this.#options;
    if (this.#lease === undefined || this.#until === undefined) await this.#read();
    const known = this.#lease?.spec;
    const ours = known?.holderIdentity === identity;
    if (!ours && known !== undefined && !this.#ranOut(known)) {
      this.#until = undefined;
      return false;
    }
    const sentAt = this.#options.now();
    const now = microTime(wallClock());
    await this.#write({
      ...known,
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#timing.leaseDuration / 1000),
      acquireTime: ours ? known.acquireTime : now,
      renewTime: now,
      leaseTransitions: (known?.leaseTransitions ?? 0) + (ours || known === undefined ? 0 : 1),
    });
    this.#until = sentAt + this.#timing.renewDeadline;
    return true;
  }

  #ranOut({ holderIdentity, leaseDurationSeconds }: NonNullable<Lease['spec']>): boolean {
    if (holderIdentity === undefined || holderIdentity === '') return true;
    const duration = Math.max(this.#timing.leaseDuration, (leaseDurationSeconds ?? 0) * 1000);
    return this.#options.now() - this.#seenAt >= duration;
  }

  async #read(): Promise<void> {
    const { client, lease } = this.#options;
    try {
      this.#lease = await client.get<Lease>(RESOURCE.Lease, lease, this.#call());
    } catch (error) {
      if (!isApiError(error, 404)) throw error;
      this.#lease = undefined;
    }
    const spec = canonicalJson(this.#lease?.spec ?? {});
    if (spec === this.#seen) return;
    this.#seen = spec;
    this.#seenAt = this.#options.now();
  }

  async #write(spec: Lease['spec']): Promise<void> {
    const { client, lease } = this.#options;
    const known = this.#lease;
    const next: Lease = { metadata: known?.metadata ?? { ...lease, labels: MANAGED_BY }, spec };
    this.#lease = await (known === undefined
      ? client.create<Lease>(RESOURCE.Lease, next, this.#call())
      : client.replace<Lease>(RESOURCE.Lease, next, this.#call()));
  }

  /** Two calls fit before we would have to stop believing. */
  #call(): { readonly timeout: number; readonly signal?: AbortSignal } {
    const { signal } = this.#stopping;
    const half = this.#timing.renewDeadline / 2;
    const left = this.#until === undefined ? half : this.#until - this.#options.now();
    const timeout = Math.max(1, Math.min(half, left));
    return signal.aborted ? { timeout } : { timeout, signal };
  }

  async #rest(): Promise<void> {
    const { retryPeriod } = this.#timing;
    const { now, random } = this.#options;
    const pause =
      this.#until === undefined
        ? retryPeriod * (1 + (JITTER - 1) * random())
        : Math.max(0, Math.min(retryPeriod, this.#until - now()));
    await sleep(pause, this.#stopping.signal);
  }
}
