// The signer is held equal to the SDK's over open inputs, and its signatures are checked by a third implementation.
import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import {
  array,
  assert,
  asyncProperty,
  constantFrom,
  integer,
  oneof,
  option,
  record,
  string,
  tuple,
  uint8Array,
} from 'fast-check';
import { expect, test } from 'vitest';
import { SecretText } from '#shared/secret-text.ts';
import { SigV4Signer, type AwsKeys } from './sigv4.ts';
import type { OutgoingRequest } from './source.ts';
import { byName, outgoing } from './testing.ts';
import { signatureFault } from './testing-signature.ts';

const NOW = Date.UTC(2026, 10, 21, 12, 30, 1);
const KEYS: AwsKeys = {
  accessKeyId: 'AKIAEXAMPLE000000001',
  secretAccessKey: new SecretText('planted/secret+access'),
  sessionToken: undefined,
};

function authorization(request: OutgoingRequest, keys = KEYS, service = 'bedrock', region = 'eu-west-1', now = NOW) {
  const headers = [...request.headers];
  new SigV4Signer(keys, region, service).sign({ ...request, headers }, now);
  return byName(headers);
}

/** SHA-256 as the SDK wants it. */
class Sha256 {
  readonly #hash;
  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', key as Buffer);
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

async function bySdk(request: OutgoingRequest, keys: AwsKeys, service: string, region: string, now: number) {
  const { pathname, search } = splitPath(request.path);
  const query: Record<string, string[]> = {};
  for (const [name, value] of new URLSearchParams(search)) (query[name] ??= []).push(value);
  const { host } = new URL(request.origin);
  const headers = { host, ...byName(request.headers) };
  const signer = new SignatureV4({
    service,
    region,
    sha256: Sha256,
    credentials: {
      accessKeyId: keys.accessKeyId,
      secretAccessKey: keys.secretAccessKey.reveal(),
      ...(keys.sessionToken && { sessionToken: keys.sessionToken.reveal() }),
    },
  });
  const unsigned = Object.keys(headers).filter(
    (name) => name !== 'host' && name !== 'content-type' && !name.startsWith('x-amz'),
  );
  const signed = await signer.sign(
    { method: request.method, protocol: 'https:', hostname: host, path: pathname, query, headers, body: request.body },
    { signingDate: new Date(now), unsignableHeaders: new Set(unsigned) },
  );
  return signed.headers;
}

function splitPath(path: string): { pathname: string; search: string } {
  const [pathname = '', search = ''] = path.split('?');
  return { pathname, search };
}

const letters = (text: string): string[] => text.split('');

const segment = string({ unit: constantFrom(...letters("abZ9-._~:;@!$'()*+,=&% é/")), maxLength: 12 });
const path = oneof(
  array(segment, { maxLength: 5 }).map((parts) => `/${parts.map(encodeURIComponent).join('/')}`),
  constantFrom(
    '/',
    '//',
    '/a/../b',
    '/./a//b/',
    '/a/..',
    '/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprofile%2Fx/invoke',
  ),
);
const query = array(tuple(string({ minLength: 1, maxLength: 6 }), string({ maxLength: 6 })), { maxLength: 4 })
  // The SDK takes its own signature out of a query, which nothing of ours holds.
  .filter((pairs) => pairs.every(([name]) => name !== '__proto__' && name.toLowerCase() !== 'x-amz-signature'))
  .map((pairs) => new URLSearchParams(pairs).toString());
const headerValue = string({ unit: constantFrom(...letters('ab \t,;="1')), maxLength: 10 });
const headers = record(
  {
    'content-type': headerValue,
    'user-agent': headerValue,
    'x-amzn-bedrock-accept': headerValue,
    'x-amzn-trace-id': headerValue,
    'x-amz-meta': headerValue,
    'anthropic-beta': headerValue,
  },
  { requiredKeys: [] },
);
const secret = string({ unit: constantFrom(...letters('abAB01/+=')), minLength: 1, maxLength: 40 });

test('signs every request exactly as the SDK does', async () => {
  await assert(
    asyncProperty(
      record({
        method: constantFrom('POST', 'GET'),
        path,
        query,
        headers,
        body: uint8Array({ maxLength: 200 }),
        accessKeyId: constantFrom('AKIAEXAMPLE', 'ASIAEXAMPLE'),
        secret,
        token: option(secret, { nil: undefined }),
        service: constantFrom('bedrock', 'bedrock-mantle', 'aws-external-anthropic'),
        now: integer({ min: 0, max: 4_000_000_000_000 }),
        port: constantFrom('', ':8443'),
      }),
      async ({ method, path, query, headers, body, accessKeyId, secret, token, service, now, port }) => {
        const keys = {
          accessKeyId,
          secretAccessKey: new SecretText(secret),
          sessionToken: token === undefined ? undefined : new SecretText(token),
        };
        const request = outgoing({
          method,
          origin: `https://vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com${port}`,
          path: query === '' ? path : `${path}?${query}`,
          headers: Object.entries(headers).flat(),
          body: Buffer.from(body),
        });
        const [ours, theirs] = [
          authorization(request, keys, service, 'eu-west-1', now),
          await bySdk(request, keys, service, 'eu-west-1', now),
        ];
        for (const name of ['authorization', 'x-amz-date', 'x-amz-content-sha256', 'x-amz-security-token'])
          expect(ours[name]).toBe(theirs[name]);
      },
    ),
    { numRuns: 400 },
  );
});

test.each([
  ['an inference profile', '/model/us.anthropic.claude-opus-5-5/invoke', undefined],
  [
    'an ARN',
    `/model/${encodeURIComponent('arn:aws:bedrock:us-east-1:123456789012:inference-profile/x')}/invoke`,
    undefined,
  ],
  ['a query', '/v1/messages?beta=true&a=%20b', undefined],
  ['session keys', '/v1/messages', 'planted-session-token'],
])('a third implementation accepts the signature for %s', (_name, path, token) => {
  const keys = { ...KEYS, sessionToken: token === undefined ? undefined : new SecretText(token) };
  const request = outgoing({ path, body: Buffer.alloc(87 * 1024, 'conversation ') });
  const received = { ...request, url: path, host: 'upstream.example', headers: authorization(request, keys) };
  const signedWith = { keys, service: 'bedrock', region: 'eu-west-1' };
  expect(signatureFault(received, signedWith)).toBeUndefined();
  expect(signatureFault({ ...received, url: `${path}x` }, signedWith)).toBe('signature');
  expect(signatureFault({ ...received, body: Buffer.from('another') }, signedWith)).toBe('body hash');
});

test('uses the hash of the body where it is known, so that a second attempt does not hash again', () => {
  const request = outgoing();
  const bodySha256 = createHash('sha256').update(request.body).digest('hex');
  expect(authorization({ ...request, bodySha256, body: Buffer.alloc(0) })).toEqual(authorization(request));
});

test('a signer that signed yesterday signs today with the key of today', () => {
  const signer = new SigV4Signer(KEYS, 'eu-west-1', 'bedrock');
  const day = 86_400_000;
  for (const now of [NOW - day, NOW]) {
    const headers: string[] = [...outgoing().headers];
    signer.sign(outgoing({ headers }), now);
    expect(byName(headers)).toEqual(authorization(outgoing(), KEYS, 'bedrock', 'eu-west-1', now));
  }
});
