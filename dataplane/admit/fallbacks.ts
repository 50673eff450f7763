// Which models stand in for a model, in order. Chains are resolved once per configuration.
import type { ModelFallback } from '#shared/bundle/bundle.ts';
import type { ModelTable, ServedModel } from './models.ts';

const NONE: readonly ServedModel[] = [];

export class FallbackTable {
  readonly #chains = new Map<string, readonly ServedModel[]>();

  /** @param fallbacks without cycles, as the compile step sees to; should there be one, its chain ends where it would close */
  constructor(fallbacks: readonly ModelFallback[], models: ModelTable) {
    const next = new Map(fallbacks.map(({ from, to }) => [from, to]));
    for (const { from } of fallbacks) {
      const seen = new Set([from]);
      const chain: ServedModel[] = [];
      for (let to = next.get(from); to !== undefined;) {
        const model = models.resolve(to);
        if (model === undefined || seen.has(model.id)) break;
        seen.add(model.id);
        chain.push(model);
        to = next.get(model.id);
      }
      this.#chains.set(from, chain);
    }
  }

  /** Models to ask instead, the first choice first. */
  of({ id }: ServedModel): readonly ServedModel[] {
    return this.#chains.get(id) ?? NONE;
  }
}
