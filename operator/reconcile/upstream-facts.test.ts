import { expect, test } from 'vitest';
import { ProgrammedTracker } from '../status/programmed.ts';
import type { SecretMeta } from '../world/slim.ts';
import type { CustomObject, World } from '../world/world.ts';
import { credentialSecrets, UpstreamFactsBook } from './upstream-facts.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const DAY = 86_400_000;

const upstream = (spec: object = {}): CustomObject => ({
  kind: 'Upstream',
  metadata: { namespace: 'ai', name: 'a', uid: 'u' },
  spec: {
    anthropic: { auth: { apiKey: { name: 'key', key: 'token' } } },
    tls: { caRef: { name: 'ca', key: 'ca.crt' } },
    ...spec,
  },
});

function world(secrets: Readonly<Record<string, Partial<SecretMeta>>>): World {
  const get = (name: string) => secrets[name];
  return { secrets: { get } } as unknown as World;
}

const meta = (name: string, annotations: Record<string, string> = {}) => ({
  metadata: { namespace: 'ai', name, annotations },
});
const old = { changedAt: new Date(NOW - 100 * DAY).toISOString() };

test('[PROV-24] [PROV-25] credentials have an age and an end, what secures the connection has an end', () => {
  const ends = { 'portcullis.dev/expires-at': '2026-12-01T00:00:00Z' };
  const secrets = { 'ai/key': { ...meta('key'), ...old }, 'ai/ca': { ...meta('ca', ends), ...old } };
  expect(credentialSecrets(upstream(), world(secrets))).toEqual([
    { name: 'ai/key', changedAt: NOW - 100 * DAY, expiresAt: undefined },
    { name: 'ai/ca', changedAt: undefined, expiresAt: Date.parse(ends['portcullis.dev/expires-at']) },
  ]);
  expect(credentialSecrets(upstream(), world({}))).toEqual([]);
});

test('[PROV-24] how old is too old stands in the Upstream, 90 days when it says nothing', () => {
  const secrets = world({ 'ai/key': { ...meta('key'), ...old } });
  const stale = (spec: object): boolean =>
    new UpstreamFactsBook(new ProgrammedTracker({ now: () => 0 }), secrets)
      .of(upstream(spec), 'ai/a', 'ai/claude', NOW)
      .conditions.some(({ type }) => type === 'CredentialStale');
  expect([{}, { maxCredentialAge: '2640h' }, { maxCredentialAge: '24h' }].map(stale)).toEqual([true, false, true]);
});

test('facts that did not change are the same object, so that nothing is worked out again', () => {
  const book = new UpstreamFactsBook(new ProgrammedTracker({ now: () => 0 }), world({}));
  const first = book.of(upstream(), 'ai/a', 'ai/claude', NOW);
  expect(book.of(upstream(), 'ai/a', 'ai/claude', NOW + 1_000)).toBe(first);
  book.keep(new Set());
  expect(book.of(upstream(), 'ai/a', 'ai/claude', NOW)).not.toBe(first);
});
