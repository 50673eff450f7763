// The type of an Anthropic event, read from its JSON: Bedrock's frames do not say it anywhere else.

import { holds } from '../wire/bytes.ts';
import { FieldSet, scanTopLevel } from '../wire/json-fields.ts';
import { fieldString } from '../wire/json-values.ts';

const OPENING = Buffer.from('{"type":"');
const QUOTE = 0x22;
const TYPE = new FieldSet(['type']);
/** What can stand behind `event:` of a server-sent event without ending its line or its name. */
const NAME = /^[\w.:-]+$/;

/**
 * The `type` of the event in `source[start..end)`.
 *
 * @returns `''` when it has none, or none that can name an event; `undefined` when the bytes are no JSON. The usual
 *   layout, `type` first, is not read beyond that
 */
export function eventType(source: Buffer, start: number, end: number): string | undefined {
  if (holds(source, start, end, OPENING)) {
    const from = start + OPENING.length;
    let at = from;
    while (at < end && isNameByte(source[at]!)) at += 1;
    if (at > from && at < end && source[at] === QUOTE) return source.toString('latin1', from, at);
  }
  const scan = scanTopLevel(source, TYPE, start, end);
  if (!scan.ok) return scan.refusal === 'not-object' ? '' : undefined;
  const type = fieldString(source, scan.fields.type) ?? '';
  return NAME.test(type) ? type : '';
}

/** `a`–`z`, `0`–`9` and `_`. */
function isNameByte(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || byte === 0x5f || (byte >= 0x30 && byte <= 0x39);
}
