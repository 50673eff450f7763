// Key entries in shards by hash prefix: one changed key rewrites and reloads one shard, whatever the number of keys. The same cut is used
// for objects in a cluster and for hand-over between threads.
import type { KeyEntry } from './bundle.ts';
import { digestOf } from './parts.ts';
import { MAX_KEY_PARTS } from './publication.ts';

/** Entries in UTF-8 JSON, sorted by hash, with the digest that readers compare. */
export interface KeyShard {
  readonly sha256: string;
  readonly json: Uint8Array;
}

/**
 * Some 300 KB of JSON a shard, which a pod reads in one slice of its event loop, until all shards are in use. Above 32,768 keys they grow:
 * 100,000 keys are 3,125 entries a shard, 1.2 MB of JSON, 230 KB compressed. An ordinary entry compresses to 73 bytes, so some 400,000
 * keys fit; what does not fit is an error of the writer and leaves the last good publication in force.
 */
const ENTRIES_PER_SHARD = 1024;

/**
 * The number of shards for a number of keys: a power of two, so that growing splits shards instead of shuffling all of them.
 * @param current number in use; it shrinks only when three quarters of the room are empty, so that it does not flip at a boundary
 */
export function shardCount(keys: number, current = 1): number {
  let count = 1;
  while (count < MAX_KEY_PARTS && count * ENTRIES_PER_SHARD < keys) count *= 2;
  return count < current && keys * 4 > current * ENTRIES_PER_SHARD ? current : count;
}

/** Which of `count` shards a hash belongs to, by its leading bits. @param hash in hex */
export function shardOf(hash: string, count: number): number {
  return (Number.parseInt(hash.slice(0, 2), 16) * count) >> 8;
}

/**
 * Looks for the borders only: of 100,000 entries a few hundred are touched.
 * @param entries sorted by hash, as the compile step gives them
 */
export function splitEntries(entries: readonly KeyEntry[], count: number): KeyEntry[][] {
  const borders = Array.from({ length: count + 1 }, (_, shard) => firstOf(entries, shard, count));
  return Array.from({ length: count }, (_, shard) => entries.slice(borders[shard], borders[shard + 1]));
}

/** Index of the first entry that belongs to a shard or to a later one. */
function firstOf(entries: readonly KeyEntry[], shard: number, count: number): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (shardOf(entries[middle]!.hash, count) < shard) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Not canonical: entries come from one place that spells them one way, and sorting members again takes ten times as long. */
export function shardJson(entries: readonly KeyEntry[]): Buffer {
  return Buffer.from(JSON.stringify(entries));
}

/** @param entries sorted by hash */
export function cutShards(entries: readonly KeyEntry[]): KeyShard[] {
  return splitEntries(entries, shardCount(entries.length)).map(keyShard);
}

/** @param entries of one shard, sorted by hash */
export function keyShard(entries: readonly KeyEntry[]): KeyShard {
  const json = shardJson(entries);
  return { json, sha256: digestOf(json) };
}
