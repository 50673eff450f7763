// Who comes first when objects compete. The order rests on the objects alone, never on the order they arrived in.
import { objectKey, type ObjectMeta } from '#shared/api/kinds.ts';

/** Plain code-unit order: the same on every machine, unlike a locale's. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Older first, then `namespace/name`. An object without a readable creation time counts as the youngest. */
export function byAge(a: ObjectMeta, b: ObjectMeta): number {
  const [bornA, bornB] = [createdAt(a) ?? Infinity, createdAt(b) ?? Infinity];
  if (bornA !== bornB) return bornA < bornB ? -1 : 1;
  return byText(objectKey(a), objectKey(b));
}

/** Creation time in milliseconds since 1970, UTC. */
export function createdAt(meta: ObjectMeta): number | undefined {
  const time = meta.creationTimestamp === undefined ? NaN : Date.parse(meta.creationTimestamp);
  return Number.isNaN(time) ? undefined : time;
}

/** The members of a list that means a set: sorted, each once. */
export function asSet<T extends string>(values: readonly T[]): T[] {
  return [...new Set(values)].sort(byText);
}
