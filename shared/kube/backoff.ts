// How long to wait before trying again: doubling, with jitter so that a thousand pods do not come back at once.

export interface BackoffRule {
  /** Milliseconds before the first retry; later ones double. */
  readonly first: number;
  /** Milliseconds, before jitter. */
  readonly most: number;
  /** Milliseconds without a failure after which it starts at `first` again; never when left out. */
  readonly resetAfter?: number;
}

/**
 * client-go's numbers for reflectors, but for the longest wait: with its 30 s (60 s with jitter) an edit or a revocation right after an outage
 * of a minute would wait for another minute. A thousand pods that each ask every 2.5 to 5 s are 270 requests a second for a server that returns.
 */
export const REFLECTOR_BACKOFF: BackoffRule = { first: 800, most: 2_500, resetAfter: 120_000 };

export class Backoff {
  readonly #rule: BackoffRule;
  readonly #now: () => number;
  readonly #random: () => number;
  #failures = 0;
  #askedAt = 0;

  /**
   * @param now milliseconds of a clock that never goes back
   * @param random from 0 up to 1
   */
  constructor(rule: BackoffRule, now: () => number, random: () => number) {
    this.#rule = rule;
    this.#now = now;
    this.#random = random;
  }

  /** @returns milliseconds to wait now: `first · 2ⁿ`, at most `most`, times 1 to 2 at random */
  next(): number {
    const { first, most, resetAfter } = this.#rule;
    const now = this.#now();
    if (resetAfter !== undefined && this.#failures > 0 && now - this.#askedAt > resetAfter) this.#failures = 0;
    const base = Math.min(most, first * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    const wait = base * (1 + this.#random());
    this.#askedAt = now + wait;
    return wait;
  }
}
