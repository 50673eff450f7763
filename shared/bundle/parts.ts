// How a publication becomes bytes and back: JSON, its digest, gzip. Nothing is believed before its digest was checked, nothing is inflated
// past the size the index names, and every defect is a PartError that says which part it is in, so that a reader can keep its last good.
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { z } from 'zod';
import { canonicalJson } from '#shared/canonical-json.ts';
import { SecretText } from '#shared/secret-text.ts';
import { BUNDLE_FORMAT, type Bundle, type Credentials } from './bundle.ts';
import { MAX_PART_BYTES, type PartEntry, type PartName } from './publication.ts';

export type PartFault =
  /** More bytes than an object of the API server can hold, or than a reader takes. */
  | 'too_large'
  /** Not gzip, not JSON, or not of the expected shape. */
  | 'corrupt'
  /** Whole, but not what the index names: altered, or the writer has moved on. */
  | 'digest_mismatch'
  | 'missing'
  | 'unknown_format';

/** A part, or the index, that cannot be written or read. The last good configuration stays. */
export class PartError extends Error {
  readonly code: PartFault;
  /** Name of the part, or `index`. */
  readonly part: PartName;

  constructor(code: PartFault, part: PartName, message: string) {
    super(`${part}: ${message}`);
    this.name = 'PartError';
    this.code = code;
    this.part = part;
  }
}

/** Content of a part, ready to be stored. */
export interface EncodedPart {
  readonly sha256: string;
  readonly size: number;
  /** gzip of the JSON. */
  readonly bytes: Uint8Array;
}

/** Bytes of JSON a reader takes at most. A part that compresses to its limit has some 5 MB; more is an attack on memory. */
export const MAX_PART_JSON_BYTES = 32 * 1024 * 1024;

/** Hashes do not compress: a higher level takes twice the time for 6 % less. */
const GZIP = { level: 1 } as const;

const deflate = promisify<Uint8Array, { level: number }, Buffer>(gzip);
const inflate = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip);

/** Hex SHA-256 of a part's JSON. */
export function digestOf(json: Uint8Array): string {
  return createHash('sha256').update(json).digest('hex');
}

/** @throws {PartError} too_large */
export async function encodePart(part: PartName, json: Uint8Array): Promise<EncodedPart> {
  const bytes = json.length > MAX_PART_JSON_BYTES ? undefined : await deflate(json, GZIP);
  if (bytes === undefined || bytes.length > MAX_PART_BYTES) {
    const size = bytes === undefined ? `${json.length} bytes` : `${bytes.length} bytes when compressed`;
    const limit = bytes === undefined ? MAX_PART_JSON_BYTES : MAX_PART_BYTES;
    throw new PartError('too_large', part, `${size}, and ${limit} is the most that one object can carry`);
  }
  return { sha256: digestOf(json), size: json.length, bytes };
}

/**
 * The JSON of a part, checked against the index. Inflates off the main thread.
 * @param bytes content of {@link PART_KEY} of the object that the index names
 * @throws {PartError} corrupt, digest_mismatch
 */
export async function decodePart(
  part: PartName,
  bytes: Uint8Array,
  entry: Pick<PartEntry, 'sha256' | 'size'>,
): Promise<Buffer> {
  let json: Buffer;
  try {
    json = await inflate(bytes, { maxOutputLength: Math.max(1, Math.min(entry.size, MAX_PART_JSON_BYTES)) });
  } catch (error) {
    const longer = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw longer
      ? new PartError('digest_mismatch', part, `holds more than the ${entry.size} bytes that the index names`)
      : new PartError('corrupt', part, `is not gzip: ${(error as Error).message}`);
  }
  if (json.length !== entry.size || digestOf(json) !== entry.sha256) {
    throw new PartError('digest_mismatch', part, `its content is not the one that the index names`);
  }
  return json;
}

export function bundleJson(bundle: Bundle): Buffer {
  return Buffer.from(canonicalJson(bundle));
}

/** @throws {PartError} corrupt, unknown_format */
export function readBundle(json: Uint8Array): Bundle {
  const read = parseJson('bundle', json);
  const format = typeof read === 'object' && read !== null && 'format' in read ? read.format : undefined;
  if (format !== BUNDLE_FORMAT) {
    const name = typeof format === 'number' ? `format ${format}` : 'a format without number';
    throw new PartError('unknown_format', 'bundle', `is of ${name}, this program reads ${BUNDLE_FORMAT}`);
  }
  return read as Bundle;
}

/** The only place where secrets of a Gateway become text that is stored: for the Secret that holds the part. */
export function credentialsJson({ pepper, values }: Credentials): Buffer {
  const clear = Object.entries(values).map(([ref, value]) => [ref, value.reveal()] as const);
  return Buffer.from(canonicalJson({ pepper: pepper.reveal(), values: Object.fromEntries(clear) }));
}

const credentialsSchema = z.object({
  pepper: z.string().min(1),
  values: z.record(z.string(), z.string()),
});

/** @throws {PartError} corrupt; the message tells nothing of the content */
export function readCredentials(json: Uint8Array): Credentials {
  const parsed = credentialsSchema.safeParse(parseJson('credentials', json));
  if (!parsed.success) throw new PartError('corrupt', 'credentials', 'does not hold a pepper and values');
  const values = Object.entries(parsed.data.values).map(([ref, value]) => [ref, new SecretText(value)] as const);
  return { pepper: new SecretText(parsed.data.pepper), values: Object.fromEntries(values) };
}

/** @throws {PartError} corrupt, without a word of the content */
export function parseJson(part: PartName, json: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString());
  } catch {
    // The parser's own message quotes the text around the fault.
    throw new PartError('corrupt', part, 'is not JSON');
  }
}
