// The content of a publication and what is remembered of it: which JSON every part had, and from which entries a shard was made, so that a shard
// of unchanged entries is neither spelled out nor hashed again. Entries are immutable, as the compile step makes them.
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import {
  bundleJson,
  credentialsJson,
  digestOf,
  encodePart,
  PartError,
  type EncodedPart,
} from '#shared/bundle/parts.ts';
import { keyPartName, MAX_KEY_PARTS, type PartEntry, type PartName } from '#shared/bundle/publication.ts';
import { shardCount, shardJson, splitEntries } from '#shared/bundle/shards.ts';
import type { CompiledGateway } from '#shared/compile/types.ts';
import { sameJson } from './diff.ts';

/** What a shard held, and the digest of it. */
export interface KnownShard {
  readonly entries: readonly KeyEntry[];
  readonly sha256: string;
  readonly size: number;
}

export interface Shard {
  readonly entries: readonly KeyEntry[];
  /** Set when it is the shard that is known. */
  readonly known: KnownShard | undefined;
}

/** Compares with what is known, by identity first. @param known shards of the last cut; of no use when their number is another */
export function cut(keys: readonly KeyEntry[], known: readonly (KnownShard | undefined)[], count: number): Shard[] {
  return splitEntries(keys, count).map((entries, at) => {
    const before = known.length === count ? known[at] : undefined;
    return { entries, known: before !== undefined && sameEntries(before.entries, entries) ? before : undefined };
  });
}

function sameEntries(before: readonly KeyEntry[], now: readonly KeyEntry[]): boolean {
  return before.length === now.length && before.every((entry, at) => sameJson(entry, now[at]));
}

/** Parts of a publication: all digests, and the bytes of those that a reader does not have. */
export interface Content {
  readonly digests: Readonly<Record<PartName, Pick<PartEntry, 'sha256' | 'size'>>>;
  readonly changed: ReadonlyMap<PartName, EncodedPart>;
  readonly shards: readonly KnownShard[];
}

/**
 * Spells out what changed. Holds the event loop for one part at a time: some 10 ms for a shard of 3,000 keys.
 * @param shards of {@link cut}
 * @param has whether a part with this digest is published and whole
 * @throws {PartError} too_large
 */
export async function encode(
  compiled: CompiledGateway,
  shards: readonly Shard[],
  has: (part: PartName, sha256: string) => boolean,
): Promise<Content> {
  const digests: Record<PartName, Pick<PartEntry, 'sha256' | 'size'>> = {};
  const changed = new Map<PartName, EncodedPart>();
  const add = async (part: PartName, json: Buffer): Promise<void> => {
    const sha256 = digestOf(json);
    digests[part] = { sha256, size: json.length };
    if (!has(part, sha256)) changed.set(part, await encodePart(part, json));
  };
  await add('bundle', bundleJson(compiled.bundle));
  await add('credentials', credentialsJson(compiled.credentials));
  const made: KnownShard[] = [];
  for (const [at, { entries, known }] of shards.entries()) {
    const part = keyPartName(at);
    if (known !== undefined && has(part, known.sha256)) digests[part] = { sha256: known.sha256, size: known.size };
    else await add(part, shardJson(entries));
    // The newest entries, so that the next compile's can be compared by identity.
    made.push({ entries, ...digests[part]! });
  }
  return { digests, changed, shards: made };
}

/**
 * {@link cut} and {@link encode} with as many shards as it takes: entries may be large, and then the number of keys alone does not tell.
 * @throws {PartError} too_large
 */
export async function encodeFitting(
  compiled: CompiledGateway,
  known: readonly (KnownShard | undefined)[],
  first: readonly Shard[],
  has: (part: PartName, sha256: string) => boolean,
): Promise<Content> {
  let shards = first;
  for (;;) {
    try {
      return await encode(compiled, shards, has);
    } catch (error) {
      const splits = error instanceof PartError && error.code === 'too_large' && error.part.startsWith('keys-');
      if (!splits || shards.length >= MAX_KEY_PARTS) throw error;
      shards = cut(compiled.keys, known, shards.length * 2);
    }
  }
}

/** @param current number of shards published */
export function firstCut(
  keys: readonly KeyEntry[],
  known: readonly (KnownShard | undefined)[],
  current: number,
): Shard[] {
  return cut(keys, known, shardCount(keys.length, current));
}
