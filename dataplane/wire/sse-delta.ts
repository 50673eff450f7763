// Measures what a content_block_delta event carries, for the estimate of output tokens when a stream ends early.

import { holds } from './bytes.ts';
import { type Field, FieldSet, scanTopLevel } from './json-fields.ts';
import { MALFORMED, skipNumber, skipString } from './json-skip.ts';

const ENVELOPE = new FieldSet(['delta']);
const PAYLOAD = new FieldSet(['text', 'thinking', 'partial_json']);

/** The layout the Anthropic API writes, up to the index and from there to the text. */
const INDEX_AT = '{"type":"content_block_delta","index":'.length;
const TYPE = Buffer.from(',"delta":{"type":"');
const OPENINGS = [
  Buffer.from('text_delta","text":"'),
  Buffer.from('input_json_delta","partial_json":"'),
  Buffer.from('thinking_delta","thinking":"'),
];

/**
 * Bytes of model output in the content_block_delta whose data is `source[start..end)`.
 *
 * Counted as they stand between the quotes of `delta.text`, `delta.thinking` or `delta.partial_json`: an escaped line
 * feed counts two, a character beyond ASCII two to six. Close enough for an estimate of four to the token. Signatures
 * and citations are not output and count nothing. Data that is damaged counts as far as it can be read, or nothing.
 */
export function deltaLength(source: Buffer, start: number, end: number): number {
  const text = textStart(source, start, end);
  if (text === MALFORMED) return scannedLength(source, start, end);
  const behind = skipString(source, text, end);
  // Data that was cut in the text counts as far as it goes.
  return behind === MALFORMED ? end - text : behind - text - 1;
}

/** Where the text begins if the data has the usual layout, which costs a third of a scan to find out. */
function textStart(source: Buffer, start: number, end: number): number {
  const behindIndex = skipNumber(source, start + INDEX_AT, end);
  if (behindIndex === MALFORMED || !holds(source, behindIndex, end, TYPE)) return MALFORMED;
  const at = behindIndex + TYPE.length;
  for (const opening of OPENINGS) {
    if (holds(source, at, end, opening)) return at + opening.length;
  }
  return MALFORMED;
}

function scannedLength(source: Buffer, start: number, end: number): number {
  const event = scanTopLevel(source, ENVELOPE, start, end);
  if (!event.ok || event.fields.delta?.kind !== 'object') return 0;
  const delta = scanTopLevel(source, PAYLOAD, event.fields.delta.start, event.fields.delta.end);
  if (!delta.ok) return 0;
  const { text, thinking, partial_json: json } = delta.fields;
  return stringLength(text) + stringLength(thinking) + stringLength(json);
}

function stringLength(field: Field | undefined): number {
  return field?.kind === 'string' ? field.end - field.start - 2 : 0;
}
