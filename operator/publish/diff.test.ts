import { describe, expect, test } from 'vitest';
import { diffKeys, sameJson } from './diff.ts';
import { entryOf, hashOf } from './testing.ts';

test.each([
  [1, 1, true],
  ['1', 1, false],
  [null, {}, false],
  [[], {}, false],
  [{ a: 1, b: [2] }, { b: [2], a: 1 }, true],
  [{ a: 1 }, { a: 1, b: 2 }, false],
  [{ a: 1, b: 2 }, { a: 1 }, false],
  [{ a: 1 }, { b: 1 }, false],
  [[1, 2], [2, 1], false],
  [{ toString: 1 }, { valueOf: 1 }, false],
  [[], [1], false],
])('%j and %j are the same JSON: %s', (a, b, same) => {
  expect(sameJson(a, b)).toBe(same);
});

describe('a key that was published', () => {
  const old = entryOf('ci');
  const dead = [hashOf('ci')];
  test.each([
    ['unchanged', [old], [old], ['platform/ci'], [], []],
    ['disabled', [old], [entryOf('ci', { state: 'Disabled' })], ['platform/ci'], [], []],
    ['enabled again', [entryOf('ci', { state: 'Disabled' })], [old], ['platform/ci'], [], []],
    ['revoked', [old], [entryOf('ci', { state: 'Revoked' })], ['platform/ci'], dead, []],
    ['revoked before', [entryOf('ci', { state: 'Revoked' })], [], ['platform/ci'], [], []],
    ['deleted', [old], [], [], dead, dead],
    ['deleted when it was revoked', [entryOf('ci', { state: 'Revoked' })], [], [], [], dead],
    ['not compiled any more, for a typing error', [old], [], ['platform/ci'], dead, []],
    [
      'deleted while another key holds the same value',
      [old],
      [entryOf('ci', { key: 'platform/b' })],
      ['platform/b'],
      [],
      [],
    ],
    ['expired and gone', [entryOf('ci', { expiresAt: 999 })], [], ['platform/ci'], [], []],
    [
      'an old secret that its key goes on without',
      [entryOf('ci', { previous: true })],
      [entryOf('next', { key: 'platform/ci' })],
      ['platform/ci'],
      dead,
      dead,
    ],
    ['an old secret of a key with a typing error', [entryOf('ci', { previous: true })], [], ['platform/ci'], dead, []],
  ] as const)('and is %s', (_title, before, after, present, dead, buried) => {
    expect(diffKeys(before, after, new Set(present), 1000)).toEqual({ dead, buried });
  });
});
