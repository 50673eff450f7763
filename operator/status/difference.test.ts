import { expect, test } from 'vitest';
import { difference } from './difference.ts';
import type { StatusObject, StoredCondition } from './stored.ts';
import { statusFor } from './testing.ts';

const base = statusFor('Gateway');
const edited = (type: string, change: Partial<StoredCondition>): StatusObject => ({
  ...base,
  conditions: base.conditions.map((each) => (each.type === type ? { ...each, ...change } : each)),
});
const extra = (condition: object): StatusObject => ({
  ...base,
  conditions: [...base.conditions, { ...base.conditions[0]!, ...condition }],
});
const without = (member: string): StatusObject =>
  Object.fromEntries(Object.entries(base).filter(([name]) => name !== member)) as StatusObject;

test.each<[string, StatusObject, StatusObject, ReturnType<typeof difference>]>([
  ['the same', base, structuredClone(base), undefined],
  ['conditions in another order', { ...base, conditions: base.conditions.toReversed() }, base, undefined],
  ['another time', edited('Ready', { lastTransitionTime: '2020-01-01T00:00:00Z' }), base, undefined],
  ['members in another order', { ...base, replicas: { current: 3, ready: 3 } }, base, undefined],
  ["the minter's members", { ...base, credential: { serial: 3 }, previous: { until: 'x' } }, base, undefined],
  ["somebody else's condition", extra({ type: 'Approved' }), base, undefined],
  ['never reported', { conditions: [] }, base, 'generation'],
  ['another generation', { ...base, observedGeneration: 0 }, base, 'generation'],
  ['a condition that turned False', base, edited('Ready', { status: 'False' }), 'fault'],
  ['a condition that was False', edited('Ready', { status: 'False' }), base, 'condition'],
  [
    'another False reason',
    edited('Ready', { status: 'False' }),
    edited('Ready', { status: 'False', reason: 'X' }),
    'condition',
  ],
  ['another message', base, edited('Ready', { message: 'x' }), 'condition'],
  ['a condition of another generation', base, edited('Ready', { observedGeneration: 7 }), 'condition'],
  ['a condition that is new', base, extra({ type: 'Overridden' }), 'condition'],
  ['a condition of ours that ended', extra({ type: 'Overridden' }), base, 'condition'],
  ['a figure', { ...base, replicas: { ready: 2, current: 3 } }, base, 'figures'],
  ['a member that is new', without('revision'), base, 'figures'],
  ['a member that ended', base, without('revision'), 'figures'],
])('%s', (_, current, desired, expected) => {
  expect(difference(current, desired)).toBe(expected);
});
