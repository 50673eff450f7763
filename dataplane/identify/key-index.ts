// All virtual keys of a Gateway, by keyed hash. A lookup is one HMAC and two map accesses, whatever was presented; the comparison of the
// full hash takes the same time for every value. Shards that did not change are taken over from the index before.
import { timingSafeEqual } from 'node:crypto';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import { hashingKey, keyHash, type HashingKey } from '#shared/bundle/key-hash.ts';
import { cutShards, shardOf, type KeyShard } from '#shared/bundle/shards.ts';
import type { SecretText } from '#shared/secret-text.ts';

/** Buckets by this many hex digits; two entries of 100,000 sharing 48 bits are not to be expected, and are handled. */
const PREFIX_DIGITS = 12;
/** How long a big configuration may hold the event loop before it lets calls through, in milliseconds. */
const SLICE_MS = 5;

interface LoadedShard {
  readonly sha256: string;
  readonly size: number;
  readonly buckets: ReadonlyMap<string, KeyEntry | KeyEntry[]>;
}

/** A shard, or only its digest where the index before holds it already. */
export type ShardSource = Pick<KeyShard, 'sha256'> & Partial<Pick<KeyShard, 'json'>>;

const NONE: ReadonlySet<string> = new Set();

export class KeyIndex {
  readonly size: number;
  readonly #pepper: HashingKey;
  readonly #shards: readonly LoadedShard[];
  readonly #revoked: ReadonlySet<string>;

  private constructor(pepper: HashingKey, shards: readonly LoadedShard[], revoked: ReadonlySet<string> = NONE) {
    this.#pepper = pepper;
    this.#shards = shards;
    this.#revoked = revoked;
    this.size = shards.reduce((sum, { size }) => sum + size, 0);
  }

  /** An index of entries that are at hand, at once. @param entries sorted by hash */
  static of(pepper: SecretText, entries: readonly KeyEntry[]): KeyIndex {
    return new KeyIndex(hashingKey(pepper), cutShards(entries).map(readShard));
  }

  /**
   * An index of shards, read in slices so that running streams go on meanwhile; those still on their way are read as they arrive.
   * @param before the index in force; shards with the same digest are taken over
   * @throws {SyntaxError} when a shard is not JSON, and with what kept a shard from arriving
   */
  static async load(
    pepper: SecretText,
    shards: readonly (ShardSource | Promise<ShardSource>)[],
    before: KeyIndex | undefined,
  ): Promise<KeyIndex> {
    const known = new Map((before === undefined ? [] : before.#shards).map((shard) => [shard.sha256, shard]));
    // One that fails while an earlier one is waited for is heard of in its turn; until then it must not end the process as nobody's.
    for (const coming of shards) if (coming instanceof Promise) coming.catch(() => undefined);
    const loaded: LoadedShard[] = [];
    let sliceEnd = performance.now() + SLICE_MS;
    for (const coming of shards) {
      const shard = await coming;
      loaded.push(known.get(shard.sha256) ?? readShard(shard));
      if (performance.now() < sliceEnd) continue;
      await new Promise((resolve) => setImmediate(resolve));
      sliceEnd = performance.now() + SLICE_MS;
    }
    return new KeyIndex(hashingKey(pepper), loaded);
  }

  /** Whether {@link load} can take this shard over from here. */
  holdsShard(sha256: string): boolean {
    return this.#shards.some((shard) => shard.sha256 === sha256);
  }

  /** The same keys, those of these hashes revoked whatever their entries say: how a revocation is in force before its shard is read. */
  revoking(hashes: ReadonlySet<string>): KeyIndex {
    return new KeyIndex(this.#pepper, this.#shards, hashes);
  }

  /** The entry of a clear key value, or undefined. Nothing is remembered of values that are not known. */
  find(value: string): KeyEntry | undefined {
    return this.#match(keyHash(this.#pepper, value));
  }

  /** The entry with exactly this hash: how a running call learns what became of its key. */
  byHash(hash: string): KeyEntry | undefined {
    return this.#match(hash);
  }

  #match(hash: string): KeyEntry | undefined {
    const shard = this.#shards[shardOf(hash, this.#shards.length)];
    const bucket = shard?.buckets.get(hash.slice(0, PREFIX_DIGITS));
    const entry = Array.isArray(bucket) ? bucket.find((each) => sameHash(each, hash)) : bucket;
    if (entry === undefined || !sameHash(entry, hash)) return undefined;
    return this.#revoked.has(entry.hash) ? { ...entry, state: 'Revoked' } : entry;
  }
}

function readShard({ sha256, json }: ShardSource): LoadedShard {
  if (json === undefined) throw new Error(`shard ${sha256} is neither given nor known`);
  const entries = JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString()) as KeyEntry[];
  const buckets = new Map<string, KeyEntry | KeyEntry[]>();
  for (const entry of entries) {
    const prefix = entry.hash.slice(0, PREFIX_DIGITS);
    const there = buckets.get(prefix);
    if (there === undefined) buckets.set(prefix, entry);
    else buckets.set(prefix, Array.isArray(there) ? [...there, entry] : [there, entry]);
  }
  return { sha256, size: entries.length, buckets };
}

function sameHash(entry: KeyEntry, hash: string): boolean {
  return timingSafeEqual(Buffer.from(entry.hash, 'latin1'), Buffer.from(hash, 'latin1'));
}
