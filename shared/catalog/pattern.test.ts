// Patterns mean what they look like, however hostile they are; a model has one key whatever it is called.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { builtinCatalog } from './catalog.ts';
import { matchesPattern } from './pattern.ts';
import { modelKey } from './spelling.ts';

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
  expect(modelKey(name, builtinCatalog.models)).toBe(key);
});
