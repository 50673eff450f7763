// Model patterns: a name, or a name in which `*` stands for any characters. Compared in lower case.
import { matchesPattern } from '#shared/catalog/pattern.ts';

/** A list of patterns: one set look-up for plain names, then the few with a star. */
export class PatternList {
  readonly #names = new Set<string>();
  readonly #globs: string[] = [];

  constructor(patterns: readonly string[]) {
    for (const pattern of patterns) {
      const lower = pattern.toLowerCase();
      if (lower.includes('*')) this.#globs.push(lower);
      else this.#names.add(lower);
    }
  }

  /** The pattern that matches one of the names, or undefined. Names must be in lower case. */
  match(names: readonly string[]): string | undefined {
    for (const name of names) if (this.#names.has(name)) return name;
    return this.#globs.find((glob) => names.some((name) => matchesPattern(glob, name)));
  }
}
