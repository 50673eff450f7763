// Which response headers reach a client: a closed list, the gateway's request id on everything, and no trace of the account behind.
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type Behaviour } from '../harness/mock-anthropic.ts';
import { turn } from './claude-code.ts';
import { headersWith, send, type Ask } from './http-client.ts';
import { startScene } from './scene.ts';

const { mock, gateway } = await startScene();

const NODE_OWN = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding', 'content-length']);
const ACCOUNT = {
  'x-should-retry': 'true',
  location: 'https://elsewhere.example/',
  'x-envoy-upstream': 'a',
  'content-disposition': 'attachment',
  'proxy-authenticate': 'Basic',
  'anthropic-ratelimit-unified-status': 'allowed',
};

describe('the closed list', () => {
  test.each<[string, boolean, Behaviour, string[]]>([
    [
      'a stream',
      true,
      { kind: 'text', headers: ACCOUNT },
      ['cache-control', 'content-type', 'request-id', 'x-accel-buffering', 'x-content-type-options', 'x-request-id'],
    ],
    [
      'a plain answer',
      false,
      { kind: 'text', headers: ACCOUNT },
      ['cache-control', 'content-type', 'request-id', 'x-content-type-options', 'x-request-id'],
    ],
    [
      'a refusal',
      true,
      { kind: 'status', status: 400, headers: ACCOUNT },
      ['content-type', 'request-id', 'x-content-type-options', 'x-request-id', 'x-should-retry'],
    ],
    [
      'a rate limit',
      true,
      { kind: 'status', status: 429, headers: { ...ACCOUNT, 'retry-after': '7' } },
      ['content-type', 'request-id', 'retry-after', 'x-content-type-options', 'x-request-id'],
    ],
  ])('[XLAT-04] [API-15] %s carries nothing else of the upstream', async (_name, stream, behaviour, names) => {
    mock.behave(() => behaviour);
    const { headers } = await send(gateway.url, { body: turn({ stream }) });
    expect(
      Object.keys(headers)
        .filter((name) => !NODE_OWN.has(name))
        .sort(),
    ).toEqual(names);
    // The advice on retries is the gateway's own.
    expect(headers['x-should-retry']).not.toBe('true');
  });

  test('[XLAT-04] the length of a plain answer is that of its bytes', async () => {
    mock.behave(() => ({ kind: 'text', encoding: 'gzip' }));
    const packed = await send(gateway.url, { body: turn({ stream: false }) });
    expect(packed.headers['content-encoding']).toBeUndefined();
    expect(packed.headers['content-length']).toBeUndefined();
    expect(packed.headers['transfer-encoding']).toBe('chunked');
    mock.behave(() => ({ kind: 'text' }));
    const plain = await send(gateway.url, { body: turn({ stream: false }) });
    expect(plain.headers['content-length']).toBe(String(plain.body.length));
    expect(plain.headers['transfer-encoding']).toBeUndefined();
  });
});

