// The index as text. A reader takes it only whole and of a format it knows; a member it does not know is of a newer writer and is passed over.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '#shared/canonical-json.ts';
import { MAX_PART_JSON_BYTES, parseJson, PartError } from './parts.ts';
import {
  ALL_PARTS,
  INDEX_FORMAT,
  keyPartName,
  MAX_KEY_PARTS,
  MAX_REVOKED,
  type BundleIndex,
  type PartEntry,
  type PartName,
} from './publication.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const indexSchema = z
  .object({
    format: z.literal(INDEX_FORMAT),
    writer: z.string(),
    revision: z.string().min(1),
    sequence: z.int().min(1),
    keyParts: z
      .int()
      .min(1)
      .max(MAX_KEY_PARTS)
      .refine((count) => (count & (count - 1)) === 0),
    parts: z.partialRecord(
      z.enum(ALL_PARTS as [PartName, ...PartName[]]),
      z.object({ slot: z.enum(['a', 'b']), sha256, size: z.int().min(1).max(MAX_PART_JSON_BYTES) }),
    ),
    revoked: z.array(sha256).max(MAX_REVOKED),
  })
  .refine(({ keyParts, parts }) => {
    const names = partsOf(keyParts);
    return Object.keys(parts).length === names.length && names.every((name) => parts[name] !== undefined);
  });

/** Names of the parts of a publication with so many key shards, in order. */
export function partsOf(keyParts: number): PartName[] {
  return ['bundle', 'credentials', ...Array.from({ length: keyParts }, (_, shard) => keyPartName(shard))];
}

/**
 * @param text content of {@link INDEX_KEY} of the object {@link indexName}
 * @throws {PartError} of the part `index`: corrupt, unknown_format
 */
export function readIndex(text: string): BundleIndex {
  const read = parseJson('index', Buffer.from(text));
  const format = typeof read === 'object' && read !== null && 'format' in read ? read.format : undefined;
  if (typeof format === 'number' && format !== INDEX_FORMAT) {
    throw new PartError('unknown_format', 'index', `is of format ${format}, this program reads ${INDEX_FORMAT}`);
  }
  const parsed = indexSchema.safeParse(read);
  if (parsed.success) return parsed.data as BundleIndex;
  const { path, message } = parsed.error.issues[0]!;
  throw new PartError('corrupt', 'index', `${path.join('.')} ${message}`.trim());
}

export function writeIndex(index: BundleIndex): string {
  return canonicalJson(index);
}

/** Content hash of a publication, 16 hex digits: the same parts give the same revision, whatever slots they are in. */
export function revisionOf(parts: Readonly<Record<PartName, PartEntry>>): string {
  const hash = createHash('sha256');
  for (const name of Object.keys(parts).sort()) hash.update(`${name} ${parts[name]!.sha256}\n`);
  return hash.digest('hex').slice(0, 16);
}
