// Time to the first byte of late, per upstream and model, as one replica saw it. An exponentially weighted average that also fades with
// time: an upstream that was slow and is no longer asked looks better every second, until it is tried again.

/** A measurement of this age counts 1/e of its weight. */
const FADE_MS = 30_000;

interface Measured {
  average: number;
  at: number;
}

export class Latencies {
  readonly #measured = new Map<string, Map<string, Measured>>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Milliseconds, faded; 0 where nothing is known. */
  of(upstream: string, model: string): number {
    const measured = this.#measured.get(upstream)?.get(model);
    return measured === undefined ? 0 : measured.average * Math.exp((measured.at - this.#now()) / FADE_MS);
  }

  /** @param ms from sending a call to its first byte, or until it was given up */
  observe(upstream: string, model: string, ms: number): void {
    let models = this.#measured.get(upstream);
    if (models === undefined) this.#measured.set(upstream, (models = new Map()));
    const now = this.#now();
    const measured = models.get(model);
    if (measured === undefined) {
      models.set(model, { average: ms, at: now });
      return;
    }
    // Calls that end together share the weight of one moment, so each counts at least a tenth.
    const kept = Math.min(0.9, Math.exp((measured.at - now) / FADE_MS));
    measured.average = measured.average * kept + ms * (1 - kept);
    measured.at = now;
  }

  /** Forgets upstreams that no configuration names any more. */
  keep(upstreams: ReadonlySet<string>): void {
    for (const key of this.#measured.keys()) if (!upstreams.has(key)) this.#measured.delete(key);
  }
}
