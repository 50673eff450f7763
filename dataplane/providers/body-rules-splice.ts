// The one way bytes of a body change: spans are replaced, everything between them is copied as it stands.
import type { Span } from './body-rules-walk.ts';

export interface Replacement extends Span {
  /** UTF-8; `''` takes the span out. */
  readonly text: string;
}

/**
 * @param replacements in any order, none overlapping; those at one place are put there in the order given
 * @returns `body` itself when there is nothing to replace, else a new buffer
 */
export function replaceSpans(body: Buffer, replacements: readonly Replacement[]): Buffer {
  if (replacements.length === 0) return body;
  const parts: Buffer[] = [];
  let at = 0;
  // An insertion goes before a span that begins at the same place.
  const ordered = replacements.toSorted((left, right) => left.start - right.start || left.end - right.end);
  for (const { start, end, text } of ordered) {
    if (start > at) parts.push(body.subarray(at, start));
    if (text !== '') parts.push(Buffer.from(text));
    at = end;
  }
  parts.push(body.subarray(at));
  return Buffer.concat(parts);
}
