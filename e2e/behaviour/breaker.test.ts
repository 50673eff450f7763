// The breaker as callers see it: an upstream that keeps failing is left alone for a while, as long as another one can serve.
import { afterEach, describe, expect, test } from 'vitest';
import { begin, call, metric, site, siteResources, startSites, type Sites } from './routing.ts';

let sites: Sites;

afterEach(() => sites.close());

const OPEN_FOR_MS = 200;
const breaker = { breaker: { consecutiveFailures: 3, openFor: `${OPEN_FOR_MS}ms` } };
const long = { breaker: { consecutiveFailures: 3, openFor: '1h' } };
const failing = { kind: 'status', status: 500 } as const;

async function calls(n: number, path = '/v1/messages'): Promise<number[]> {
  const before = sites.received();
  for (let i = 0; i < n; i++) await call(sites.gateway, {}, { path });
  return sites.received().map((count, i) => count - before[i]!);
}

const elapsed = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('opening', () => {
  test.each([
    ['500', failing],
    ['401', { kind: 'status', status: 401 }],
    ['529', { kind: 'status', status: 529 }],
    ['silence', { kind: 'hang' }],
    ['redirects', { kind: 'redirect', location: '/' }],
  ] as const)('[ROUTE-06] after three %s in a row the upstream is left alone', async (_name, behaviour) => {
    sites = await startSites([long, long], { listen: { timeouts: { firstByte: '100ms' } } });
    sites.script(behaviour);
    expect(await calls(3)).toEqual([3, 3]);
    expect(await calls(10)).toEqual([0, 10]);
  });

  test('[ROUTE-09] 429 and 404 are no illness: nothing opens', async () => {
    sites = await startSites([long, long]);
    for (const status of [429, 404]) {
      sites.script({ kind: 'status', status });
      expect(await calls(10)).toEqual([10, 10]);
    }
  });

  test('[ROUTE-06] only failures in a row count: a success or an honest refusal in between starts again', async () => {
    sites = await startSites([long, long]);
    for (const healthy of [{ kind: 'text' }, { kind: 'status', status: 400 }] as const) {
      for (let round = 0; round < 4; round++) {
        sites.script(failing);
        expect(await calls(2)).toEqual([2, 2]);
        sites.script(healthy);
        expect(await calls(1)).toEqual([1, 0]);
      }
    }
  });

  test('[ROUTE-16] counting tokens never opens it, however it fails, and never closes it', async () => {
    sites = await startSites([long, long], { listen: { timeouts: { firstByte: '100ms' } } });
    const count = '/v1/messages/count_tokens';
    for (const behaviour of [failing, { kind: 'status', status: 401 }, { kind: 'hang' }] as const) {
      sites.script(behaviour);
      expect(await calls(5, count)).toEqual([5, 5]);
    }
    sites.script();
    expect(await calls(1)).toEqual([1, 0]);

    sites.script(failing);
    await calls(2);
    sites.script();
    expect(await calls(1, count)).toEqual([1, 0]);
    sites.script(failing);
    await calls(1);
    expect(await calls(2)).toEqual([0, 2]);
  });
});

describe('while open', () => {
  test('[ROUTE-04] an upstream that is the only one is asked all the same', async () => {
    sites = await startSites([long]);
    sites.script(failing);
    expect(await calls(10)).toEqual([10]);
    sites.script();
    expect((await call(sites.gateway)).status).toBe(200);
  });

  test('[ROUTE-04] when nobody else could serve, it is the last resort', async () => {
    sites = await startSites([long, { breaker: { consecutiveFailures: 1000 } }]);
    sites.script(failing);
    await calls(3);
    sites.script({ kind: 'text', text: 'well again' }, failing);
    const answer = await call(sites.gateway);
    expect([answer.status, sites.received()]).toEqual([200, [1, 1]]);
  });

  test('[ROUTE-24] a new configuration does not make it forget', async () => {
    sites = await startSites([long, long]);
    sites.script(failing);
    await calls(3);
    sites.gateway.reload(siteResources(sites.mocks.map(({ url }, i) => site('ab'[i]!, url, i, long))));
    expect(await calls(2)).toEqual([0, 2]);
  });
});

describe('half open', () => {
  test('[ROUTE-06] one call probes; the others keep away until it has its answer', async () => {
    sites = await startSites([breaker, breaker], { listen: { timeouts: { firstByte: '5s' } } });
    sites.script(failing);
    await calls(3);
    await elapsed(OPEN_FOR_MS + 50);
    sites.script({ kind: 'hang' });
    const probe = begin(sites.gateway);
    await expect.poll(() => sites.received()[0]).toBe(1);
    expect(await calls(5)).toEqual([0, 5]);
    probe.leave();
  });

  test('[ROUTE-06] after its time one failure opens it again, one success closes it', async () => {
    sites = await startSites([breaker, breaker]);
    sites.script(failing);
    expect(await calls(3)).toEqual([3, 3]);
    expect(await calls(2)).toEqual([0, 2]);
    await elapsed(OPEN_FOR_MS + 50);
    expect(await calls(3)).toEqual([1, 3]);
    await elapsed(OPEN_FOR_MS + 50);
    sites.script();
    expect(await calls(5)).toEqual([5, 0]);
    sites.script(failing);
    expect(await calls(2)).toEqual([2, 2]);
    sites.script();
    expect(await calls(1)).toEqual([1, 0]);
    expect(await metric(sites.gateway, 'requests_total', { status: '502' })).toBe(0);
  });
});
