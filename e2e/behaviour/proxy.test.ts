// Upstreams behind a forward proxy: a real one.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  basicResources,
  PROVIDER_KEY,
  startGateway,
  upstream,
  withObjects,
  type TestGateway,
} from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { startProxy, type ForwardProxy } from './forward-proxy.ts';
import { headersWith, send } from './http-client.ts';
import { allPlacesFree, call, messageBody, site, siteResources } from './routing.ts';

let mock: MockAnthropic;
let proxy: ForwardProxy;
let gateway: TestGateway | undefined;

beforeEach(async () => {
  mock = await startMockAnthropic();
  proxy = await startProxy(mock.url);
});

afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
  await proxy.close();
  await mock.close();
});

const NAME = 'http://llm.corp.test:8123';
const viaProxy = (noProxy: readonly string[] = []) => ({ proxy: { url: proxy.url, noProxy } });

describe('Gateway.spec.proxy', () => {
  test('[PROV-31] calls, streams and their ends pass through the proxy, which finds the upstream', async () => {
    gateway = await startGateway(basicResources(NAME, viaProxy()));
    const body = JSON.stringify(messageBody({ stream: true }));
    mock.behave(() => ({ kind: 'events', count: 5, gapMs: 30 }));
    const answer = await call(gateway, {}, { body });
    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toContain('message_stop');
    expect(answer.chunks.length).toBeGreaterThanOrEqual(5);
    expect(new Set(proxy.asked)).toEqual(new Set(['llm.corp.test:8123']));
    const sent = mock.requests[0]!;
    expect(sent.body.toString()).toBe(body);
    expect(sent.headers).toMatchObject({ host: 'llm.corp.test:8123', 'x-api-key': PROVIDER_KEY });
    expect(sent.url).toBe('/v1/messages');
  });

  test('[PROV-31] [XLAT-01] bytes and headers are those of a direct call, repeated headers included', async () => {
    const direct = await startGateway(basicResources(mock.url));
    gateway = await startGateway(basicResources(NAME, viaProxy()));
    const headers = [...headersWith({ 'anthropic-beta': 'one-2031-01-01' }), 'Anthropic-Beta', 'two-2031-01-01'];
    const body = '{ "model":"claude-sonnet-4-6", "x":1.0, "messages":[] }';
    await send(direct.url, { headers, body });
    await send(gateway.url, { headers, body });
    const ours = ({ rawHeaders }: { rawHeaders: readonly string[] }): string[] =>
      Array.from(
        { length: rawHeaders.length / 2 },
        (_, i) => `${rawHeaders[2 * i]!.toLowerCase()}: ${rawHeaders[2 * i + 1]}`,
      )
        .filter((line) => !/^(host|connection):/.test(line))
        .toSorted();
    expect(ours(mock.requests[1]!)).toEqual(ours(mock.requests[0]!));
    expect(mock.requests[1]!.body.toString()).toBe(body);
    await direct.close();
  });

  test('[PROV-31] an https upstream is reached by CONNECT, and the proxy sees nothing but TLS', async () => {
    gateway = await startGateway(basicResources('https://api.llm.test', viaProxy()));
    expect((await call(gateway)).status).toBe(502);
    expect(new Set(proxy.asked)).toEqual(new Set(['api.llm.test:443']));
    expect(proxy.first.length).toBeGreaterThan(0);
    for (const bytes of proxy.first) {
      expect(bytes[0]).toBe(0x16);
      expect(bytes.toString('latin1')).not.toContain(PROVIDER_KEY);
    }
  });

  test('[PROV-31] it outranks the environment, and a reload may take it away', async () => {
    const other = await startProxy(mock.url);
    gateway = await startGateway(basicResources(mock.url, viaProxy()), {
      environmentProxy: { httpProxy: other.url, httpsProxy: other.url, noProxy: '*' },
    });
    expect((await call(gateway)).status).toBe(200);
    expect([proxy.asked.length, other.asked.length]).toEqual([1, 0]);
    gateway.reload(basicResources(mock.url));
    expect((await call(gateway)).status).toBe(200);
    expect([proxy.asked.length, other.asked.length]).toEqual([1, 0]);
    await other.close();
  });
});

