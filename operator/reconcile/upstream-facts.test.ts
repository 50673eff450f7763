import { describe, expect, test } from 'vitest';
import { ProgrammedTracker } from '../status/programmed.ts';
import type { SecretMeta } from '../world/slim.ts';
import type { CustomObject, World } from '../world/world.ts';
import { SecretText } from '#shared/secret-text.ts';
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
/** Made for this file; its end is the only thing that matters about it. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBbDCCAROgAwIBAgIUN2+PQuMP4YGWOSkRz/fSzjwlG8kwCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBeDAeFw0yNjExMjExODI1NTNaFw0yNzAyMTkxODI1NTNaMAwx
CjAIBgNVBAMMAXgwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARG9e0hMHGYZ7gH
T7y81tZkuCaFXdxUaRJxK95zLHXmbDCT+l0OCBbmHf9hfuUu5WKSNsRgUmJt095b
s6ljl8eMo1MwUTAdBgNVHQ4EFgQUBnCHvsxFeewi2MlP6wgtcy3z+SkwHwYDVR0j
BBgwFoAUBnCHvsxFeewi2MlP6wgtcy3z+SkwDwYDVR0TAQH/BAUwAwEB/zAKBggq
hkjOPQQDAgNHADBEAiBbOqkMF1E+GoxTaYRnmT2n22AUDdb0HSJ6ZgPkio/qvwIg
CzmTePN2pP0jCMVco+oDUCd/YW/TyfO6GaeoQda0ypE=
-----END CERTIFICATE-----
`;
const CERTIFICATE_END = '2027-02-19T18:25:53Z';
const NOTHING = new Map<string, ReadonlyMap<string, SecretText>>();
const old = { changedAt: new Date(NOW - 100 * DAY).toISOString() };

test('[PROV-24] [PROV-25] credentials have an age and an end, what secures the connection has an end', () => {
  const ends = { 'portcullis.dev/expires-at': '2026-12-01T00:00:00Z' };
  const secrets = { 'ai/key': { ...meta('key'), ...old }, 'ai/ca': { ...meta('ca', ends), ...old } };
  expect(credentialSecrets(upstream(), world(secrets), NOTHING)).toEqual([
    { name: 'ai/key', changedAt: NOW - 100 * DAY, expiresAt: undefined },
    { name: 'ai/ca', changedAt: undefined, expiresAt: Date.parse(ends['portcullis.dev/expires-at']) },
  ]);
  expect(credentialSecrets(upstream(), world({}), NOTHING)).toEqual([]);
});

test('[PROV-24] how old is too old stands in the Upstream, 90 days when it says nothing', () => {
  const secrets = world({ 'ai/key': { ...meta('key'), ...old } });
  const stale = (spec: object): boolean =>
    new UpstreamFactsBook(new ProgrammedTracker({ now: () => 0 }), secrets, NOTHING)
      .of(upstream(spec), 'ai/a', 'ai/claude', NOW)
      .conditions.some(({ type }) => type === 'CredentialStale');
  expect([{}, { maxCredentialAge: '2640h' }, { maxCredentialAge: '24h' }].map(stale)).toEqual([true, false, true]);
});

test('facts that did not change are the same object, so that nothing is worked out again', () => {
  const book = new UpstreamFactsBook(new ProgrammedTracker({ now: () => 0 }), world({}), NOTHING);
  const first = book.of(upstream(), 'ai/a', 'ai/claude', NOW);
  expect(book.of(upstream(), 'ai/a', 'ai/claude', NOW + 1_000)).toBe(first);
  book.keep(new Set());
  expect(book.of(upstream(), 'ai/a', 'ai/claude', NOW)).not.toBe(first);
});

describe('[PROV-25] a certificate of the connection', () => {
  const tls = {
    caRef: { name: 'ca', key: 'ca.crt' },
    clientCertificate: { certificateRef: { name: 'mtls', key: 'tls.crt' }, keyRef: { name: 'mtls', key: 'tls.key' } },
  };
  const held = world({ 'ai/key': meta('key'), 'ai/ca': meta('ca'), 'ai/mtls': meta('mtls') });
  const contents = new Map([
    ['ai/mtls', new Map([['tls.crt', new SecretText(CERTIFICATE)]])],
    ['ai/ca', new Map([['ca.crt', new SecretText('none yet')]])],
  ]);
  const facts = (now: number, read = contents) =>
    new UpstreamFactsBook(new ProgrammedTracker({ now: () => 0 }), held, read).of(
      upstream({ tls }),
      'ai/a',
      'ai/claude',
      now,
    );

  test('is asked itself, and the status changes when its time comes', () => {
    const end = Date.parse(CERTIFICATE_END);
    const before = facts(end - 31 * DAY);
    expect(before).toMatchObject({ fields: { credentialExpiresAt: CERTIFICATE_END }, wakeAt: end - 30 * DAY });
    expect(before.conditions.map(({ type }) => type)).not.toContain('CredentialExpiring');
    const reasons = [30, 7, 1, 0].map(
      (days) => facts(end - days * DAY).conditions.find(({ type }) => type === 'CredentialExpiring')?.reason,
    );
    expect(reasons).toEqual(['WithinThirtyDays', 'WithinSevenDays', 'WithinOneDay', 'Expired']);
  });

  test('whose Secret nobody has read yet has no end', () => {
    expect(facts(NOW, new Map()).fields).not.toHaveProperty('credentialExpiresAt');
  });
});
