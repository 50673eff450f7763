import { expect, test } from 'vitest';
import { PatternList } from './pattern.ts';

test.each([
  [['claude-opus-5'], 'claude-opus-5', 'claude-opus-5'],
  [['Claude-Opus-5'], 'claude-opus-5', 'claude-opus-5'],
  [['claude-opus-5'], 'claude-opus-5-5', undefined],
  [['claude-*'], 'claude-', 'claude-*'],
  [['claude-*'], 'us.anthropic.claude-x', undefined],
  [['*'], 'anything', '*'],
  [['*opus*', 'x'], 'x', 'x'],
  [['a.c'], 'abc', undefined],
  [['a.*'], 'abc', undefined],
  [['(', '['], '[', '['],
  [[], 'x', undefined],
] as [string[], string, string | undefined][])('%j and %s: %s', (patterns, name, expected) => {
  expect(new PatternList(patterns).match([name])).toBe(expected);
});

test('one of several names is enough', () => {
  expect(new PatternList(['us.*']).match(['claude-x', 'us.anthropic.claude-x'])).toBe('us.*');
});

test('a pattern of many stars takes no time on a name that does not match', () => {
  const list = new PatternList([`${'*a'.repeat(60)}b`]);
  const started = performance.now();
  for (let i = 0; i < 100; i++) expect(list.match(['a'.repeat(256)])).toBeUndefined();
  expect(performance.now() - started).toBeLessThan(1_000);
});
