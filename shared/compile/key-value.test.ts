// Which values may be virtual keys, and how little of them is shown.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { displayPrefix, entropyBits, valueFault } from './key-value.ts';

const RANDOM = 'hJ3kQ9vXr2LmT7wZpB5cN8sDfG1yAeU4';

describe('valueFault', () => {
  test.each<[string, string, string, string | undefined]>([
    ['a random string of another gateway', `sk-${RANDOM}`, '', undefined],
    ['24 different characters', RANDOM.slice(0, 24), '', undefined],
    ['23 characters', RANDOM.slice(0, 23), '', 'WeakKey'],
    ['long but dull', 'abcabcabcabcabcabcabcabcabcabcabc', '', 'WeakKey'],
    ['one character repeated', 'a'.repeat(200), '', 'WeakKey'],
    ['only the public prefix makes it long', `sk-pc-corporate-${RANDOM.slice(0, 12)}`, 'sk-pc-corporate-', 'WeakKey'],
    ['a key of the provider', `sk-ant-${RANDOM}`, '', 'ProviderKey'],
    ['a key of the provider in capitals', `SK-ANT-${RANDOM}`, '', 'ProviderKey'],
  ])('[AUTH-09] %s', (_, value, prefix, reason) => {
    expect(valueFault(value, prefix)?.reason).toBe(reason);
  });

  test('[AUTH-09] the message states the bound and holds no part of the value', () => {
    const message = valueFault('hunter2hunter2', '')?.message ?? '';
    expect(message).toMatch(/24 characters.*96 bits/);
    expect(message).not.toContain('hunter2');
  });
});

test.each([
  ['', 0],
  ['aaaa', 0],
  ['ab', 2],
  ['abcd', 8],
  ['aabb', 4],
])('entropy of %j is %d bits', (text, bits) => {
  expect(entropyBits(text)).toBeCloseTo(bits, 9);
});

test('entropy is that of the definition, for texts of any length', () => {
  const text = fc.string({
    unit: fc.integer({ min: 33, max: 126 }).map((code) => String.fromCharCode(code)),
    maxLength: 600,
  });
  fc.assert(
    fc.property(text, (each) => {
      const shares = [...new Set(each)].map((char) => (each.split(char).length - 1) / each.length);
      const bits = -each.length * shares.reduce((sum, share) => sum + share * Math.log2(share), 0);
      expect(entropyBits(each)).toBeCloseTo(bits, 6);
    }),
  );
});

describe('displayPrefix', () => {
  test('[AUTH-07] the prefix of the Gateway and four characters of a generated key', () => {
    expect(displayPrefix(`sk-pc-${RANDOM}`, 'sk-pc-')).toBe('sk-pc-hJ3k');
  });

  test('a generated key from before a change of prefix shows eight characters', () => {
    expect(displayPrefix(`old-${RANDOM}`, 'a-much-longer-prefix-')).toBe('old-hJ3k');
  });

  test('never more than a quarter of what is secret', () => {
    const value = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '-'), minLength: 1, maxLength: 80 });
    fc.assert(
      fc.property(value, fc.boolean(), (secret, generated) => {
        const shown = generated
          ? displayPrefix(`sk-pc-${secret}`, 'sk-pc-').length - 6
          : displayPrefix(secret, undefined).length;
        expect(shown).toBeLessThanOrEqual(secret.length / 4);
      }),
    );
  });
});
