// What a client writes around its body must not spoil a signature (the provider's 403 would be taken for a bad credential, and everybody
// would lose the upstream), and nothing that looks like a credential goes upstream in a query.
import { expect, test } from 'vitest';
import { ask, sharedCloud } from './providers-scene.ts';

const aws = sharedCloud('ClaudePlatformAWS');
const plain = sharedCloud('Anthropic');

const ODD_QUERIES = [
  '?beta=true&a=b+c',
  '?a=%zz&beta=true',
  '?beta=true&%ff=%c3',
  "?beta=true&a='(!*)",
  '?beta=true&&=&a',
];

test.each(ODD_QUERIES)('a signed call goes with the one query that means anything: %s', async (query) => {
  const answer = await ask(aws(), {}, {}, { path: `/v1/messages${query}` });
  expect([answer.status, aws().cloud.refused]).toEqual([200, []]);
  expect(aws().cloud.requests.at(-1)!.url).toMatch(/\/v1\/messages\?beta=true$/);
});

test('a content type that two sides could write differently is not signed', async () => {
  for (const type of ['application/json; x=\u00e9', 'application/json;\u00a0charset=utf-8']) {
    expect((await ask(aws(), {}, { 'Content-Type': type })).status).toBe(200);
    expect(aws().cloud.requests.at(-1)!.headers['content-type']).toBe('application/json');
  }
});

test.each(['key', 'api_key', 'api-key', 'x-goog-api-key', 'access_token', 'X-Amz-Signature', 'token', 'client_secret'])(
  'a credential that a client put into its query as %s stays here, the rest goes along',
  async (name) => {
    const path = `/v1/messages?beta=true&${name}=AIzaSy-somebody-elses-key-0123456789&trace=on`;
    await ask(plain(), {}, {}, { path });
    expect(plain().cloud.requests.at(-1)!.url).toBe('/v1/messages?beta=true&trace=on');
  },
);

test('any other query goes along as it was written', async () => {
  const path = '/v1/messages?beta=true&a=b+c&d=%zz&&monkey=1&max_tokens=2';
  await ask(plain(), {}, {}, { path });
  expect(plain().cloud.requests.at(-1)!.url).toBe(path);
});

test.each([
  ['gzip, deflate, br, zstd', 'gzip, deflate, br, zstd'],
  ['gzip;q=1.0, identity; q=0.5', 'gzip;q=1.0, identity; q=0.5'],
  ['gzip, dcb, *;q=0', 'gzip'],
  ['compress', 'identity'],
  ['*', 'identity'],
  ['exi,br', 'br'],
])('an answer is asked for in a coding that can be read and metered here: %s', async (sent, received) => {
  await ask(plain(), {}, { 'Accept-Encoding': sent });
  expect(plain().cloud.requests.at(-1)!.headers['accept-encoding']).toBe(received);
});
