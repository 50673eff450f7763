import { describe, expect, test } from 'vitest';
import { missingHint, schemeHint, unknownHint } from './hints.ts';

describe('values that are no key of this gateway', () => {
  test.each([
    ['sk-ant-oat01-abc', 'claude_login'],
    ['sk-ant-api03-abc', 'provider_key'],
    ['sk-ant-admin01-abc', 'provider_key'],
    ['ya29.a0Af', 'google_token'],
    ['eyJhbGciOi', 'unknown_token'],
    ['sk-pc-abc', 'unknown_key'],
    ['anything', 'unknown_key'],
  ])('[ERR-15] %s: %s', (value, reason) => {
    expect(unknownHint(value, 'sk-pc-', 'Anthropic').reason).toBe(reason);
  });

  test('[ERR-15] no message repeats a part of the value', () => {
    for (const value of ['sk-pc-secretsecret', 'other-secretsecret', 'sk-ant-api03-secretsecret', 'eyJsecretsecret']) {
      expect(unknownHint(value, 'sk-pc-', 'Anthropic').message).not.toContain('secretsecret');
    }
  });

  test('[ERR-15] a key of the right shape and one of another read differently', () => {
    expect(unknownHint('corp_abc', 'corp_', 'Anthropic').message).toMatch(/not valid here/);
    expect(unknownHint('sk-pc-abc', 'corp_', 'Anthropic').message).toMatch(/keys start with corp_/);
  });
});

test.each([
  [undefined, undefined],
  ['bearer', undefined],
  ['apikey', undefined],
  ['', 'missing_scheme'],
  ['aws4-hmac-sha256', 'aws_signature'],
  ['basic', 'unknown_scheme'],
  ['negotiate', 'unknown_scheme'],
])('[ERR-15] scheme %s: %s', (scheme, reason) => {
  expect(schemeHint({ value: 'x', source: 'authorization', scheme }, 'Anthropic')?.reason).toBe(reason);
});

test.each([
  [{}, 'missing_credential'],
  [{ authorization: '' }, 'empty_credential'],
  [{ 'x-api-key': '' }, 'empty_credential'],
  [{ 'api-key': 'k' }, 'wrong_header'],
  [{ 'x-goog-api-key': 'k', authorization: '' }, 'wrong_header'],
  [{ cookie: 'a=b' }, 'wrong_header'],
])('[ERR-15] without a credential, headers %j: %s', (headers, reason) => {
  expect(missingHint(headers, 'Anthropic').reason).toBe(reason);
});
