// What is new between the keys that are published and the keys that should be. Pure.
import type { KeyEntry } from '#shared/bundle/bundle.ts';

/**
 * Whether two values are the same JSON, whatever the order of members. Identical objects cost nothing; members of others are compared in loops,
 * as there may be 100,000 of them.
 */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  for (const name of names) {
    if (!Object.hasOwn(right, name) || !sameJson(left[name], right[name])) return false;
  }
  return true;
}

export interface KeyDiff {
  /** Hashes that were good and are not any more: their entry is gone, or is Revoked. */
  readonly dead: readonly string[];
  /** Hashes that may never come back: of VirtualKeys that are gone, and old secrets of keys that go on without them. */
  readonly buried: readonly string[];
}

/**
 * @param before entries as published; a shard that did not change may be left out on both sides
 * @param present `namespace/name` of every VirtualKey there is, accepted or not: a typing error in a manifest buries no key
 * @param now milliseconds since 1970: what has expired is refused without our doing
 */
export function diffKeys(
  before: Iterable<KeyEntry>,
  after: readonly KeyEntry[],
  present: ReadonlySet<string>,
  now: number,
): KeyDiff {
  const dead: string[] = [];
  const buried: string[] = [];
  const stays = new Map(after.map((entry) => [entry.hash, entry]));
  let going: Set<string> | undefined;
  for (const { hash, key, state, expiresAt, previous } of before) {
    const next = stays.get(hash);
    if (next === undefined && !present.has(key)) buried.push(hash);
    else if (next === undefined && previous === true) {
      // A key that does not compile just now may be back before its grace ends.
      going ??= new Set(after.map((entry) => entry.key));
      if (going.has(key)) buried.push(hash);
    }
    const wasGood = state !== 'Revoked' && (expiresAt === undefined || expiresAt > now);
    if (wasGood && (next === undefined || next.state === 'Revoked')) dead.push(hash);
  }
  return { dead, buried };
}
