// Which request headers reach an Anthropic upstream: the provider's own as an open set, the connection's and the client's account never.
import { describe, expect, test } from 'vitest';
import { CI_KEY, PROVIDER_KEY } from '../harness/gateway.ts';
import { quotaProbe, SESSION, turnHeaders } from './claude-code.ts';
import { headersWith, send } from './http-client.ts';
import { startScene } from './scene.ts';

const { mock, gateway } = await startScene();

/** Headers as the upstream got them, names in lower case, in order. */
async function forwarded(headers: readonly string[]): Promise<[string, string][]> {
  const answer = await send(gateway.url, { headers, body: quotaProbe });
  expect(answer.status).toBe(200);
  const { rawHeaders } = mock.requests.at(-1)!;
  return Array.from({ length: rawHeaders.length / 2 }, (_, i) => [
    rawHeaders[2 * i]!.toLowerCase(),
    rawHeaders[2 * i + 1]!,
  ]);
}

test('[XLAT-01] [XLAT-04] [API-13] exactly these headers of a turn arrive, with their values', async () => {
  const sent = turnHeaders();
  const wanted = /^(accept|accept-encoding|content-type|user-agent|anthropic-.*|x-stainless-.*)$/i;
  const expected: [string, string][] = [];
  for (let i = 0; i < sent.length; i += 2) {
    if (wanted.test(sent[i]!)) expected.push([sent[i]!.toLowerCase(), sent[i + 1]!]);
  }
  const got = await forwarded(sent);
  const own = new Set(['host', 'connection', 'content-length', 'x-api-key']);
  expect(got.filter(([name]) => !own.has(name))).toEqual(expected);
  expect(Object.fromEntries(got)).toMatchObject({
    host: new URL(mock.url).host,
    'x-api-key': PROVIDER_KEY,
    'content-length': String(JSON.stringify(quotaProbe).length),
  });
});

describe('open sets', () => {
  test.each([
    ['anthropic-beta', 'a-2031-01-01,b;q=1, c'],
    ['anthropic-version', '2031-01-01'],
    ['anthropic-not-invented-yet', 'x'],
    ['X-Stainless-Helper', 'stream'],
    ['x-stainless-', 'odd'],
  ])('[XLAT-02] [API-12] %s is forwarded whatever it says', async (name, value) => {
    expect(await forwarded(headersWith({ [name]: value }))).toContainEqual([name.toLowerCase(), value]);
  });

  test('[XLAT-02] a header that stands twice arrives twice', async () => {
    const got = await forwarded([...turnHeaders(), 'Anthropic-Beta', 'second-2031-01-01']);
    expect(got.filter(([name]) => name === 'anthropic-beta').map(([, value]) => value)).toEqual([
      expect.stringContaining('not-invented-yet-2031-01-01'),
      'second-2031-01-01',
    ]);
  });

  test.each(['anthropic-version', 'anthropic-beta', 'content-type', 'accept', 'accept-encoding', 'user-agent'])(
    '[API-12] %s is not added when the client did not send it',
    async (name) => {
      const got = await forwarded(headersWith({ [name]: undefined }));
      expect(got.filter(([each]) => each === name)).toEqual([]);
    },
  );

  test.each(['text/plain', 'application/json; charset=latin1', 'json', 'a/b/c;;', ''])(
    '[API-12] content-type %j does not fail a request',
    async (type) => {
      expect(await forwarded(headersWith({ 'content-type': type }))).toContainEqual(['content-type', type]);
    },
  );
});

describe('kept back', () => {
  test.each([
    ['x-app', 'cli'],
    ['x-claude-code-session-id', SESSION],
    ['x-claude-code-request-class', 'main'],
    ['cookie', 'session=1'],
    ['x-forwarded-for', '10.0.0.1'],
    ['forwarded', 'for=10.0.0.1'],
    ['via', '1.1 proxy'],
    ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
    ['idempotency-key', 'abc'],
    ['anthropic-workspace-id', 'wrkspc_1'],
    ['anthropic-organization-id', 'org_1'],
    ['x-custom', 'anything'],
    ['te', 'trailers'],
    ['upgrade', 'h2c'],
    ['proxy-authorization', 'Basic eDp5'],
    ['proxy-connection', 'keep-alive'],
    ['keep-alive', 'timeout=5'],
    ['origin', 'https://elsewhere.example'],
    ['referer', 'https://elsewhere.example/'],
  ])('[API-12] [API-13] %s is tolerated and not forwarded', async (name, value) => {
    const got = await forwarded(headersWith({ [name]: value }));
    expect(got.filter(([each]) => each === name)).toEqual([]);
  });

  test('[XLAT-04] a connection header that names others does not take them along', async () => {
    const got = await forwarded(headersWith({ connection: 'close, x-hop', 'x-hop': '1' }));
    expect(got).not.toContainEqual(['x-hop', '1']);
    expect(got.filter(([name]) => name === 'connection').map(([, value]) => value)).toEqual(['keep-alive']);
  });

  test('[SEC-21] a forwarded header that holds the client credential stays here', async () => {
    const got = await forwarded(
      headersWith({ 'anthropic-note': `key is ${CI_KEY}`, 'user-agent': CI_KEY, 'x-stainless-os': `Linux ${CI_KEY}` }),
    );
    expect(JSON.stringify(got)).not.toContain(CI_KEY);
  });
});
