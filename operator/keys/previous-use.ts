// Use of the old secret during grace, as the pods saw it, in steps coarse enough for a status: who still has to be told before grace ends.
import type { StoredPrevious } from '#shared/api/virtual-key-status.ts';
import type { PreviousSecretUse } from '#shared/kube/labels.ts';

/** A later use by clients that are known already is written this often, in milliseconds. */
const STEP = 600_000;
const MAX_ADDRESSES = 5;

/**
 * @param since when the new value was made: what pods saw before was use of a value in force
 * @param seen what each pod tells
 * @returns what to write, or undefined when that would say nothing new
 */
export function previousUse(
  previous: StoredPrevious,
  since: number,
  seen: readonly PreviousSecretUse[],
): StoredPrevious | undefined {
  const uses = seen.filter(({ at }) => Date.parse(at) >= since).sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
  const [last] = uses;
  if (last === undefined) return undefined;
  const known = previous.addresses ?? [];
  const addresses = [...new Set([...uses.flatMap((use) => use.addresses), ...known])].slice(0, MAX_ADDRESSES);
  const moved = previous.lastUsedAt === undefined ? Infinity : Date.parse(last.at) - Date.parse(previous.lastUsedAt);
  // Once the list is full, more clients than it holds would push each other out for ever.
  const news = known.length < MAX_ADDRESSES && addresses.some((address) => !known.includes(address));
  if (moved < STEP && !news) return undefined;
  // Pods count from when they started, so their sum may fall; what was counted once stays counted.
  const count = Math.max(
    previous.uses ?? 1,
    uses.reduce((sum, use) => sum + use.count, 0),
  );
  return {
    ...previous,
    lastUsedAt: new Date(Math.max(Date.parse(last.at), Date.parse(previous.lastUsedAt ?? last.at))).toISOString(),
    uses: Math.min(count, 2 ** 31 - 1),
    addresses,
  };
}
