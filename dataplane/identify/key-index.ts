// All virtual keys of a Gateway, by keyed hash. A lookup is one HMAC and one map access, whatever was presented; the comparison of the
// full hash takes the same time for every value.
import { timingSafeEqual } from 'node:crypto';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import { keyHash } from '#shared/bundle/key-hash.ts';
import type { SecretText } from '#shared/secret-text.ts';

/** Buckets by this many hex digits; two entries of 100,000 sharing 48 bits are not to be expected, and are handled. */
const PREFIX_DIGITS = 12;

export class KeyIndex {
  readonly size: number;
  readonly #pepper: string;
  readonly #buckets = new Map<string, KeyEntry | KeyEntry[]>();

  constructor(pepper: SecretText, entries: readonly KeyEntry[]) {
    this.#pepper = pepper.reveal();
    this.size = entries.length;
    for (const entry of entries) {
      const prefix = entry.hash.slice(0, PREFIX_DIGITS);
      const there = this.#buckets.get(prefix);
      if (there === undefined) this.#buckets.set(prefix, entry);
      else this.#buckets.set(prefix, Array.isArray(there) ? [...there, entry] : [there, entry]);
    }
  }

  /** The entry of a clear key value, or undefined. Nothing is remembered of values that are not known. */
  find(value: string): KeyEntry | undefined {
    return this.#match(keyHash(this.#pepper, value));
  }

  /** The entry with exactly this hash: how a running call learns what became of its key. */
  byHash(hash: string): KeyEntry | undefined {
    return this.#match(Buffer.from(hash, 'hex'));
  }

  #match(hash: Buffer): KeyEntry | undefined {
    const bucket = this.#buckets.get(hash.toString('hex', 0, PREFIX_DIGITS / 2));
    if (bucket === undefined) return undefined;
    if (!Array.isArray(bucket)) return sameHash(bucket, hash) ? bucket : undefined;
    return bucket.find((entry) => sameHash(entry, hash));
  }
}

function sameHash(entry: KeyEntry, hash: Buffer): boolean {
  return timingSafeEqual(Buffer.from(entry.hash, 'hex'), hash);
}
