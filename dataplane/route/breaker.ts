// Leaves an upstream alone for one model: after failures in a row, and for as long as a 429 asks for, while another one can serve. Health is
// that of upstream and model together, since a bad profile or a spent quota says nothing of the other models of an account. When nothing
// else is left, both are ignored (see order.ts): refusing everybody would be worse than trying.

interface Health {
  failures: number;
  /** Milliseconds of the process clock until which the upstream is left alone. */
  openUntil: number;
  /** Likewise, because it said so itself. */
  coolUntil: number;
}

export interface BreakerRule {
  readonly consecutiveFailures: number;
  readonly openFor: number;
}

/** `cooling`: asked by the upstream to wait. `open`: left alone after failures. */
export type Condition = 'well' | 'cooling' | 'open';

/** A Retry-After is believed up to here: a provider that says a day must not take an account out for a day. */
export const MAX_COOL_DOWN_MS = 60_000;

/** Health of every upstream and model, by their keys; outlives configurations. */
export class Breakers {
  readonly #health = new Map<string, Map<string, Health>>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  conditionOf(upstream: string, model: string): Condition {
    const health = this.#health.get(upstream)?.get(model);
    if (health === undefined || (health.openUntil === 0 && health.coolUntil === 0)) return 'well';
    const now = this.#now();
    if (health.openUntil > now) return 'open';
    return health.coolUntil > now ? 'cooling' : 'well';
  }

  /**
   * Notes that a call is about to be sent. The first one after `openFor` is a probe: until it has its answer the others still keep away,
   * or an upstream that has gone silent would hold all of them for as long as the probe waits.
   */
  trying(upstream: string, model: string, { openFor }: BreakerRule): void {
    const health = this.#health.get(upstream)?.get(model);
    if (health === undefined || health.openUntil === 0) return;
    const now = this.#now();
    if (health.openUntil <= now) health.openUntil = now + openFor;
  }

  /** An answer that shows life. A cool-down stays: what was sent before the 429 may be answered after it. */
  succeeded(upstream: string, model: string): void {
    const health = this.#health.get(upstream)?.get(model);
    if (health === undefined) return;
    health.failures = 0;
    health.openUntil = 0;
  }

  /** A probe that fails leaves it open for another `openFor`. */
  failed(upstream: string, model: string, rule: BreakerRule): void {
    const health = this.#of(upstream, model);
    health.failures++;
    if (health.failures >= rule.consecutiveFailures) health.openUntil = this.#now() + rule.openFor;
  }

  /** @param ms as the upstream asked for; at most {@link MAX_COOL_DOWN_MS} count */
  coolDown(upstream: string, model: string, ms: number): void {
    const health = this.#of(upstream, model);
    health.coolUntil = Math.max(health.coolUntil, this.#now() + Math.min(ms, MAX_COOL_DOWN_MS));
  }

  /** Forgets upstreams that no configuration names any more. */
  keep(upstreams: ReadonlySet<string>): void {
    for (const key of this.#health.keys()) if (!upstreams.has(key)) this.#health.delete(key);
  }

  #of(upstream: string, model: string): Health {
    let models = this.#health.get(upstream);
    if (models === undefined) this.#health.set(upstream, (models = new Map()));
    let health = models.get(model);
    if (health === undefined) models.set(model, (health = { failures: 0, openUntil: 0, coolUntil: 0 }));
    return health;
  }
}
