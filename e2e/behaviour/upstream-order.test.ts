// The order of upstreams: priority, models they can serve, weights, sessions; and retries within one of them.
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { gatewaySpec } from '#shared/api/gateway.ts';
import { freePort } from '../harness/free-port.ts';
import { startGateway, withObjects, type TestGateway } from '../harness/gateway.ts';
import { call, callerHeaders, errorOf, metric, MODEL, site, siteResources, startSites, type Sites } from './routing.ts';

let sites: Sites | undefined;
let gateway: TestGateway | undefined;

afterEach(async () => {
  await sites?.close();
  await gateway?.close();
  sites = gateway = undefined;
});

const status = (code: number) => ({ kind: 'status', status: code }) as const;

describe('priority', () => {
  test('[ROUTE-04] [ROUTE-09] capacity overflows down the list: each 429 moves on, and the next call starts at the top', async () => {
    sites = await startSites([{}, {}, {}, {}]);
    for (const full of [0, 1, 2, 3, 0, 2]) {
      sites.script(...Array.from({ length: full }, () => status(429)));
      expect((await call(sites.gateway)).status).toBe(200);
      expect(sites.received()).toEqual([0, 1, 2, 3].map((i) => (i <= full ? 1 : 0)));
    }
  });

  test('[ROUTE-09] a hundred 429 in a row do not keep callers from provisioned capacity once it is back', async () => {
    sites = await startSites([{ breaker: { consecutiveFailures: 2 } }, {}]);
    sites.script(status(429));
    for (let i = 0; i < 100; i++) await call(sites.gateway);
    expect(sites.received()).toEqual([100, 100]);
    sites.script();
    await call(sites.gateway);
    expect(sites.received()).toEqual([1, 0]);
  });
});

describe('models', () => {
  const own = { models: [{ id: 'claude-house', upstreamId: 'claude-haiku-5-5' }] };

  test('[ROUTE-04] [ROUTE-05] a custom model goes only where it is mapped; the others are skipped without a call', async () => {
    sites = await startSites([{}, own, {}]);
    const answer = await call(sites.gateway, { model: 'claude-house' });
    expect(answer.status).toBe(200);
    expect(sites.received()).toEqual([0, 1, 0]);
    expect(sites.mocks[1]!.requests[0]!.json()?.['model']).toBe('claude-haiku-5-5');
  });

  test('[ROUTE-05] a custom model whose one upstream fails is not sent to another', async () => {
    sites = await startSites([{}, own]);
    sites.script({ kind: 'text' }, status(503));
    expect((await call(sites.gateway, { model: 'claude-house' })).status).toBe(502);
    expect(sites.received()).toEqual([0, 1]);
  });

  test('[ROUTE-05] a built-in model is tried everywhere, under the name each upstream has for it', async () => {
    sites = await startSites([{ models: [{ id: MODEL, upstreamId: 'provisioned/sonnet:7' }] }, {}]);
    sites.script(status(429));
    expect((await call(sites.gateway)).status).toBe(200);
    expect(sites.mocks.map((mock) => mock.requests[0]!.json()?.['model'])).toEqual(['provisioned/sonnet:7', MODEL]);
  });

  test('[ROUTE-08] the count in `all upstreams failed` is that of configured upstreams, skipped ones included', async () => {
    sites = await startSites([{}, own, { ...own, breaker: { consecutiveFailures: 1 } }]);
    sites.script({ kind: 'text' }, status(500), status(500));
    for (let i = 0; i < 2; i++) {
      const answer = await call(sites.gateway, { model: 'claude-house' });
      expect(errorOf(answer).error.message).toBe('all upstreams failed (3 attempted)');
    }
  });
});

describe('what fails over is configurable', () => {
  test.each([
    [['429'], status(500), 502],
    [['429'], status(404), 404],
    [['429'], status(401), 403],
    [['5xx'], status(429), 429],
    [['5xx'], status(501), 501],
    [['429'], { kind: 'hang' } as const, 504],
    [[], status(529), 529],
  ])('[ROUTE-06] with %j, %j is final', async (failoverOn, behaviour, code) => {
    sites = await startSites([{}, {}], { routing: { failoverOn }, listen: { timeouts: { firstByte: '100ms' } } });
    sites.script(behaviour);
    expect((await call(sites.gateway)).status).toBe(code);
    expect(sites.received()).toEqual([1, 0]);
  });

  test('[ROUTE-06] connection errors always lead to the next, whatever is configured', async () => {
    sites = await startSites([{}, {}], { routing: { failoverOn: [] } });
    await sites.mocks[0]!.close();
    expect((await call(sites.gateway)).status).toBe(200);
  });
});

describe('the first-byte limit', () => {
  test('[ROUTE-11] an upstream may have its own, shorter or longer than that of the Gateway', async () => {
    sites = await startSites([{ timeouts: { firstByte: '100ms' } }, {}], {
      listen: { timeouts: { firstByte: '60s' } },
    });
    sites.script({ kind: 'hang' });
    const started = performance.now();
    expect((await call(sites.gateway)).status).toBe(200);
    expect(performance.now() - started).toBeLessThan(3_000);
    await sites.close();

    sites = await startSites([{ timeouts: { firstByte: '60s' } }, {}], {
      listen: { timeouts: { firstByte: '100ms' } },
    });
    sites.script({ kind: 'text', delayMs: 500 });
    expect((await call(sites.gateway)).status).toBe(200);
    expect(sites.received()).toEqual([1, 0]);
  });

  test('[ROUTE-11] it is 120 seconds where nobody says otherwise', () => {
    expect(gatewaySpec.parse({ publicUrl: 'http://localhost:8080' }).listen.timeouts.firstByte).toBe('120s');
  });
});