describe('the request id', () => {
  test.each<[string, Ask, Behaviour | undefined, number]>([
    ['a stream', { body: turn() }, { kind: 'text' }, 200],
    ['a plain answer', { body: turn({ stream: false }) }, { kind: 'text' }, 200],
    ['a count', { path: '/v1/messages/count_tokens', body: turn() }, { kind: 'text' }, 200],
    ['an upstream refusal', { body: turn() }, { kind: 'status', status: 400 }, 400],
    ['an upstream failure', { body: turn() }, { kind: 'status', status: 500 }, 502],
    ['a body that is no JSON', { body: '{' }, undefined, 400],
    ['an unknown model', { body: turn({ model: 'gpt-1' }) }, undefined, 400],
    ['a bad credential', { headers: headersWith({ authorization: 'Bearer nobody' }), body: turn() }, undefined, 401],
    ['no credential', { headers: headersWith({ authorization: undefined }), body: turn() }, undefined, 401],
    ['an unknown path', { path: '/v1/nothing', body: turn() }, undefined, 404],
    ['a path not offered', { path: '/v1/files', body: turn() }, undefined, 501],
    ['a path that cannot be decoded', { path: '/v1/%', body: turn() }, undefined, 400],
    ['the list of models', { method: 'GET', path: '/v1/models' }, undefined, 200],
    ['the test of a token', { method: 'GET', path: '/v1/health' }, undefined, 200],
  ])('[API-16] [AUDIT-03] %s: one id in both headers and in the audit', async (_name, ask, behaviour, status) => {
    if (behaviour !== undefined) mock.behave(() => behaviour);
    const answer = await send(gateway.url, ask);
    expect(answer.status).toBe(status);
    const id = answer.headers['x-request-id'];
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.headers['request-id']).toBe(id);
    expect(await gateway.record(({ request_id }) => request_id === id)).toMatchObject({ status });
    expect(gateway.audit.filter(({ request_id }) => request_id === id)).toHaveLength(1);
  });

  test.each<[string, Ask]>([
    ['a bad body', { body: '{' }],
    ['a bad credential', { headers: headersWith({ authorization: 'Bearer nobody' }), body: turn() }],
    ['an unknown path', { path: '/v1/nothing', body: turn() }],
  ])('[API-16] %s: the id stands in the envelope as well', async (_name, ask) => {
    const answer = await send(gateway.url, ask);
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      type: 'error',
      request_id: answer.headers['x-request-id'],
    });
  });

  test('[API-16] the id of the upstream is in the audit only', async () => {
    mock.behave(() => ({ kind: 'text', headers: { 'request-id': 'req_of_upstream', 'x-amzn-requestid': 'cloud-1' } }));
    const answer = await send(gateway.url, { body: turn() });
    expect(answer.headers['request-id']).not.toBe('req_of_upstream');
    expect(await gateway.record(({ request_id }) => request_id === answer.headers['x-request-id'])).toMatchObject({
      upstream_request_id: 'req_of_upstream',
      cloud_request_id: 'cloud-1',
    });
  });

  test.each([
    ['kept', 'my-call.7:a_B', 'my-call.7:a_B'],
    ['replaced when it has a blank', 'two words', undefined],
    ['replaced when it has markup', '<b>', undefined],
    ['replaced when it is too long', 'x'.repeat(129), undefined],
  ])("[API-16] a client's own id is %s", async (_name, offered, expected) => {
    mock.behave(() => ({ kind: 'text' }));
    const answer = await send(gateway.url, {
      headers: headersWith({ 'x-client-request-id': offered, 'x-request-id': 'ignored' }),
      body: turn(),
    });
    const id = answer.headers['x-request-id'];
    expect(id).toMatch(expected ?? /^[0-9a-f-]{36}$/);
    await gateway.record(({ request_id }) => request_id === id);
  });

  test.each([
    ['bytes that are no HTTP', 'nonsense\r\n\r\n', 400],
    ['headers without end', `GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(70_000)}\r\n\r\n`, 431],
  ])('[API-16] %s: answered with an id as well', async (_name, bytes, status) => {
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname);
    const text = await new Promise<string>((resolve) => {
      let got = '';
      socket.on('data', (chunk: Buffer) => (got += chunk.toString())).on('close', () => resolve(got));
      socket.on('error', () => undefined);
      socket.write(bytes);
    });
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const id = /x-request-id: (\S+)/.exec(text)![1];
    expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toMatchObject({ request_id: id });
  });
});

describe('probes', () => {
  const bare = (path: string, method = 'GET'): Ask => ({ method, path, headers: [] });

  test('[API-08] HEAD /api/hello is 200 without a credential, without a body, and asks no upstream', async () => {
    const before = mock.received();
    const answer = await send(gateway.url, {
      method: 'HEAD',
      path: '/api/hello',
      headers: ['User-Agent', 'Bun/1.4.4', 'Accept', '*/*'],
    });
    expect(answer.status).toBe(200);
    expect(answer.body.length).toBe(0);
    expect(mock.received()).toBe(before);
  });

  test.each(['/healthz', '/readyz', '/health'])('[API-09] GET and HEAD %s answer 200 to anybody', async (path) => {
    const answer = await send(gateway.url, bare(path));
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ status: 'ok' });
    expect((await send(gateway.url, bare(path, 'HEAD'))).status).toBe(200);
  });

  test('[API-09] GET /v1/health is the test of a token: 200 with, 401 without', async () => {
    expect((await send(gateway.url, { method: 'GET', path: '/v1/health' })).status).toBe(200);
    expect((await send(gateway.url, bare('/v1/health'))).status).toBe(401);
  });
});
