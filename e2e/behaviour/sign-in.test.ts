// What clients meet when a person signs in, on a gateway that has no sign-in: the discovery document, which scripts ask for as well to
// learn whether a gateway works from where they are, and a refusal that says what to do instead.
import { afterEach, beforeAll, afterAll, describe, expect, test } from 'vitest';
import {
  basicResources,
  CI_KEY,
  eventually,
  startGateway,
  withGatewaySpec,
  type Resources,
  type TestGateway,
} from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { openSocket, wireRequest } from './wire-client.ts';

const PATH = '/.well-known/oauth-authorization-server';

let mock: MockAnthropic;
let gateway: TestGateway;
let base: Resources;

beforeAll(async () => {
  mock = await startMockAnthropic();
  base = basicResources(mock.url);
  gateway = await startGateway(base);
});
afterAll(async () => {
  await gateway.close();
  await mock.close();
});
afterEach(() => gateway.reload(base));

const ask = (init: RequestInit = {}, path = PATH): Promise<Response> => fetch(`${gateway.url}${path}`, init);

const gatewayWith = (spec: Record<string, unknown>): Resources => withGatewaySpec(base, spec);

test('[OPS-16] anybody may read it, and as long as nobody can sign in it promises nothing', async () => {
  for (const headers of [{}, { authorization: `Bearer ${CI_KEY}` }, { authorization: 'Bearer wrong' }]) {
    const answer = await ask({ headers });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(await answer.json()).toEqual({
      issuer: gateway.url,
      grant_types_supported: [],
      response_types_supported: [],
      token_endpoint_auth_methods_supported: ['none'],
      scopes_supported: [],
      gateway_protocol_version: 1,
    });
  }
  const head = await ask({ method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
  expect((await ask({}, `/claude/${PATH}?x=1`)).status).toBe(200);
});

test('the issuer is the configured URL, whatever the caller says of it', async () => {
  const socket = openSocket(gateway.url);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const said = ['X-Forwarded-Host: evil.test', 'X-Forwarded-Proto: https', 'Forwarded: host=evil.test;proto=https'];
  socket.write(`GET ${PATH} HTTP/1.1\r\nHost: evil.test\r\n${said.join('\r\n')}\r\n\r\n`);
  await eventually(() => (text.endsWith('}') ? true : undefined));
  socket.destroy();
  expect(JSON.parse(text.slice(text.indexOf('{')))).toMatchObject({ issuer: gateway.url });
});

describe('[OPS-16] it is 200 when all checks of the start passed, and not before', () => {
  test('without an upstream it is 503, says why and when to come back', async () => {
    gateway.reload({ ...base, objects: base.objects.filter(({ kind }) => kind !== 'Upstream') });
    const answer = await ask();
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(await answer.json()).toMatchObject({
      error: { type: 'api_error', message: 'the gateway is not ready: no upstream is loaded' },
    });
    gateway.reload(base);
    expect((await ask()).status).toBe(200);
  });

  test('a replica that drains has passed them: who still gets through is answered', async () => {
    const other = await startGateway(base);
    mock.behave(() => ({ kind: 'events', count: 10, gapMs: 50 }));
    const socket = openSocket(other.url);
    let text = '';
    const ended = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => (text += chunk.toString())).once('end', () => resolve());
    });
    const body = '{"model":"claude-haiku-5-5","max_tokens":1,"stream":true,"messages":[]}';
    socket.write(wireRequest('POST', '/v1/messages', [`Authorization: Bearer ${CI_KEY}`], body));
    await eventually(() => (text.includes('message_start') ? true : undefined));
    const closed = other.close();
    socket.write(wireRequest('GET', PATH));
    await ended;
    socket.destroy();
    await closed;
    mock.behave(() => ({ kind: 'text' }));
    expect(text).toMatch(/message_stop[^]*HTTP\/1\.1 200 [^]*"issuer"/);
  });
});

describe('it is no probe', () => {
  test('network rules hold for it', async () => {
    gateway.reload(gatewayWith({ listen: { access: { deny: ['127.0.0.0/8', '::1/128'] } } }));
    expect((await ask()).status).toBe(403);
  });

  test('a paused gateway does not answer with it', async () => {
    gateway.reload(gatewayWith({ paused: true }));
    expect((await ask()).status).toBe(503);
  });

  test('who asked is written down', async () => {
    const id = (await ask()).headers.get('x-request-id');
    expect(await gateway.record(({ request_id }) => request_id === id)).toMatchObject({ endpoint: PATH, status: 200 });
  });

  test.each([
    ['POST', PATH],
    ['OPTIONS', PATH],
    ['GET', `${PATH}/`],
    ['GET', '/.well-known/openid-configuration'],
    ['GET', '/.well-known/oauth-protected-resource'],
  ])('%s %s needs a credential like any path', async (method, path) => {
    expect((await ask({ method }, path)).status).toBe(401);
    expect((await ask({ method, headers: { authorization: `Bearer ${CI_KEY}` } }, path)).status).toBe(404);
  });
});

describe('who asks for a device code', () => {
  const code = (init: RequestInit = {}): Promise<Response> =>
    ask(
      { method: 'POST', body: new URLSearchParams({ surface: 'claude_code' }), ...init },
      '/oauth/device_authorization',
    );

  // Recorded from Claude Code 2.1.330: it shows `error_description` of a refusal, and of any other 4xx nothing but the status.
  test('is told what to do instead, in the form whose words Claude Code shows', async () => {
    const answer = await code();
    expect(answer.status).toBe(400);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await answer.json()).toEqual({
      error: 'invalid_request',
      error_description: expect.stringMatching(
        /^nobody can sign in to this gateway: set ANTHROPIC_AUTH_TOKEN/,
      ) as string,
    });
  });

  test('reads refusals of the network and of a paused gateway in the same form', async () => {
    gateway.reload(gatewayWith({ listen: { access: { deny: ['127.0.0.0/8', '::1/128'] } } }));
    const refused = await code();
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ error: 'access_denied' });
    gateway.reload(gatewayWith({ paused: true }));
    const paused = await code();
    expect(paused.status).toBe(503);
    expect(paused.headers.get('retry-after')).toBe('60');
    expect(await paused.json()).toMatchObject({ error: 'temporarily_unavailable' });
  });

  test('may send what they like: nobody reads it', async () => {
    for (const body of ['', '{', 'x'.repeat(300_000)]) expect((await code({ body })).status).toBe(400);
  });
});
