// Keys that want work. A key waits once however often it is added, is never worked on twice at a time, and one that is added while it is worked
// on is worked on again. What people changed goes before what is done for completeness' sake.
//
// Failures come back after 5 ms · 2ⁿ, and all retries together at no more than 10 a second after the first 100, as in client-go.
import { TokenBucket } from '#shared/kube/token-bucket.ts';

export type Priority = 'change' | 'bulk';

export interface WorkQueueOptions {
  /** @returns milliseconds after which the key wants work again, if it does. What it throws is logged and the key tried again. */
  readonly work: (key: string) => Promise<number | undefined>;
  /** Keys worked on at a time. */
  readonly concurrency: number;
  readonly log: { readonly warn: (context: object, text: string) => void };
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Milliseconds before the first and the latest retry of a key; 5 and 1,000,000 when left out. */
  readonly retry?: { readonly first: number; readonly most: number };
}

const RETRY = { first: 5, most: 1_000_000 };
const RETRIES_PER_SECOND = 10;
const RETRY_BURST = 100;

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #retries: TokenBucket;
  /** Sets keep the order in which keys came. A key is in one of them at most. */
  readonly #waiting: Readonly<Record<Priority, Set<string>>> = { change: new Set(), bulk: new Set() };
  readonly #working = new Set<string>();
  /** Added while they were worked on. */
  readonly #again = new Map<string, Priority>();
  readonly #delayed = new Map<string, { readonly at: number; readonly timer: NodeJS.Timeout }>();
  readonly #failures = new Map<string, number>();
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#retries = new TokenBucket(RETRIES_PER_SECOND, RETRY_BURST, options.now);
  }

  /** A key that waits as `bulk` and is added as `change` moves up; never down. */
  add(key: string, priority: Priority = 'change'): void {
    if (this.#stopped) return;
    if (this.#working.has(key)) {
      if (this.#again.get(key) !== 'change') this.#again.set(key, priority);
      return;
    }
    if (this.#waiting.change.has(key)) return;
    if (priority === 'change') this.#waiting.bulk.delete(key);
    this.#waiting[priority].add(key);
    this.#next();
  }

  /** Adds it later, as `change`; of several times the earliest counts. */
  addAfter(key: string, milliseconds: number): void {
    if (this.#stopped) return;
    const at = this.#options.now() + milliseconds;
    const known = this.#delayed.get(key);
    if (known !== undefined && known.at <= at) return;
    clearTimeout(known?.timer);
    const timer = setTimeout(() => {
      this.#delayed.delete(key);
      this.add(key);
    }, milliseconds);
    this.#delayed.set(key, { at, timer });
  }

  /** Keys that wait for a worker; those that wait for their time are not counted. */
  get waiting(): number {
    return this.#waiting.change.size + this.#waiting.bulk.size + this.#again.size;
  }

  get working(): number {
    return this.#working.size;
  }

  /** Begins nothing new; resolves when what is being worked on is done. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { timer } of this.#delayed.values()) clearTimeout(timer);
    for (const set of [this.#delayed, this.#again, this.#waiting.change, this.#waiting.bulk]) set.clear();
    if (this.#working.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #next(): void {
    while (this.#working.size < this.#options.concurrency) {
      const from = this.#waiting.change.size > 0 ? this.#waiting.change : this.#waiting.bulk;
      const { value: key, done } = from.values().next();
      if (done === true) return;
      from.delete(key);
      this.#working.add(key);
      void this.#work(key);
    }
  }

  async #work(key: string): Promise<void> {
    try {
      const after = await this.#options.work(key);
      this.#failures.delete(key);
      if (after !== undefined) this.addAfter(key, after);
    } catch (error) {
      const failures = this.#failures.get(key) ?? 0;
      this.#failures.set(key, failures + 1);
      const { first, most } = this.#options.retry ?? RETRY;
      const own = Math.min(most, first * 2 ** Math.min(failures, 40));
      const pause = Math.max(own, this.#retries.take());
      this.#options.log.warn({ key, err: error, again_in_ms: Math.round(pause) }, 'work failed and is tried again');
      this.addAfter(key, pause);
    } finally {
      this.#working.delete(key);
      const again = this.#again.get(key);
      this.#again.delete(key);
      if (again !== undefined) this.add(key, again);
      this.#next();
      if (this.#working.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }
}
