import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digest, isInSync, ourPart } from './difference.ts';

describe('is in sync', () => {
  test.each<[string, unknown, unknown]>([
    ['what others add', { a: 1 }, { a: 1, b: 2 }],
    ['defaults within', { spec: { a: { b: 1 } } }, { spec: { a: { b: 1, c: 'default' } }, status: {} }],
    [
      'entries added to a list of names',
      { l: [{ name: 'x', v: 1 }] },
      { l: [{ name: 'sidecar' }, { name: 'x', v: 1, w: 2 }] },
    ],
    ['defaults within entries without names', { l: [{ a: 1 }] }, { l: [{ a: 1, b: 2 }] }],
    ['members we do not set', { a: 1, b: undefined }, { a: 1 }],
  ])('%s', (_, wanted, seen) => {
    expect(isInSync(wanted, seen)).toBe(true);
  });

  test.each<[string, unknown, unknown]>([
    ['another value', { a: 1 }, { a: 2 }],
    ['a member that is gone', { a: { b: 1 } }, { a: {} }],
    ['a list that is gone', { l: ['x'] }, {}],
    ['an entry more in a list of values', { l: ['x'] }, { l: ['x', 'y'] }],
    ['an entry more in a list without names', { l: [{ a: 1 }] }, { l: [{ a: 1 }, { a: 2 }] }],
    ['an entry of a list of names that is gone', { l: [{ name: 'x' }, { name: 'y' }] }, { l: [{ name: 'x' }] }],
    ['another spelling', { cpu: '1000m' }, { cpu: '1' }],
  ])('not with %s', (_, wanted, seen) => {
    expect(isInSync(wanted, seen)).toBe(false);
  });

  test('every value is in sync with itself, and its part says nothing of what others add', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (wanted) => {
        const seen = { ...(JSON.parse(JSON.stringify(wanted)) as object), ['added by others']: 1 };
        return isInSync(wanted, seen) && ourPart(wanted, seen) === ourPart(wanted, wanted);
      }),
    );
  });
});

test('the digest of an intent depends on nothing but its content', () => {
  expect(digest({ a: 1, b: [1, 2] })).toBe(digest({ b: [1, 2], a: 1 }));
  expect(digest({ a: 1 })).not.toBe(digest({ a: 2 }));
});
