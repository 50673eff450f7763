// Scalars on one line, as far as their meaning is beyond doubt.

/** The answer for text that only the full parser may judge. */
export const NOT_PLAIN = Symbol('not plain');

const WORDS: ReadonlyMap<string, boolean | null> = new Map<string, boolean | null>([
  ...['true', 'True', 'TRUE', 'y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['false', 'False', 'FALSE', 'n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
  ...['null', 'Null', 'NULL'].map((word) => [word, null] as const),
]);

const LONGEST_WORD = 5;

/** What most scalars are, and no figure can be. */
const TEXT = /^[A-Za-z][A-Za-z0-9_./*-]*$/;
const PLAIN = /^[A-Za-z0-9_/][A-Za-z0-9_./+*@=%$()-]*(?:[ :]+[A-Za-z0-9_./+*@=%$()-]+)*$/;
const INTEGER = /^(?:0|[1-9][0-9]{0,14})$/;

/** @returns string, number, boolean, null, or {@link NOT_PLAIN} */
export function plainScalar(text: string): unknown {
  const word = text.length > LONGEST_WORD ? undefined : WORDS.get(text);
  if (word !== undefined) return word;
  if (TEXT.test(text)) return text;
  const quoted = /^(?:"([^"\\]*)"|'([^']*)')$/.exec(text);
  if (quoted !== null) return quoted[1] ?? quoted[2];
  if (!PLAIN.test(text) || /: /.test(text)) return NOT_PLAIN;
  if (INTEGER.test(text)) return Number(text);
  // Other figures (floats, dates, 0x…, 1_000) are left to the parser that knows them all.
  return /^[0-9][0-9a-fA-FxXoOeE_.:+-]*$/.test(text) ? NOT_PLAIN : text;
}
