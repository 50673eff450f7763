import { describe, expect, test } from 'vitest';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import { keyHash } from '#shared/bundle/key-hash.ts';
import { SecretText } from '#shared/secret-text.ts';
import { keyEntry } from '../admit/testing.ts';
import { GatewayError } from '../errors.ts';
import { checkAlive, checkState, identify } from './identify.ts';
import { KeyIndex } from './key-index.ts';

const PEPPER = new SecretText('pepper'.repeat(8));
const KEY = 'sk-pc-0123456789abcdefghij';

function keysWith(parts: Partial<KeyEntry> = {}, value = KEY): KeyIndex {
  return KeyIndex.of(PEPPER, [keyEntry({ hash: keyHash(PEPPER.reveal(), value), ...parts })]);
}

function refusal(run: () => unknown): GatewayError {
  try {
    run();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('principal', () => {
  test.each<[string, Partial<KeyEntry>, string, string | undefined]>([
    ['a user by address', { owner: { type: 'User', name: 'ana@corp.com' } }, 'ana@corp.com', 'ana@corp.com'],
    ['a user by name', { owner: { type: 'User', name: 'ana' } }, 'ana', undefined],
    ['a service with an @', { owner: { type: 'Service', name: 'ci@corp' } }, 'ci@corp', undefined],
    [
      'a user of a tenant',
      { owner: { type: 'User', name: 'team-a/ana@corp.com' }, namespace: 'team-a' },
      'team-a/ana@corp.com',
      undefined,
    ],
  ])('[AUDIT-05] %s', (_name, parts, owner, email) => {
    const principal = identify({ 'x-api-key': KEY }, keysWith(parts), 'sk-pc-');
    expect(principal).toMatchObject({ method: 'virtual_key', owner, source: 'x-api-key' });
    expect(principal.email).toBe(email);
  });

  test('[AUTH-06] a value that is a key is one, whatever it looks like', () => {
    for (const value of [
      'eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.c2ln',
      'ya29.abcdefghijklmnopqrstuvw',
      'plain-old-key-0123456789',
    ]) {
      expect(identify({ authorization: `Bearer ${value}` }, keysWith({}, value), 'sk-pc-').id).toBe('platform/ci');
    }
  });

  test('[AUTH-10] a value beyond any key is not even hashed', () => {
    const value = 'k'.repeat(5_000);
    expect(refusal(() => identify({ 'x-api-key': value }, keysWith({}, value), 'sk-pc-'))).toMatchObject({
      status: 401,
      reason: 'unknown_key',
    });
  });

  test('[ERR-02] every refusal is final', () => {
    for (const headers of [{}, { authorization: 'Bearer' }, { authorization: 'Basic x' }, { 'x-api-key': 'nobody' }]) {
      expect(refusal(() => identify(headers, keysWith(), 'sk-pc-'))).toMatchObject({ status: 401, retry: false });
    }
  });
});

describe('life', () => {
  test('[KEY-01] [ERR-14] alive to the last millisecond', () => {
    const key = keyEntry({ expiresAt: 1_000 });
    expect(() => checkAlive(key, 999)).not.toThrow();
    for (const now of [1_000, 1_001]) {
      expect(refusal(() => checkAlive(key, now))).toMatchObject({ status: 401, reason: 'expired_key', rule: key.key });
    }
  });

  test('[AUTH-12] a disabled key and one of another environment are 403', () => {
    expect(refusal(() => checkState(keyEntry({ state: 'Disabled' }), undefined))).toMatchObject({
      status: 403,
      reason: 'disabled_key',
    });
    const foreign = keyEntry({ foreignEnvironment: 'dev' });
    expect(refusal(() => checkState(foreign, 'prod'))).toMatchObject({ status: 403, reason: 'foreign_environment' });
    expect(() => checkState(keyEntry(), 'prod')).not.toThrow();
  });
});