describe('retries within one upstream', () => {
  test.each([0, 1, 3])(
    '[ROUTE-29] a refused connection is tried %i times more, then the next upstream',
    async (connect) => {
      sites = await startSites([{ retries: { connect } }, {}]);
      await sites.mocks[0]!.close();
      const answer = await call(sites.gateway);
      expect(answer.status).toBe(200);
      expect(await metric(sites.gateway, 'upstream_attempts_total', { upstream: 'default/a', result: 'connect' })).toBe(
        connect + 1,
      );
      const record = await sites.gateway.record((each) => each['request_id'] === answer.headers['x-request-id']);
      expect(record['attempts']).toBe(connect + 2);
    },
  );

  test('[ROUTE-29] a connection that is made and then breaks is not tried again: bytes may have arrived', async () => {
    let connections = 0;
    const breaking = createServer((socket) => {
      connections++;
      socket.once('data', () => socket.resetAndDestroy()).on('error', () => undefined);
    });
    await new Promise<void>((resolve) => breaking.listen(0, '127.0.0.1', resolve));
    const { port } = breaking.address() as AddressInfo;
    gateway = await startGateway(
      siteResources([site('a', `http://127.0.0.1:${port}`, 0, { retries: { connect: 5 } })]),
    );
    expect((await call(gateway)).status).toBe(502);
    expect(connections).toBe(1);
    await new Promise((resolve) => breaking.close(resolve));
  });

  test.each([500, 503, 529, 429, 400])('[ROUTE-29] a %i is not asked for twice', async (code) => {
    sites = await startSites([{ retries: { connect: 5 } }]);
    sites.script(status(code));
    await call(sites.gateway);
    expect(sites.received()).toEqual([1]);
  });

  test('[ROUTE-29] [ROUTE-08] nobody listens anywhere: 502, retryable', async () => {
    const ports = [await freePort(), await freePort()];
    gateway = await startGateway(siteResources(ports.map((port, i) => site('ab'[i]!, `http://127.0.0.1:${port}`, i))));
    const answer = await call(gateway);
    expect(errorOf(answer).error).toEqual({ type: 'api_error', message: 'all upstreams failed (2 attempted)' });
    expect(answer.headers['x-should-retry']).toBeUndefined();
  });
});

describe('weights and sessions', () => {
  const equal = { priority: 5 };
  const served = async (session: string): Promise<number[]> => {
    sites!.script();
    await call(sites!.gateway, {}, { headers: callerHeaders({ 'X-Claude-Code-Session-Id': session }) });
    return sites!.received();
  };

  test('[ROUTE-10] [XLAT-01] a session stays with one upstream; sessions spread by weight', async () => {
    sites = await startSites([
      { ...equal, weight: 3 },
      { ...equal, weight: 1 },
    ]);
    const first = await served('session-0');
    for (let i = 0; i < 20; i++) expect(await served('session-0')).toEqual(first);
    // The choice is a hash of fixed names, so this is the same in every run.
    let onA = 0;
    for (let i = 0; i < 200; i++) onA += (await served(`session-${i}`))[0]!;
    expect(onA / 200).toBeGreaterThan(0.65);
    expect(onA / 200).toBeLessThan(0.85);
  });

  test('[ROUTE-04] weight 0 serves only when its equals failed', async () => {
    sites = await startSites([
      { ...equal, weight: 0 },
      { ...equal, weight: 1 },
    ]);
    for (let i = 0; i < 20; i++) expect(await served(`session-${i}`)).toEqual([0, 1]);
    sites.script({ kind: 'text' }, status(503));
    expect((await call(sites.gateway)).status).toBe(200);
    expect(sites.received()).toEqual([1, 1]);
  });
});

describe('who served', () => {
  test('[ROUTE-25] named in a response header when the Gateway says so, on whole answers and streams, otherwise not', async () => {
    sites = await startSites([{}, {}], { routing: { exposeUpstream: true } });
    sites.script(status(500));
    expect((await call(sites.gateway)).headers['x-portcullis-upstream']).toBe('default/b');
    expect((await call(sites.gateway, { stream: true })).headers['x-portcullis-upstream']).toBe('default/b');
    const urls = sites.mocks.map(({ url }) => url);
    sites.gateway.reload(siteResources(urls.map((url, i) => site('ab'[i]!, url, i))));
    expect((await call(sites.gateway)).headers['x-portcullis-upstream']).toBeUndefined();
  });

  test('[ROUTE-25] the audit record names upstream, its status and the model it was asked for', async () => {
    sites = await startSites([{}, {}]);
    sites.script(status(404));
    const answer = await call(sites.gateway, { model: `us.anthropic.${MODEL}` });
    const record = await sites.gateway.record((each) => each['request_id'] === answer.headers['x-request-id']);
    expect(record).toMatchObject({ upstream: 'default/b', upstream_status: 200, served_model: MODEL, attempts: 2 });
  });
});

test('[ROUTE-10] the same provider twice under two names, both in the audit', async () => {
  sites = await startSites([{}, {}]);
  const moved = withObjects(siteResources([site('a', sites.mocks[0]!.url, 5), site('b', sites.mocks[1]!.url, 1)]), []);
  await call(sites.gateway);
  sites.gateway.reload(moved);
  await call(sites.gateway);
  await sites.gateway.record(({ upstream }) => upstream === 'default/b');
  expect(sites.gateway.audit.map(({ upstream }) => upstream)).toEqual(['default/a', 'default/b']);
});
