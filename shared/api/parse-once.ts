// Specs that are read again and again, as a cache holds them: an object that nobody alters is parsed once. For one hundred thousand keys that is
// the difference between a second and nothing.
import type { Kind, SpecOf } from './kinds.ts';
import { parseSpec, type Parsed } from './parse.ts';

const known = new WeakMap<object, { readonly kind: Kind; readonly parsed: Parsed<SpecOf[Kind]> }>();

/**
 * {@link parseSpec}, remembered for as long as the raw spec lives.
 * @param raw never altered after the first call
 */
export function parseSpecOnce<K extends Kind>(kind: K, raw: unknown): Parsed<SpecOf[K]> {
  if (typeof raw !== 'object' || raw === null) return parseSpec(kind, raw);
  const before = known.get(raw);
  if (before?.kind === kind) return before.parsed as Parsed<SpecOf[K]>;
  const parsed = parseSpec(kind, raw);
  known.set(raw, { kind, parsed });
  return parsed;
}
