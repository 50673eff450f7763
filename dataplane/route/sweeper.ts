// One clock for all open exchanges. A timer per stream and per chunk would cost more than the stream; instead everything open is looked
// at ten times a second, and nothing ticks while nothing is open.

export interface Swept {
  /** @param now milliseconds of the process clock */
  sweep(now: number): void;
}

const TICK_MS = 100;

export class Sweeper<T extends Swept = Swept> {
  readonly #open = new Set<T>();
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#open.size;
  }

  add(item: T): void {
    this.#open.add(item);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  delete(item: T): void {
    this.#open.delete(item);
    if (this.#open.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  /** Everything open now, for draining and for cutting off revoked keys. */
  all(): Iterable<T> {
    return this.#open;
  }

  #tick(): void {
    const now = this.#now();
    for (const item of this.#open) item.sweep(now);
  }
}
