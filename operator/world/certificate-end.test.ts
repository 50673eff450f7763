import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { SecretText } from '#shared/secret-text.ts';
import { certificateEnd } from './certificate-end.ts';
import { certificateRefs } from './certificate-refs.ts';

const folder = mkdtempSync(join(tmpdir(), 'ends-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string): string => join(folder, name);

/** A certificate, and its end by the word of OpenSSL. */
function certificate(days: number): { readonly pem: string; readonly end: number } {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const out = ['-keyout', file('key'), '-out', file('crt'), '-subj', '/CN=x', '-days', String(days)];
  execFileSync('openssl', ['req', '-x509', ...curve, ...out], { stdio: 'ignore' });
  const told = execFileSync('openssl', ['x509', '-in', file('crt'), '-noout', '-enddate'], { encoding: 'utf8' });
  return { pem: readFileSync(file('crt'), 'utf8'), end: Date.parse(told.replace('notAfter=', '')) };
}

const [soon, late] = [certificate(3), certificate(300)];
const key = readFileSync(file('key'), 'utf8');
const unreadable = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

test.each<[string, string, number | undefined]>([
  ['one', late.pem, late.end],
  ['a chain, by whichever ends first', late.pem + soon.pem, soon.end],
  ['one among words and a key', `the new one\n${key}${soon.pem}`, soon.end],
  ['one beside another that cannot be read', unreadable + late.pem, late.end],
  ['none that can be read', unreadable, undefined],
  ['none at all', key, undefined],
  ['no text', '', undefined],
])('[PROV-25] the end of %s', (_, pem, end) => {
  const value = new SecretText(pem);
  expect(certificateEnd(value)).toBe(end);
  expect(certificateEnd(value)).toBe(end);
});

test.each<[string, unknown, string[]]>([
  [
    'a client certificate and a CA',
    {
      caRef: { name: 'ca', key: 'ca.crt' },
      clientCertificate: { certificateRef: { name: 'mtls', key: 'tls.crt' }, keyRef: { name: 'mtls', key: 'tls.key' } },
    },
    ['Client ai/mtls tls.crt', 'Authority ai/ca ca.crt'],
  ],
  ['a version alone', { minVersion: 'TLSv1.3' }, []],
  ['nothing', undefined, []],
  ['something else', { caRef: 'ca', clientCertificate: null }, []],
])('of %s those are named that hold certificates', (_, tls, expected) => {
  const refs = certificateRefs({ metadata: { namespace: 'ai', name: 'a' }, spec: { tls } });
  expect(refs.map(({ role, secret, key: held }) => `${role} ${secret} ${held}`)).toEqual(expected);
});
