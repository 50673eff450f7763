// Session names are what STS accepts, readable where possible, and never shared by two callers.
import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { sessionName } from './session-name.ts';

test.each([
  ['pc-{user}', 'ada@corp.example', /^pc-ada@corp\.example$/],
  ['{user}', '$&', /^-+[0-9a-f]{10}$/],
  ['{user}', 'Ada Lovelace', /^Ada-Lovelace-[0-9a-f]{10}$/],
  ['{user}', 'x'.repeat(80), /^x{53}-[0-9a-f]{10}$/],
  ['{user}', '', /^-[0-9a-f]{10}$/],
])('[PROV-08] %s of %s', (template, caller, expected) => {
  expect(sessionName(template, caller)).toMatch(expected);
});

test('[PROV-08] every name is one that STS accepts, and different callers have different names', () => {
  assert(
    property(string({ unit: 'grapheme', maxLength: 90 }), string({ unit: 'grapheme', maxLength: 90 }), (a, b) => {
      const [one, other] = [a, b].map((caller) => sessionName('gw-{user}', caller));
      expect(one).toMatch(/^[\w+=,.@-]{2,64}$/);
      expect(one === other).toBe(a === b);
    }),
  );
});
