// Where sessions were served, as far as no hash says it: all of them under strategies that look at the moment, otherwise those that had to
// leave their upstream. Per replica, bounded, and forgotten by age.

/** How long a place is remembered, in milliseconds: as long as a pause in which the work still goes on. */
export const AFFINITY_MS = 30 * 60_000;
/** Some 20 MB when full; the one remembered longest ago goes first. */
const MAX_SESSIONS = 50_000;

interface Place {
  readonly upstream: string;
  until: number;
}

export class Affinities {
  readonly #places = new Map<string, Place>();
  readonly #now: () => number;
  readonly #max: number;

  constructor(now: () => number, max: number = MAX_SESSIONS) {
    this.#now = now;
    this.#max = max;
  }

  get size(): number {
    return this.#places.size;
  }

  /** Key of the upstream that served last, while it is remembered. */
  of(session: string): string | undefined {
    const place = this.#places.get(session);
    if (place === undefined) return undefined;
    if (place.until > this.#now()) return place.upstream;
    this.#places.delete(session);
    return undefined;
  }

  /**
   * Remembers who served.
   * @param renew whether another call at the same upstream prolongs the stay
   */
  remember(session: string, upstream: string, renew: boolean): void {
    const place = this.#places.get(session);
    const now = this.#now();
    if (place !== undefined && place.upstream === upstream && place.until > now && !renew) return;
    // Last in the order of the map: the longest unused is first.
    this.#places.delete(session);
    this.#places.set(session, { upstream, until: now + AFFINITY_MS });
    if (this.#places.size > this.#max) this.#places.delete(this.#places.keys().next().value!);
  }

  forget(session: string): void {
    this.#places.delete(session);
  }
}
