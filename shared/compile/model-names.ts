// Patterns over model names as manifests write them, and whether they mean anything here.
import { matchesPattern } from '#shared/catalog/pattern.ts';
import { modelKey, spellingsOf, type ModelCatalog } from '#shared/catalog/spelling.ts';

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
        const text = modelKey(pattern, catalog);
        result = { text, known: known.has(text) };
      }
      read.set(pattern, result);
    }
    return result;
  };
}
