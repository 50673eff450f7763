// How far the provider's clock is from ours. A signature is refused when the two differ by minutes, so a node with a wrong clock would
// fail every call; the `date` of an answer says what to add.
export class Skew {
  #offset = 0;

  /** Milliseconds to add to our clock. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * @param date a `date` header
   * @param now milliseconds since 1970 by our clock when it arrived
   * @returns true when what was signed before was off by more than is tolerated
   */
  learn(date: string | null | undefined, now: number): boolean {
    const theirs = Date.parse(date ?? '');
    if (Number.isNaN(theirs)) return false;
    const [before, offset] = [this.#offset, theirs - now];
    this.#offset = Math.abs(offset) < TOLERATED_MS ? 0 : offset;
    return Math.abs(this.#offset - before) >= TOLERATED_MS;
  }
}

/** Far below the five minutes that providers allow, far above what the way of an answer takes. */
const TOLERATED_MS = 60_000;
