// Leaves an upstream alone after failures in a row, for a while, as long as another one can serve. When nothing else is left, an open
// breaker is ignored (see order.ts): refusing everybody would be worse than trying.

interface Health {
  failures: number;
  /** Milliseconds of the process clock until which the upstream is left alone. */
  openUntil: number;
}

export interface BreakerRule {
  readonly consecutiveFailures: number;
  readonly openFor: number;
}

/** Health of every upstream, by key; outlives configurations. */
export class Breakers {
  readonly #health = new Map<string, Health>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  isOpen(upstream: string): boolean {
    const health = this.#health.get(upstream);
    return health !== undefined && health.openUntil > this.#now();
  }

  /**
   * Notes that a call is about to be sent. The first one after `openFor` is a probe: until it has its answer the others still keep away,
   * or an upstream that has gone silent would hold all of them for as long as the probe waits.
   */
  trying(upstream: string, { openFor }: BreakerRule): void {
    const health = this.#health.get(upstream);
    if (health === undefined || health.openUntil === 0) return;
    const now = this.#now();
    if (health.openUntil <= now) health.openUntil = now + openFor;
  }

  succeeded(upstream: string): void {
    const health = this.#health.get(upstream);
    if (health === undefined || (health.failures === 0 && health.openUntil === 0)) return;
    health.failures = 0;
    health.openUntil = 0;
  }

  /** A probe that fails leaves it open for another `openFor`. */
  failed(upstream: string, rule: BreakerRule): void {
    let health = this.#health.get(upstream);
    if (health === undefined) this.#health.set(upstream, (health = { failures: 0, openUntil: 0 }));
    health.failures++;
    if (health.failures >= rule.consecutiveFailures) health.openUntil = this.#now() + rule.openFor;
  }

  /** Forgets upstreams that no configuration names any more. */
  keep(upstreams: ReadonlySet<string>): void {
    for (const key of this.#health.keys()) if (!upstreams.has(key)) this.#health.delete(key);
  }
}
