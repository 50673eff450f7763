// Whose turn it is: who was asked longest ago for a model. Unlike a counter this stays fair when candidates differ from call to call.

export class Turns {
  readonly #last = new Map<string, Map<string, number>>();
  #turn = 0;

  /** Number of the last turn; 0 for none yet. */
  of(upstream: string, model: string): number {
    return this.#last.get(upstream)?.get(model) ?? 0;
  }

  took(upstream: string, model: string): void {
    let models = this.#last.get(upstream);
    if (models === undefined) this.#last.set(upstream, (models = new Map()));
    models.set(model, ++this.#turn);
  }

  /** Forgets upstreams that no configuration names any more. */
  keep(upstreams: ReadonlySet<string>): void {
    for (const key of this.#last.keys()) if (!upstreams.has(key)) this.#last.delete(key);
  }
}
