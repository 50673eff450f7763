// What the minter knows of a key beyond the caches: values that nobody has yet, writes the caches do not show yet, and what went wrong.
import type { SecretText } from '#shared/secret-text.ts';
import type { StoredKey } from './view.ts';

/** Why a key is not served the way its manifest asks; ResolvedRefs False. */
export interface KeyFault {
  readonly reason: 'SecretConflict' | 'SecretAltered';
  readonly message: string;
}

export interface KeyRecord {
  /** The status as it was last written here. */
  readonly stored?: StoredKey;
  /** The value of `stored.credential`, until the Secret holds it and the status says so. */
  readonly value?: SecretText | undefined;
  /** The Gateway the value was made for, `namespace/name`. */
  readonly gateway?: string;
  /** Publication that first held the value, and when; milliseconds since 1970. */
  readonly published?: { readonly sequence: number; readonly at: number } | undefined;
  /** Hash of the value the Secret was last written with here, in which version, and when; milliseconds since 1970. */
  readonly written?: { readonly hash: string; readonly version: string | undefined; readonly at: number } | undefined;
  /** Version of the Secret that came from another hand than ours and has not been looked at. */
  readonly suspect?: string | undefined;
  readonly fault?: KeyFault | undefined;
  /** Failures in a row, and when to try again. */
  readonly failures?: number;
  readonly notBefore?: number | undefined;
}

/** How long the cache of Secrets may be behind our own write before its word counts again, in milliseconds. */
export const CACHE_LAG = 60_000;

/** By uid of the VirtualKey. */
export type KeyMemory = ReadonlyMap<string, KeyRecord>;

/** The later of two states of one key: values are counted, and delivery comes after minting. */
export function laterStored(cached: StoredKey, written: StoredKey | undefined): StoredKey {
  return written !== undefined && rank(written) > rank(cached) ? written : cached;
}

function rank({ credential }: StoredKey): number {
  return credential === undefined ? 0 : credential.serial * 2 + (credential.delivered ? 1 : 0);
}
