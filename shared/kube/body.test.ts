// Bodies mean the same to a JSON reader and to the YAML reader of server-side apply.
import { expect, test } from 'vitest';
import * as fc from 'fast-check';
import { parse } from 'yaml';
import { requestBody } from './body.ts';

test('keys are sorted and undefined is left out', () => {
  expect(requestBody({ b: { d: 1, c: undefined }, a: [2, 1] })).toBe('{"a":[2,1],"b":{"d":1}}');
});

test.each([
  ['delete and C1 controls', '\u007f\u0085\u009f', '"\\u007f\\u0085\\u009f"'],
  ['line ends of YAML', '\u2028\u2029', '"\\u2028\\u2029"'],
  ['byte order mark', '\ufeff', '"\\ufeff"'],
  ['half a character', 'a\ud83d!', '"a\ufffd!"'],
  ['half a character after a backslash', '\\\ud83d', '"\\\\\ufffd"'],
  ['the spelling of half a character', '\\ud83d', '"\\\\ud83d"'],
  ['whole characters', 'ä€😀', '"ä€😀"'],
])('%s', (_name, text, written) => {
  expect(requestBody({ x: text })).toBe(`{"x":${written}}`);
});

test('any text comes back as it was, halves of characters aside', () => {
  const text = fc.string({
    unit: fc.oneof(
      fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
      fc.constantFrom('\\', '"', '\\ud83d', '😀'),
    ),
  });
  fc.assert(
    fc.property(text, text, (key, value) => {
      const body = requestBody({ k: { [`k${key}`]: value } });
      const expected = { k: { [`k${key.toWellFormed()}`]: value.toWellFormed() } };
      expect(JSON.parse(body)).toEqual(expected);
      // eslint-disable-next-line no-control-regex
      expect(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]/.test(body)).toBe(false);
      expect(parse(body)).toEqual(expected);
    }),
  );
});