describe('who goes directly', () => {
  test.each([
    ['127.0.0.1', true],
    ['127.0.0.0/8', true],
    ['*', true],
    ['10.0.0.0/8', false],
    ['127.0.0.2', false],
    ['corp.test', false],
  ])('[PROV-31] an upstream at 127.0.0.1 with noProxy %s: direct %s', async (entry, direct) => {
    gateway = await startGateway(basicResources(mock.url, viaProxy(['unrelated.test', entry])));
    expect((await call(gateway)).status).toBe(200);
    expect(proxy.asked.length).toBe(direct ? 0 : 1);
  });

  test.each(['corp.test', '.corp.test', '*.corp.test', 'LLM.corp.test', 'llm.corp.test:8123'])(
    '[PROV-31] llm.corp.test with noProxy %s is looked up here, not asked of the proxy',
    async (entry) => {
      gateway = await startGateway(basicResources(NAME, viaProxy([entry])));
      expect((await call(gateway)).status).toBe(502);
      expect(proxy.asked).toEqual([]);
    },
  );
});

describe('HTTP_PROXY, HTTPS_PROXY and NO_PROXY', () => {
  test.each<[string, { httpProxy?: true; httpsProxy?: true }, number]>([
    ['http', { httpProxy: true }, 1],
    ['http', { httpsProxy: true }, 0],
    ['https', { httpsProxy: true }, 1],
    ['https', { httpProxy: true }, 0],
  ])('[PROV-31] an %s upstream with %j', async (scheme, { httpProxy, httpsProxy }, tunnels) => {
    const base = scheme === 'http' ? mock.url : mock.url.replace('http', 'https');
    gateway = await startGateway(
      withObjects(basicResources(base), [upstream('anthropic', base, { retries: { connect: 0 } })]),
      {
        environmentProxy: {
          ...(httpProxy ? { httpProxy: proxy.url } : {}),
          ...(httpsProxy ? { httpsProxy: proxy.url } : {}),
          noProxy: '',
        },
      },
    );
    await call(gateway);
    expect(proxy.asked.length).toBe(tunnels);
  });

  test('[PROV-31] NO_PROXY holds for both', async () => {
    gateway = await startGateway(basicResources(mock.url), {
      environmentProxy: { httpProxy: proxy.url, httpsProxy: proxy.url, noProxy: 'other.test, 127.0.0.1' },
    });
    expect((await call(gateway)).status).toBe(200);
    expect(proxy.asked).toEqual([]);
  });
});

describe('a proxy that does not work', () => {
  const behind = (url: string, timeouts: Record<string, string> = {}) =>
    startGateway(
      siteResources([site('a', 'https://api.llm.test', 0), site('b', mock.url, 1)], {
        proxy: { url, noProxy: ['127.0.0.1'] },
        listen: { timeouts: { connect: '150ms', ...timeouts } },
      }),
    );

  test('[PROV-31] [ROUTE-06] [ROUTE-29] is like an upstream that cannot be reached: the next one serves', async () => {
    gateway = await behind('http://127.0.0.1:9');
    expect((await call(gateway)).status).toBe(200);
    expect((await gateway.record(({ status }) => status === 200))['upstream']).toBe('default/b');
  });

  test('[PROV-31] [ROUTE-06] neither does an address that is none bring a call down, first or later in the order', async () => {
    const other = await startMockAnthropic();
    mock.behave(() => ({ kind: 'status', status: 500 }));
    const sites = [site('a', mock.url, 0), site('b', 'https://api.llm.test', 1), site('c', other.url, 2)];
    gateway = await startGateway(
      siteResources(sites, { proxy: { url: 'http://proxy:99999', noProxy: ['127.0.0.1'] } }),
    );
    expect((await call(gateway)).status).toBe(200);
    expect([mock.received(), other.received()]).toEqual([1, 1]);
    await allPlacesFree(gateway);
    await other.close();
  });

  test.each([403, 407, 502])('[PROV-31] [ROUTE-06] a %i to CONNECT too', async (status) => {
    const refusing = await startProxy(mock.url, status);
    gateway = await behind(refusing.url);
    expect((await call(gateway)).status).toBe(200);
    expect(refusing.asked).toEqual(['api.llm.test:443', 'api.llm.test:443']);
    await refusing.close();
  });

  test('[PROV-31] [ROUTE-11] one that never answers is given up after the connect limit, not after the first-byte limit', async () => {
    const silent = await startProxy(mock.url, 0);
    gateway = await behind(silent.url, { firstByte: '60s' });
    const started = performance.now();
    expect((await call(gateway)).status).toBe(200);
    expect(performance.now() - started).toBeLessThan(3_000);
    await allPlacesFree(gateway);
    await silent.close();
  });
});
