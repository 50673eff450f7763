// Health paths as probes, load balancers and scripts of every system ask for them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  basicResources,
  CI_KEY,
  eventually,
  importedKey,
  startGateway,
  withGatewaySpec,
  withObjects,
  type Resources,
  type TestGateway,
} from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';

const PROBES = ['/healthz', '/readyz', '/health'] as const;
const READER = 'reader-0123456789-abcdefghijklmnop-QRSTUV';

let mock: MockAnthropic;
let gateway: TestGateway;
let base: Resources;

beforeAll(async () => {
  mock = await startMockAnthropic();
  base = withObjects(
    basicResources(mock.url),
    [importedKey('reader', { scopes: ['read'] }), importedKey('off', { state: 'Disabled' })],
    { 'default/keys': { reader: READER, off: `${READER}-off` } },
  );
  gateway = await startGateway(base);
});

afterAll(async () => {
  await gateway.close();
  await mock.close();
});

const ask = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`${gateway.url}${path}`, init);
const bearer = (value: string): RequestInit => ({ headers: { authorization: `Bearer ${value}` } });

const gatewayWith = (spec: Record<string, unknown>): Resources => withGatewaySpec(base, spec);

describe('[API-09] [OPS-02] probes', () => {
  test.each(PROBES)('GET and HEAD %s answer 200 in JSON without a credential', async (path) => {
    const got = await ask(path);
    expect(got.status).toBe(200);
    expect(got.headers.get('content-type')).toBe('application/json');
    expect(await got.json()).toMatchObject({ status: 'ok' });
    const head = await ask(path, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe('');
  });

  test.each(PROBES)('%s does not mind a query, a wrong credential or a doubled slash', async (path) => {
    expect((await ask(`${path}?verbose=1`)).status).toBe(200);
    expect((await ask(path, bearer('wrong'))).status).toBe(200);
    expect((await ask(`/${path}`)).status).toBe(200);
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s /healthz is not one of them', async (method) => {
    expect((await ask('/healthz', { method })).status).toBe(401);
    expect((await ask('/healthz', { method, ...bearer(CI_KEY) })).status).toBe(404);
  });

  test.each(['/healthz/', '/healthz/../v1/models', '/healthz%2f', '/HEALTHZ', '/v1/healthz'])(
    '%s needs a credential like any path',
    async (path) => {
      expect((await ask(path)).status).toBe(401);
    },
  );

  test('leave no audit record', async () => {
    const before = gateway.audit.length;
    for (const path of PROBES) await ask(path);
    await ask('/v1/models', bearer(CI_KEY));
    await eventually(() => (gateway.audit.length > before ? true : undefined));
    expect(gateway.audit.slice(before).map(({ endpoint }) => endpoint)).toEqual(['/v1/models']);
  });

  test('are exempt from network rules, which everything else keeps', async () => {
    for (const access of [{ allow: ['192.0.2.1/32'] }, { deny: ['127.0.0.0/8', '::1/128'] }]) {
      gateway.reload(gatewayWith({ listen: { access } }));
      expect((await ask('/v1/models', bearer(CI_KEY))).status).toBe(403);
      expect((await ask('/v1/health', bearer(CI_KEY))).status).toBe(403);
      for (const path of PROBES) expect((await ask(path)).status).toBe(200);
    }
    gateway.reload(base);
  });

  test('a paused gateway is alive and ready: its Service stays, calls are told', async () => {
    gateway.reload(gatewayWith({ paused: true }));
    for (const path of PROBES) expect((await ask(path)).status).toBe(200);
    const refused = await ask('/v1/models', bearer(CI_KEY));
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('60');
    gateway.reload(base);
  });
});

describe('[OPS-02] readiness', () => {
  test('without an upstream it is 503 and says why; liveness does not care', async () => {
    gateway.reload({ ...base, objects: base.objects.filter(({ kind }) => kind !== 'Upstream') });
    for (const path of ['/readyz', '/health']) {
      const response = await ask(path);
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({ status: 'no upstream is loaded' });
    }
    expect((await ask('/healthz')).status).toBe(200);
    expect(await metric('portcullis_ready')).toBe('0');
    gateway.reload(base);
    expect((await ask('/readyz')).status).toBe(200);
    expect(await metric('portcullis_ready')).toBe('1');
  });

  test('a replica that drains is not ready, and its running answers finish', async () => {
    const other = await startGateway(base);
    mock.behave(() => ({ kind: 'events', count: 10, gapMs: 50 }));
    const stream = await fetch(`${other.url}/v1/messages`, {
      method: 'POST',
      ...bearer(CI_KEY),
      body: '{"model":"claude-haiku-5-5","max_tokens":1,"stream":true,"messages":[]}',
    });
    const closing = other.close();
    const metrics = await (await fetch(other.metricsUrl)).text();
    expect(metrics).toMatch(/^portcullis_ready 0$/m);
    expect(await stream.text()).toContain('message_stop');
    await closing;
    mock.behave(() => ({ kind: 'text' }));
  });
});

describe('[API-09] the token test of scripts', () => {
  test.each<[string, string | undefined, number]>([
    ['no credential', undefined, 401],
    ['a wrong credential', 'sk-pc-wrong', 401],
    ['a disabled key', `${READER}-off`, 403],
    ['a key that may only read', READER, 200],
    ['a key that may do everything', CI_KEY, 200],
  ])('GET /v1/health with %s', async (_name, value, status) => {
    const response = await ask('/v1/health', value === undefined ? {} : bearer(value));
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toMatchObject(status === 200 ? { status: 'ok' } : { type: 'error' });
  });
});

async function metric(name: string): Promise<string | undefined> {
  const text = await (await fetch(gateway.metricsUrl)).text();
  return new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1];
}
