// Model names in one spelling, and patterns over them.
import { canonicalModel, spellingsOf, type ModelCatalog } from '#shared/catalog/spelling.ts';

/** The one form in which a model name is compared: the id of a built-in model, else the name in lower case. */
export function modelKey(catalog: ModelCatalog, name: string): string {
  return canonicalModel(name, catalog)?.id ?? name.toLowerCase();
}

/**
 * Whether a name fits a pattern in which `*` stands for any characters. Both are compared as they are; bring them to lower
 * case first. Steps back to the last `*` only, so the time is bounded by the product of the lengths however hostile the pattern.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  let [at, star, mark] = [0, -1, 0];
  for (let index = 0; index < name.length;) {
    if (pattern[at] === '*') [star, mark] = [at++, index];
    else if (pattern[at] === name[index]) [at, index] = [at + 1, index + 1];
    else if (star >= 0) [at, index] = [star + 1, ++mark];
    else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/** A pattern as it is stored, and whether any model known here fits it. */
export interface ReadPattern {
  readonly text: string;
  readonly known: boolean;
}

/**
 * Makes a reader of patterns that remembers what it has read; one hundred thousand keys share a handful of patterns.
 * @param known models that exist here, each as {@link modelKey} gives it
 */
export function patternReader(catalog: ModelCatalog, known: ReadonlySet<string>): (pattern: string) => ReadPattern {
  const names = [...known].flatMap((id) => [id, ...spellingsOf(id, catalog)]);
  const read = new Map<string, ReadPattern>();
  return (pattern) => {
    let result = read.get(pattern);
    if (result === undefined) {
      if (pattern.includes('*')) {
        const text = pattern.toLowerCase();
        result = { text, known: names.some((name) => matchesPattern(text, name)) };
      } else {
        const text = modelKey(catalog, pattern);
        result = { text, known: known.has(text) };
      }
      read.set(pattern, result);
    }
    return result;
  };
}
