// Key entries in shards by hash prefix: one changed key rewrites and reloads one shard, whatever the number of keys. The same cut is used
// for objects in a cluster and for hand-over between threads.
import { createHash } from 'node:crypto';
import type { KeyEntry } from './bundle.ts';

/** Entries in UTF-8 JSON, sorted by hash, with the digest that readers compare. */
export interface KeyShard {
  readonly sha256: string;
  readonly json: Uint8Array;
}

/** Some 300 KB of JSON a shard at most, well under the 1 MiB of a Secret. */
const ENTRIES_PER_SHARD = 1024;
/** Shards are told apart by the first byte of a hash. */
const MAX_SHARDS = 256;

/** The number of shards for a number of keys: a power of two, so that growing splits shards instead of shuffling all of them. */
export function shardCount(keys: number): number {
  let count = 1;
  while (count < MAX_SHARDS && count * ENTRIES_PER_SHARD < keys) count *= 2;
  return count;
}

/** Which of `count` shards a hash belongs to, by its leading bits. @param firstByte of the 32-byte hash */
export function shardOf(firstByte: number, count: number): number {
  return (firstByte * count) >> 8;
}

/** @param entries sorted by hash, as the compile step gives them */
export function cutShards(entries: readonly KeyEntry[]): KeyShard[] {
  const count = shardCount(entries.length);
  const parts: KeyEntry[][] = Array.from({ length: count }, () => []);
  for (const entry of entries) parts[shardOf(Number.parseInt(entry.hash.slice(0, 2), 16), count)]!.push(entry);
  return parts.map((part) => {
    const json = Buffer.from(JSON.stringify(part));
    return { json, sha256: createHash('sha256').update(json).digest('hex') };
  });
}
