// Model patterns: a name, or a name in which `*` stands for any characters. Compared in lower case.

/** A compiled list of patterns: one set look-up for plain names, then the few with a star. */
export class PatternList {
  readonly #names = new Set<string>();
  readonly #globs: { readonly pattern: string; readonly test: RegExp }[] = [];

  constructor(patterns: readonly string[]) {
    for (const pattern of patterns) {
      const lower = pattern.toLowerCase();
      if (lower.includes('*')) this.#globs.push({ pattern: lower, test: globTest(lower) });
      else this.#names.add(lower);
    }
  }

  /** The pattern that matches one of the names, or undefined. Names must be in lower case. */
  match(names: readonly string[]): string | undefined {
    for (const name of names) if (this.#names.has(name)) return name;
    return this.#globs.find(({ test }) => names.some((name) => test.test(name)))?.pattern;
  }
}

/** Runs of stars are one star, so that no pattern can make the test backtrack for long. */
function globTest(glob: string): RegExp {
  const parts = glob.split(/\*+/).map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}
