// The one refresher of the process: a single timer over all credentials, which starts a bounded number of refreshes at a time.
import type { Clock } from './source.ts';

/** What the refresher looks after. */
export interface Refreshable {
  /** Milliseconds since 1970; undefined while there is nothing to do. */
  readonly dueAt: number | undefined;
  /** Ends when the refresh has; must not reject, and must move {@link dueAt}. */
  refresh(): Promise<void>;
}

/** A machine that slept, or whose clock was set, is noticed within this time. */
const LONGEST_SLEEP_MS = 30_000;

export class Refresher {
  readonly #clock: Clock;
  readonly #atOnce: number;
  readonly #items = new Set<Refreshable>();
  #running = 0;
  #wakeAt = Infinity;
  #cancel: (() => void) | undefined;

  /** @param atOnce refreshes in flight at a time, so that many credentials of one age do not all ask together */
  constructor(clock: Clock, atOnce = 8) {
    this.#clock = clock;
    this.#atOnce = atOnce;
  }

  get size(): number {
    return this.#items.size;
  }

  add(item: Refreshable): void {
    this.#items.add(item);
    this.moved(item);
  }

  delete(item: Refreshable): void {
    this.#items.delete(item);
    if (this.#items.size === 0) this.#sleep(Infinity);
  }

  /** To be called when an item's {@link Refreshable.dueAt} changed. */
  moved(item: Refreshable): void {
    if (item.dueAt !== undefined && item.dueAt < this.#wakeAt && this.#items.has(item)) this.#sleep(item.dueAt);
  }

  #sleep(until: number): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#wakeAt = until;
    if (until === Infinity) return;
    const wait = Math.min(Math.max(until - this.#clock.now(), 0), LONGEST_SLEEP_MS);
    this.#cancel = this.#clock.after(wait, () => this.#wake());
  }

  #wake(): void {
    const now = this.#clock.now();
    let next = Infinity;
    for (const item of this.#items) {
      if (item.dueAt === undefined) continue;
      if (item.dueAt > now) next = Math.min(next, item.dueAt);
      // The end of a refresh looks again for those that find no place.
      else if (this.#running < this.#atOnce) this.#start(item);
    }
    this.#sleep(next);
  }

  #start(item: Refreshable): void {
    this.#running++;
    const ended = (): void => {
      this.#running--;
      this.#wake();
    };
    item.refresh().then(ended, ended);
  }
}
