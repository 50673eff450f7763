// Headers of an AWS event-stream frame, all ten types of value, in both directions. Each is the length of its name (u8),
// the name, a type (u8) and the value; strings and bytes carry their own length (u16).

import { EventStreamError } from './aws-event-stream-layout.ts';

/** A value with its type. `timestamp` is in milliseconds since 1970; `uuid` is written in lower case with hyphens. */
export type HeaderValue =
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'byte' | 'short' | 'integer'; readonly value: number }
  | { readonly type: 'long' | 'timestamp'; readonly value: bigint }
  | { readonly type: 'binary'; readonly value: Buffer }
  | { readonly type: 'string' | 'uuid'; readonly value: string };

export type EventStreamHeaders = ReadonlyMap<string, HeaderValue>;

const TRUE = 0;
const FALSE = 1;
const BYTE = 2;
const SHORT = 3;
const INTEGER = 4;
const LONG = 5;
const BINARY = 6;
const STRING = 7;
const TIMESTAMP = 8;
const UUID = 9;

/** Bytes of the values whose size their type tells, by type; 0 for the others. */
const SIZES = [0, 0, 1, 2, 4, 8, 0, 0, 8, 16] as const;

const MAX_NAME_BYTES = 255;
const MAX_VALUE_BYTES = 32_767;
const UUID_TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Reads the headers in `source[start..end)`. Of two with the same name the later one counts, as in the SDKs of AWS.
 * `binary` values are views of `source`.
 *
 * @throws {EventStreamError} `header` for an unknown type, or a name or value that passes `end`
 */
export function readHeaders(source: Buffer, start: number, end: number): EventStreamHeaders {
  const headers = new Map<string, HeaderValue>();
  let at = start;
  while (at < end) {
    const nameEnd = at + 1 + source[at]!;
    if (nameEnd >= end) throw new EventStreamError('header');
    const type = source[nameEnd]!;
    const [from, to] = valueRange(source, nameEnd + 1, end, type);
    headers.set(source.toString('utf8', at + 1, nameEnd), readValue(source, from, to, type));
    at = to;
  }
  return headers;
}

function valueRange(source: Buffer, at: number, end: number, type: number): readonly [from: number, to: number] {
  let from = at;
  let size: number | undefined = SIZES[type];
  if (type === BINARY || type === STRING) {
    from += 2;
    if (from > end) throw new EventStreamError('header');
    size = source.readUInt16BE(at);
  }
  if (size === undefined || from + size > end) throw new EventStreamError('header');
  return [from, from + size];
}

function readValue(source: Buffer, from: number, to: number, type: number): HeaderValue {
  switch (type) {
    case TRUE:
    case FALSE:
      return { type: 'boolean', value: type === TRUE };
    case BYTE:
      return { type: 'byte', value: source.readInt8(from) };
    case SHORT:
      return { type: 'short', value: source.readInt16BE(from) };
    case INTEGER:
      return { type: 'integer', value: source.readInt32BE(from) };
    case LONG:
      return { type: 'long', value: source.readBigInt64BE(from) };
    case BINARY:
      return { type: 'binary', value: source.subarray(from, to) };
    case STRING:
      return { type: 'string', value: source.toString('utf8', from, to) };
    case TIMESTAMP:
      return { type: 'timestamp', value: source.readBigInt64BE(from) };
    default:
      return { type: 'uuid', value: uuidText(source.toString('hex', from, to)) };
  }
}

function uuidText(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/**
 * The bytes of a frame's headers, in the order given. Write a set that is used for many frames once.
 *
 * @throws {RangeError} when a name is empty or longer than 255 bytes, a text or binary value longer than 32,767 bytes, a
 *   number beyond its type, or a UUID not in its usual form
 */
export function writeHeaders(headers: Iterable<readonly [name: string, value: HeaderValue]>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of headers) {
    const spelt = Buffer.from(name);
    if (spelt.length === 0 || spelt.length > MAX_NAME_BYTES)
      throw new RangeError(`header name of ${spelt.length} bytes`);
    parts.push(Buffer.of(spelt.length), spelt, writeValue(value));
  }
  return Buffer.concat(parts);
}

function writeValue(header: HeaderValue): Buffer {
  switch (header.type) {
    case 'boolean':
      return Buffer.of(header.value ? TRUE : FALSE);
    case 'byte':
      return fixed(BYTE, (bytes) => bytes.writeInt8(header.value, 1));
    case 'short':
      return fixed(SHORT, (bytes) => bytes.writeInt16BE(header.value, 1));
    case 'integer':
      return fixed(INTEGER, (bytes) => bytes.writeInt32BE(header.value, 1));
    case 'long':
      return fixed(LONG, (bytes) => bytes.writeBigInt64BE(header.value, 1));
    case 'timestamp':
      return fixed(TIMESTAMP, (bytes) => bytes.writeBigInt64BE(header.value, 1));
    case 'binary':
      return sized(BINARY, header.value);
    case 'string':
      return sized(STRING, Buffer.from(header.value));
    case 'uuid':
      if (!UUID_TEXT.test(header.value)) throw new RangeError('header value is no UUID');
      return Buffer.concat([Buffer.of(UUID), Buffer.from(header.value.replaceAll('-', ''), 'hex')]);
  }
}

function fixed(type: number, write: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(1 + SIZES[type]!);
  bytes[0] = type;
  write(bytes);
  return bytes;
}

function sized(type: number, value: Buffer): Buffer {
  if (value.length > MAX_VALUE_BYTES) throw new RangeError(`header value of ${value.length} bytes`);
  return Buffer.concat([Buffer.of(type, value.length >> 8, value.length & 0xff), value]);
}
