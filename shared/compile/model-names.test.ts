// One spelling for one model, and patterns that mean what they look like however hostile they are.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { builtinCatalog } from '#shared/catalog/catalog.ts';
import { matchesPattern, modelKey, patternReader } from './model-names.ts';

const catalog = builtinCatalog.models;

describe('matchesPattern', () => {
  test('agrees with the regular expression of the same meaning', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
    const name = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 });
    fc.assert(
      fc.property(text, name, (pattern, name) => {
        expect(matchesPattern(pattern, name)).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(name));
      }),
      { numRuns: 2000 },
    );
  });

  test('a pattern of many stars over a long name costs little', () => {
    const started = performance.now();
    expect(matchesPattern(`${'*a'.repeat(127)}*b`, 'a'.repeat(4096))).toBe(false);
    expect(performance.now() - started).toBeLessThan(500);
  });
});

test.each([
  ['US.Anthropic.Claude-Opus-5-5', 'claude-opus-5-5'],
  ['claude-haiku-4-5', 'claude-haiku-4-5-20251001'],
  ['My-Own-Model', 'my-own-model'],
])('modelKey(%s) is %s', (name, key) => {
  expect(modelKey(catalog, name)).toBe(key);
});

test('a pattern is known when it fits any spelling of a model that exists here', () => {
  const read = patternReader(catalog, new Set(['claude-opus-5-5', 'my-own-model']));
  expect(read('EU.anthropic.*')).toEqual({ text: 'eu.anthropic.*', known: true });
  expect(read('My-*')).toEqual({ text: 'my-*', known: true });
  expect(read('claude-haiku-*').known).toBe(false);
  expect(read('claude-haiku-5-5')).toEqual({ text: 'claude-haiku-5-5', known: false });
});
