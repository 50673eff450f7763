// How the gateway authenticates to upstreams and where it finds them; and that its credentials never come out again.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { basicResources, CI_KEY, startGateway, upstream, withObjects, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type Behaviour, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { headersWith, send } from './http-client.ts';
import { begin, call, messageBody, metricBecomes } from './routing.ts';

let mock: MockAnthropic;
let gateway: TestGateway;

beforeEach(async () => {
  mock = await startMockAnthropic();
});

afterEach(async () => {
  await gateway.close();
  await mock.close();
});

const SECRETS = {
  key: 'sk-ant-api03-one',
  token: 'oauth-token-two',
  a: 'value-three',
  b: 'value-four',
  lf: 'value-five\n',
};
const ref = (key: keyof typeof SECRETS) => ({ name: 'provider', key });

async function start(spec: Record<string, unknown>, baseUrl = mock.url): Promise<void> {
  const resources = withObjects(basicResources(mock.url), [upstream('anthropic', baseUrl, spec)]);
  gateway = await startGateway({ ...resources, secrets: { ...resources.secrets, 'default/provider': SECRETS } });
}

/** Headers of the one request the upstream got, and whether the client's own credential was among them. */
async function received(headers = headersWith({ 'x-api-key': CI_KEY, 'anthropic-api-key': CI_KEY })) {
  const answer = await send(gateway.url, { headers, body: messageBody() });
  expect(answer.status).toBe(200);
  const request = mock.requests.at(-1)!;
  expect(request.rawHeaders.join('\n')).not.toContain(CI_KEY);
  return request.headers;
}

describe('authentication', () => {
  test.each([
    ['x-api-key', { type: 'APIKey', apiKey: ref('key') }, { 'x-api-key': SECRETS.key, authorization: undefined }],
    [
      'a bearer token',
      { type: 'BearerToken', bearerToken: ref('token') },
      { authorization: `Bearer ${SECRETS.token}`, 'x-api-key': undefined },
    ],
  ])('[PROV-03] by %s, and by nothing else', async (_name, auth, expected) => {
    await start({ anthropic: { auth } });
    const headers = await received();
    for (const [name, value] of Object.entries(expected)) expect(headers[name]).toBe(value);
  });

  test('[PROV-04] by headers of any name, each value from a Secret, in place of what the client sent', async () => {
    await start({
      anthropic: { auth: { type: 'Headers' } },
      headers: [
        { name: 'x-goog-api-key', valueFrom: ref('key') },
        { name: 'api-key', valueFrom: ref('a') },
        { name: 'authorization', valueFrom: ref('token') },
        { name: 'anthropic-beta', valueFrom: ref('b') },
      ],
    });
    const headers = await received(headersWith({ 'x-goog-api-key': 'of-the-client', 'api-key': 'of-the-client' }));
    expect(headers).toMatchObject({
      'x-goog-api-key': SECRETS.key,
      'api-key': SECRETS.a,
      authorization: SECRETS.token,
      'anthropic-beta': SECRETS.b,
    });
    expect(headers['x-api-key']).toBeUndefined();
  });

  test('[PROV-04] headers beside a key; a line end behind a value is not part of it', async () => {
    await start({
      anthropic: { auth: { type: 'APIKey', apiKey: ref('key') } },
      headers: [{ name: 'x-tenant', valueFrom: ref('lf') }],
    });
    expect(await received()).toMatchObject({ 'x-api-key': SECRETS.key, 'x-tenant': 'value-five' });
  });
});

describe('the endpoint', () => {
  test.each([
    ['', '/v1/messages'],
    ['/', '/v1/messages'],
    ['/claude', '/claude/v1/messages'],
    ['/claude/', '/claude/v1/messages'],
    ['/a/b%20c', '/a/b%20c/v1/messages'],
  ])('[PROV-09] a base URL ending in %j is asked at %s', async (suffix, path) => {
    await start({}, `${mock.url}${suffix}`);
    mock.behave(() => ({ kind: 'raw', status: 200, headers: {}, chunks: ['{}'] }));
    await call(gateway, {}, { path: '/v1/messages?beta=true' });
    await call(gateway, {}, { path: '/v1/messages/count_tokens' });
    expect(mock.requests.map(({ url }) => url)).toEqual([`${path}?beta=true`, `${path}/count_tokens`]);
    expect(mock.requests[0]!.headers.host).toBe(new URL(mock.url).host);
  });
});

describe('rotation', () => {
  test('[PROV-22] one Secret changes: new calls use it, running ones go on, clients change nothing', async () => {
    const before = basicResources(mock.url);
    gateway = await startGateway(before);
    mock.behave(() => ({ kind: 'events', count: 20, gapMs: 15 }));
    const running = begin(gateway, { stream: true });
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    await expect.poll(() => mock.received()).toBe(1);
    mock.behave(() => ({ kind: 'text' }));
    gateway.reload(withObjects(before, [], { 'default/anthropic': { token: 'sk-ant-api03-the-next' } }));
    expect((await call(gateway)).status).toBe(200);
    expect((await running.answer).body.toString()).toContain('message_stop');
    expect(mock.requests[1]!.headers['x-api-key']).toBe('sk-ant-api03-the-next');
    expect(mock.requests[0]!.headers['x-api-key']).not.toBe('sk-ant-api03-the-next');
  });
});

describe('secrecy', () => {
  // Of no known form: nothing but the comparison with what we sent can find it.
  const PLANTED = 'corp-planted-credential-0123456789';
  const ECHOES: readonly (readonly [name: string, behaviour: Behaviour])[] = [
    ...[400, 401, 403, 404, 413, 422, 429, 500, 501, 503, 529].map(
      (status) => [`a ${status} that repeats it`, { kind: 'status', status, message: `bad key ${PLANTED}` }] as const,
    ),
    [
      'headers that repeat it',
      {
        kind: 'text',
        headers: {
          'x-api-key': PLANTED,
          'retry-after': PLANTED,
          'request-id': PLANTED,
          'cache-control': PLANTED,
          server: PLANTED,
        },
      },
    ],
    ['a redirect that repeats it', { kind: 'redirect', location: `https://x.test/?key=${PLANTED}` }],
    [
      'a reason phrase of HTTP nonsense',
      { kind: 'raw', status: 200, headers: { 'content-length': PLANTED }, chunks: [] },
    ],
  ];

  test('[PROV-21] not in answers, headers, logs, audit or metrics, however an upstream repeats it', async () => {
    const base = basicResources(mock.url, { logging: { level: 'debug' }, routing: { exposeUpstream: true } });
    gateway = await startGateway(withObjects(base, [], { 'default/anthropic': { token: PLANTED } }));
    for (const [name, behaviour] of ECHOES) {
      mock.behave(() => behaviour);
      for (const path of ['/v1/messages', '/v1/messages/count_tokens']) {
        const answer = await call(gateway, {}, { path });
        expect(`${name}: ${answer.body.toString()} ${JSON.stringify(answer.headers)}`).not.toContain(PLANTED);
      }
    }
    expect(mock.requests.every(({ headers }) => headers['x-api-key'] === PLANTED)).toBe(true);
    const metrics = await (await fetch(gateway.metricsUrl)).text();
    expect(metrics).not.toContain(PLANTED);
    expect(gateway.written.length).toBeGreaterThan(20);
    expect(gateway.written.join('\n')).not.toContain(PLANTED);
  });
});
