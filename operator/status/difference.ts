// Whether a status that is wanted says anything else than the one that is there, and how urgent that is. Every object is compared at every
// pass, so this neither copies nor serialises what can be told apart without.
import { canonicalJson } from '#shared/canonical-json.ts';
import { conditionOf, FOREIGN_MEMBERS, OUR_CONDITIONS, type StatusObject, type StoredCondition } from './stored.ts';

/**
 * What is different, most urgent first: somebody has just edited the object and waits; a condition turned False; any other condition; only
 * further members, such as the number of attached keys.
 */
export const URGENCY = ['generation', 'fault', 'condition', 'figures'] as const;
export type Urgency = (typeof URGENCY)[number];

/** @returns undefined when there is nothing to write */
export function difference(current: StatusObject, desired: StatusObject): Urgency | undefined {
  if (current.observedGeneration !== desired.observedGeneration) return 'generation';
  let changed = false;
  for (const condition of desired.conditions) {
    const before = conditionOf(current, condition.type);
    if (before !== undefined && sameCondition(before, condition)) continue;
    if (condition.status === 'False' && before?.status !== 'False') return 'fault';
    changed = true;
  }
  changed ||= current.conditions.some(
    ({ type }) => OUR_CONDITIONS.has(type) && conditionOf(desired, type) === undefined,
  );
  if (changed) return 'condition';
  return sameMembers(current, desired) ? undefined : 'figures';
}

/** The time is left out: it follows from the status. */
function sameCondition(a: StoredCondition, b: StoredCondition): boolean {
  return (
    a.status === b.status &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.observedGeneration === b.observedGeneration
  );
}

function sameMembers(current: StatusObject, desired: StatusObject): boolean {
  for (const member in desired) {
    if (member !== 'conditions' && !same(current[member], desired[member])) return false;
  }
  for (const member in current) {
    if (!(member in desired) && !FOREIGN_MEMBERS.has(member)) return false;
  }
  return true;
}

function same(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  return canonicalJson(a) === canonicalJson(b);
}
