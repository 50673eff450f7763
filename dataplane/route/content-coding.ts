// Content codings of upstream answers. The client's Accept-Encoding goes upstream, so answers come compressed; they are read here and
// leave the gateway plain, because usage must be read from them and events may not wait for a block to fill.
import type { Transform } from 'node:stream';
import {
  brotliDecompressSync,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
  gunzipSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib';

interface Coding {
  readonly open: () => Transform;
  readonly whole: (body: Buffer, options: { maxOutputLength: number }) => Buffer;
}

const GZIP: Coding = { open: createGunzip, whole: gunzipSync };
/** A map, because names come from outside and any object has a `constructor`. */
const CODINGS: ReadonlyMap<string, Coding> = new Map([
  ['gzip', GZIP],
  ['x-gzip', GZIP],
  ['deflate', { open: createInflate, whole: inflateSync }],
  ['br', { open: createBrotliDecompress, whole: brotliDecompressSync }],
  ['zstd', { open: createZstdDecompress, whole: zstdDecompressSync }],
]);

const READABLE = /^(?: *(?:x-gzip|gzip|deflate|br|zstd|identity) *(?:; *q=[0-9.]+ *)?(?:,|$))*$/i;

/** An Accept-Encoding without the codings that are not ours: an answer nobody here can read would be one nobody pays for. */
export function readableCodings(accepted: string): string {
  if (READABLE.test(accepted)) return accepted;
  const left = accepted.split(',').filter((each) => each.trim() !== '' && READABLE.test(each));
  return left.length === 0 ? 'identity' : left.map((each) => each.trim()).join(', ');
}

/** A decoder for a stream, or undefined where the bytes can only be taken as they are. */
export function openDecoder(contentEncoding: string | undefined): Transform | undefined {
  return codingOf(contentEncoding)?.open();
}

/** True for a coding that is neither plain nor one of ours: whoever passes such bytes on must pass on its name. */
export function isForeignCoding(contentEncoding: string | undefined): boolean {
  const name = nameOf(contentEncoding);
  return name !== '' && name !== 'identity' && !CODINGS.has(name);
}

/** A whole body in the clear; empty when it is damaged or would grow beyond the bound. */
export function decodeWhole(body: Buffer, contentEncoding: string | undefined, maxBytes: number): Buffer {
  const coding = codingOf(contentEncoding);
  if (coding === undefined || body.length === 0) return body;
  try {
    return coding.whole(body, { maxOutputLength: maxBytes });
  } catch {
    return Buffer.alloc(0);
  }
}

function codingOf(contentEncoding: string | undefined): Coding | undefined {
  return CODINGS.get(nameOf(contentEncoding));
}

function nameOf(contentEncoding: string | undefined): string {
  return contentEncoding?.trim().toLowerCase() ?? '';
}
