// Values that are more than a line: certificates, private keys and key files, taken from Secrets and judged before anything connects.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { changed } from '#shared/api/rule-case.ts';
import { PROVIDER_SPECS } from '#shared/api/provider-case.ts';
import { compile } from './compile.ts';
import { condition, gateway, inputOf, object } from './testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
afterAll(() => rmSync(folder, { recursive: true }));

function certificate(name: string): { crt: string; key: string } {
  const [key, crt] = ['key', 'crt'].map((end) => join(folder, `${name}.${end}`)) as [string, string];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', crt, '-subj', `/CN=${name}`], {
    stdio: 'ignore',
  });
  return { crt: readFileSync(crt, 'utf8'), key: readFileSync(key, 'utf8') };
}

const [one, two] = [certificate('one'), certificate('two')];
const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const serviceAccount = {
  type: 'service_account',
  client_email: 'claude@corp-ai.iam.gserviceaccount.com',
  private_key_id: '0123',
  private_key: privateKey,
};

function compiled(changes: object, held: Record<string, string>) {
  const spec = changed('Upstream', { ...changes, gatewayRef: { name: 'gw' } });
  const output = compile(
    inputOf([gateway(), object('Upstream', 'p/up', spec)], { 'p/s': held, 'p/anthropic': { token: 'v' } }),
  );
  const { bundle, credentials } = output.gateways.get('p/gw')!;
  return {
    entry: bundle.upstreams[0],
    values: credentials.values,
    refs: condition(output, 'Upstream', 'p/up', 'ResolvedRefs'),
    text: JSON.stringify({ bundle, statuses: output.statuses }),
  };
}

const ref = (key: string) => ({ name: 's', key });
const tls = {
  tls: {
    caRef: ref('ca'),
    clientCertificate: { certificateRef: ref('crt'), keyRef: ref('key') },
    minVersion: 'TLSv1.3',
  },
};

describe('[PROV-30] certificates', () => {
  test('a private CA, a client certificate and the oldest version', () => {
    const held = { ca: `${one.crt}${two.crt}`, crt: one.crt, key: one.key };
    const { entry, values, text } = compiled(tls, held);
    expect(entry?.tls).toEqual({
      ca: 'upstreams/p/up/tls/ca',
      certificate: 'upstreams/p/up/tls/certificate',
      key: 'upstreams/p/up/tls/key',
      minVersion: 'TLSv1.3',
    });
    expect(values['upstreams/p/up/tls/ca']?.reveal()).toBe(held.ca.trimEnd());
    expect(text).not.toContain('BEGIN');
  });

  test.each<[string, Record<string, string>, string]>([
    [
      'a CA that is text',
      { ca: 'none' },
      'spec.tls.caRef: key ca of Secret s holds no PEM certificates, or one that cannot be read',
    ],
    [
      'a bundle with a broken member',
      { ca: `${one.crt}-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n` },
      'spec.tls.caRef: key ca of Secret s holds no PEM certificates, or one that cannot be read',
    ],
    [
      'a key in place of the certificate',
      { crt: one.key },
      'spec.tls.clientCertificate.certificateRef: key crt of Secret s holds no',
    ],
    [
      'a certificate in place of the key',
      { key: one.crt },
      'spec.tls.clientCertificate.keyRef: key key of Secret s is not a PEM',
    ],
    [
      'the key of another certificate',
      { key: two.key },
      'spec.tls.clientCertificate: the key is not that of the certificate',
    ],
  ])('%s takes the upstream out', (_, wrong, message) => {
    const { entry, refs, text } = compiled(tls, { ca: one.crt, crt: one.crt, key: one.key, ...wrong });
    expect(entry).toBeUndefined();
    expect(refs).toMatchObject({ status: 'False', reason: 'InvalidValue' });
    expect(refs?.message).toContain(message);
    expect(text).not.toContain('BEGIN');
  });
});

describe('[PROV-10] a service account key', () => {
  const auth = {
    ...PROVIDER_SPECS.Vertex,
    'vertex.auth': { type: 'ServiceAccountKey', serviceAccountKey: ref('key') },
  };

  test('is taken as Google Cloud gives it', () => {
    const { entry, values } = compiled(auth, { key: `${JSON.stringify(serviceAccount, null, 2)}\n` });
    expect(entry?.credential).toEqual({
      type: 'Google',
      identity: { type: 'ServiceAccountKey', key: 'upstreams/p/up/auth' },
    });
    expect(JSON.parse(values['upstreams/p/up/auth']!.reveal())).toEqual(serviceAccount);
  });

  test.each([
    ['no JSON', 'AIza-key'],
    ['not an object', 'null'],
    ['another type', JSON.stringify({ ...serviceAccount, type: 'authorized_user' })],
    ['no e-mail address', JSON.stringify({ ...serviceAccount, client_email: undefined })],
    ['a key that cannot be read', JSON.stringify({ ...serviceAccount, private_key: 'sk' })],
  ])('%s takes the upstream out', (_, key) => {
    const { entry, refs } = compiled(auth, { key });
    expect(entry).toBeUndefined();
    expect(refs).toMatchObject({
      status: 'False',
      reason: 'InvalidValue',
      message:
        'spec.vertex.auth.serviceAccountKey: key key of Secret s is not the JSON of a service account key; put the file there as Google Cloud gave it; no call goes to this upstream until then',
    });
  });
});
