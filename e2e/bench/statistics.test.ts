/** The order statistics that every figure of the benchmark goes through. */
import { describe, expect, test } from 'vitest';
import { median, percentile, rotated } from './statistics.ts';

describe('percentile', () => {
  test.each([
    [[5], 0.5, 5],
    [[3, 1, 2], 0.5, 2],
    [[1, 2, 3, 4], 0.5, 2],
    [[10, 9, 100], 1, 100],
    [Array.from({ length: 100 }, (_, index) => 100 - index), 0.99, 99],
  ])('of %j at %d is %d', (values, fraction, expected) => {
    expect(percentile(values, fraction)).toBe(expected);
  });

  test('of nothing is NaN, not zero', () => {
    expect(percentile([], 0.5)).toBeNaN();
    expect(median([])).toBeNaN();
  });
});

test('the median of an even count lies between the middle two', () => {
  expect([median([4, 1, 3, 2]), median([9, 1, 5])]).toEqual([2.5, 5]);
});

test('rotation keeps the circle and changes who is first', () => {
  expect([0, 1, 4].map((by) => rotated(['a', 'b', 'c'], by).join(''))).toEqual(['abc', 'bca', 'bca']);
});
