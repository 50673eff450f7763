// Reads chosen fields of the top level of a JSON object straight from its bytes. A request of 100 KB is forwarded as it
// came; what the gateway must know of it (`model`, `stream`, `max_tokens`) is found here without parsing the rest.
//
// For a document that JSON.parse accepts the answer is exact. Of the documents it refuses this accepts those whose defect
// lies inside a nested value or inside a string: the provider refuses them, so nothing is decided by what we read.
// UTF-8 is not checked either; a byte order mark is refused because it is no JSON white space.

import {
  BAD_KEY,
  CASE_VARIANT,
  decodeKey,
  type Fields,
  type FieldSet,
  NOT_WANTED,
  type ValueKind,
} from './field-set.ts';
import { byteAt, holds } from './bytes.ts';
import { MALFORMED, skipNested, skipNumber, skipSpace, skipString } from './json-skip.ts';

export { type Field, type Fields, FieldSet, type ValueKind } from './field-set.ts';

/** Outcome of {@link scanTopLevel}. */
export type ScanResult<Name extends string> = { readonly ok: true; readonly fields: Fields<Name> } | ScanRefusal;

/**
 * Why a body was refused.
 *
 * - `invalid`: no JSON, cut short, followed by something else, or empty; `offset` is where reading stopped
 * - `not-object`: JSON, but an array, string, number, literal
 * - `repeated`: a wanted key stands there twice, in whatever spelling; parsers disagree on which one counts
 * - `case-variant`: a key equals a guarded one except for case; `key` is the key as it was sent
 */
export type ScanRefusal =
  | { readonly ok: false; readonly refusal: 'invalid'; readonly offset: number }
  | { readonly ok: false; readonly refusal: 'not-object' }
  | { readonly ok: false; readonly refusal: 'repeated' | 'case-variant'; readonly key: string };

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const LITERALS = { true: Buffer.from('true'), false: Buffer.from('false'), null: Buffer.from('null') };

/**
 * Finds the wanted fields of the object in `body[start..end)`. The first refusal in document order is the one reported.
 *
 * @param body UTF-8 bytes of a whole JSON document, or a buffer that holds one at `start..end`
 * @returns offsets into `body`; never throws
 */
export function scanTopLevel<Name extends string>(
  body: Buffer,
  wanted: FieldSet<Name>,
  start = 0,
  end = body.length,
): ScanResult<Name> {
  let at = skipSpace(body, start, end);
  if (byteAt(body, at, end) !== OPEN_BRACE) return refuseRoot(body, at, end);
  const fields = wanted.none();
  at = skipSpace(body, at + 1, end);
  if (byteAt(body, at, end) === CLOSE_BRACE) return finish(body, at + 1, end, fields);

  for (;;) {
    if (byteAt(body, at, end) !== QUOTE) return invalid(at);
    const keyStart = at + 1;
    const behindKey = skipString(body, keyStart, end);
    const slot = behindKey === MALFORMED ? BAD_KEY : wanted.find(body, keyStart, behindKey - 1);
    if (slot === BAD_KEY) return invalid(at);
    if (slot === CASE_VARIANT) {
      return { ok: false, refusal: 'case-variant', key: decodeKey(body, keyStart, behindKey - 1) ?? '' };
    }
    at = skipSpace(body, behindKey, end);
    if (byteAt(body, at, end) !== COLON) return invalid(at);

    const valueStart = skipSpace(body, at + 1, end);
    const valueEnd = skipValue(body, valueStart, end);
    if (valueEnd === MALFORMED) return invalid(valueStart);
    if (slot !== NOT_WANTED) {
      const name = wanted.names[slot]!;
      if (fields[name] !== undefined) return { ok: false, refusal: 'repeated', key: name };
      fields[name] = { kind: kindOf(body[valueStart]!), start: valueStart, end: valueEnd };
    }

    at = skipSpace(body, valueEnd, end);
    const next = byteAt(body, at, end);
    if (next === CLOSE_BRACE) return finish(body, at + 1, end, fields);
    if (next !== COMMA) return invalid(at);
    at = skipSpace(body, at + 1, end);
  }
}

function skipValue(body: Buffer, from: number, end: number): number {
  if (from >= end) return MALFORMED;
  const kind = kindOf(body[from]!);
  if (kind === 'string') return skipString(body, from + 1, end);
  if (kind === 'object' || kind === 'array') return skipNested(body, from, end);
  return kind === 'number' ? skipNumber(body, from, end) : skipLiteral(body, from, end, LITERALS[kind]);
}

function skipLiteral(body: Buffer, from: number, end: number, literal: Buffer): number {
  return holds(body, from, end, literal) ? from + literal.length : MALFORMED;
}

/** The only kind of value a byte can begin. Bytes that begin none answer `number`, whose grammar then refuses them. */
function kindOf(first: number): ValueKind {
  switch (first) {
    case QUOTE:
      return 'string';
    case OPEN_BRACE:
      return 'object';
    case 0x5b:
      return 'array';
    case 0x74:
      return 'true';
    case 0x66:
      return 'false';
    case 0x6e:
      return 'null';
    default:
      return 'number';
  }
}

function finish<Name extends string>(body: Buffer, from: number, end: number, fields: Fields<Name>): ScanResult<Name> {
  const at = skipSpace(body, from, end);
  return at < end ? invalid(at) : { ok: true, fields };
}

function refuseRoot(body: Buffer, from: number, end: number): ScanRefusal {
  const behind = skipValue(body, from, end);
  if (behind === MALFORMED) return invalid(from);
  const at = skipSpace(body, behind, end);
  return at < end ? invalid(at) : { ok: false, refusal: 'not-object' };
}

function invalid(offset: number): ScanRefusal {
  return { ok: false, refusal: 'invalid', offset };
}
