import type { IncomingHttpHeaders } from 'node:http';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { credentialsIn, presentedCredential, shownPrefix, withoutCredentials } from './credential.ts';

const KEY = 'sk-pc-0123456789abcdefghij';
const OTHER = 'sk-pc-zyxwvutsrqponmlkjihg';

describe('the credential that counts', () => {
  test.each<[string, IncomingHttpHeaders, string | undefined, string?]>([
    ['nothing', {}, undefined],
    ['blank values', { 'x-api-key': ' ', 'anthropic-api-key': '', authorization: ' ' }, undefined],
    ['a bare scheme', { authorization: 'Bearer' }, undefined],
    ['a bare scheme in another case', { authorization: 'APIKEY ' }, undefined],
    ['Bearer', { authorization: `Bearer ${KEY}` }, KEY, 'bearer'],
    ['spaces around the value', { authorization: `  bEARER   ${KEY}  ` }, KEY, 'bearer'],
    ['x-api-key before all', { 'x-api-key': KEY, 'anthropic-api-key': OTHER, authorization: `Bearer ${OTHER}` }, KEY],
    ['anthropic-api-key before Authorization', { 'anthropic-api-key': KEY, authorization: `Bearer ${OTHER}` }, KEY],
    ['a blank one is passed over', { 'x-api-key': '', authorization: `ApiKey ${KEY}` }, KEY, 'apikey'],
    ['no scheme', { authorization: KEY }, KEY, ''],
  ])('[AUTH-03] %s', (_name, headers, value, scheme) => {
    const presented = presentedCredential(headers, 'Anthropic');
    expect(presented?.value).toBe(value);
    expect(presented?.scheme).toBe(scheme);
  });
});

describe('all credentials', () => {
  test('[AUTH-32] from every place, each once, short ones left out', () => {
    const headers = {
      'x-api-key': KEY,
      authorization: `Bearer ${KEY}`,
      'anthropic-api-key': OTHER,
      'proxy-authorization': 'Basic dXNlcjpwYXNzd29yZA==',
      'api-key': 'short',
    };
    expect(credentialsIn(headers)).toEqual([KEY, OTHER, 'dXNlcjpwYXNzd29yZA==']);
  });

  test('[AUDIT-08] text is freed of them wherever they stand', () => {
    const place = fc.constantFrom('x-api-key', 'anthropic-api-key', 'api-key', 'x-goog-api-key');
    const secret = fc.string({ unit: fc.constantFrom(...'abcXYZ0189-_.+/='.split('')), minLength: 16, maxLength: 80 });
    fc.assert(
      fc.property(place, secret, fc.string(), fc.string(), (header, value, before, after) => {
        const text = withoutCredentials(
          credentialsIn({ [header]: value, authorization: `Bearer ${OTHER}` }),
          `${before}${value}${after}${OTHER}`,
        );
        expect(text).not.toContain(value);
        expect(text).not.toContain(OTHER);
      }),
    );
  });

  test('text without them is left as it is', () => {
    expect(withoutCredentials(credentialsIn({ authorization: 'Bearer a', 'x-api-key': KEY }), 'a banana')).toBe(
      'a banana',
    );
  });
});

test.each([
  [`sk-pc-${'a'.repeat(32)}`, 'sk-pc-aaaa'],
  ['sk-pc-tooshort', undefined],
  ['ghp_0123456789abcdefghijklmnop', undefined],
])('[AUDIT-02] shown of %s: %s', (value, shown) => {
  expect(shownPrefix(value, 'sk-pc-')).toBe(shown);
});
