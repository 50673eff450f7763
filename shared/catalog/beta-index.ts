// Patterns over the names of betas, looked up by how they begin. A client chooses its betas and how many, and a header holds
// thousands, so a name must not be tried against every row of a table.

/** Names and patterns that share these characters share a bucket; in a table of real betas that is a handful. */
const HEAD = 4;

interface Entry<Value> {
  /** The pattern without its `*`. */
  readonly stem: string;
  readonly exact: boolean;
  readonly value: Value;
}

/** Values under names, or under beginnings of names with `*` behind them. */
export class BetaIndex<Value> {
  readonly #buckets = new Map<string, Entry<Value>[]>();
  /** Patterns too short to have a head. */
  readonly #short: Entry<Value>[] = [];

  constructor(entries: Iterable<readonly [pattern: string, value: Value]>) {
    for (const [pattern, value] of entries) {
      const exact = !pattern.endsWith('*');
      const stem = exact ? pattern : pattern.slice(0, -1);
      this.#bucket(stem).push({ stem, exact, value });
    }
  }

  /** Everything that means a name, in no order. */
  all(beta: string): readonly Value[] {
    return this.#meaning(beta).map(({ value }) => value);
  }

  /** What means a name most closely: the name itself, else its longest beginning, else undefined. */
  closest(beta: string): Value | undefined {
    let best: Entry<Value> | undefined;
    for (const entry of this.#meaning(beta)) {
      if (entry.exact) return entry.value;
      if (best === undefined || entry.stem.length > best.stem.length) best = entry;
    }
    return best?.value;
  }

  #meaning(beta: string): readonly Entry<Value>[] {
    const bucket = this.#buckets.get(beta.slice(0, HEAD));
    if (bucket === undefined && this.#short.length === 0) return [];
    return [...(bucket ?? []), ...this.#short].filter(({ stem, exact }) =>
      exact ? stem === beta : beta.startsWith(stem),
    );
  }

  #bucket(stem: string): Entry<Value>[] {
    if (stem.length < HEAD) return this.#short;
    const head = stem.slice(0, HEAD);
    const bucket = this.#buckets.get(head) ?? [];
    this.#buckets.set(head, bucket);
    return bucket;
  }
}
