// What one replica has running at each upstream: for LeastBusy and Latency, and for upstreams that take only so many calls at once.

export class Loads {
  readonly #running = new Map<string, number>();

  /** Calls running at an upstream. */
  of(upstream: string): number {
    return this.#running.get(upstream) ?? 0;
  }

  take(upstream: string): void {
    this.#running.set(upstream, this.of(upstream) + 1);
  }

  /** Exactly once per take. */
  give(upstream: string): void {
    const left = this.of(upstream) - 1;
    if (left > 0) this.#running.set(upstream, left);
    else this.#running.delete(upstream);
  }
}
