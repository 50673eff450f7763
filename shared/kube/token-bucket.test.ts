// On a clock of the test's own.
import { expect, test } from 'vitest';
import { TokenBucket } from './token-bucket.ts';

test('a burst goes at once, what follows in line, one at a time', () => {
  const bucket = new TokenBucket(10, 3, () => 0);
  expect(Array.from({ length: 6 }, () => bucket.take())).toEqual([0, 0, 0, 100, 200, 300]);
});

test('fills up to the burst and no further', () => {
  let now = 0;
  const bucket = new TokenBucket(10, 2, () => now);
  bucket.take();
  bucket.take();
  now = 50;
  expect(bucket.take()).toBe(50);
  now = 60_000;
  expect([bucket.take(), bucket.take(), bucket.take()]).toEqual([0, 0, 100]);
});

test('a turn that is given back shortens the line', () => {
  const bucket = new TokenBucket(10, 1, () => 0);
  bucket.take();
  expect(bucket.take()).toBe(100);
  bucket.giveBack();
  expect(bucket.take()).toBe(100);
});
