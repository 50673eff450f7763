// How an upstream is chosen and left: cool-downs, health by model, overflow, hints, sessions, strategies, fallbacks to other models.
import { afterEach, describe, expect, test } from 'vitest';
import { gatewaySpec } from '#shared/api/gateway.ts';
import { parseDuration } from '#shared/duration.ts';
import { policy, withObjects } from '../harness/gateway.ts';
import type { Behaviour } from '../harness/mock-anthropic.ts';
import { recordOf, refusalOf } from './caller.ts';
import {
  begin,
  call,
  callerHeaders,
  errorOf,
  metric,
  metricBecomes,
  MODEL,
  site,
  siteResources,
  startSites,
  type Sites,
} from './routing.ts';

const OPUS = 'claude-opus-5-5';
const HAIKU = 'claude-haiku-5-5';

let sites: Sites;

afterEach(() => sites?.close());

const limited = (seconds?: string): Behaviour => ({
  kind: 'status',
  status: 429,
  ...(seconds === undefined ? {} : { headers: { 'retry-after': seconds } }),
});

/** Calls one after the other; how many each upstream received. */
async function calls(n: number, model = MODEL, headers: Record<string, string> = {}, path = '/v1/messages') {
  const before = sites.received();
  for (let i = 0; i < n; i++) await call(sites.gateway, { model }, { path, headers: callerHeaders(headers) });
  return sites.received().map((count, i) => count - before[i]!);
}

const session = (id: string) => ({ 'X-Claude-Code-Session-Id': id });

describe('cool-down', () => {
  test('[ROUTE-13] a 429 with Retry-After is honoured: left alone for that long and that model, then asked again', async () => {
    sites = await startSites([{}, {}]);
    sites.script(limited('1'));
    expect(await calls(1)).toEqual([1, 1]);
    sites.script();
    const until = performance.now() + 1_000;
    expect(await calls(3)).toEqual([0, 3]);
    expect(await calls(1, HAIKU)).toEqual([1, 0]);
    await expect.poll(() => calls(1), { timeout: 5_000 }).toEqual([1, 0]);
    expect(performance.now()).toBeGreaterThan(until - 100);
  });

  test.each([
    ['no Retry-After', undefined],
    ['a date', 'Fri, 31 Dec 2027 23:59:59 GMT'],
    ['nonsense', '-5'],
  ])('[ROUTE-09] with %s there is none', async (_name, header) => {
    sites = await startSites([{}, {}]);
    sites.script(limited(header));
    await calls(1);
    expect(await calls(3)).toEqual([3, 3]);
  });

  test('[ROUTE-13] when everybody asks for patience, everybody is asked all the same, and the answer is theirs', async () => {
    sites = await startSites([{}, {}]);
    sites.script(limited('30'), limited('20'));
    await calls(1);
    const answer = await call(sites.gateway);
    expect([answer.status, answer.headers['retry-after']]).toEqual([429, '20']);
    expect(sites.received()).toEqual([2, 2]);
  });

  test('[ROUTE-16] the limit of token counting cools nobody down', async () => {
    sites = await startSites([{}, {}]);
    sites.script(limited('60'));
    await calls(3, MODEL, {}, '/v1/messages/count_tokens');
    sites.script();
    expect(await calls(1)).toEqual([1, 0]);
  });
});

describe('health', () => {
  test('[ROUTE-13] [ROUTE-15] one model that fails at an upstream leaves the others there', async () => {
    const breaker = { consecutiveFailures: 3, openFor: '1h' };
    sites = await startSites([{ breaker }, { breaker }]);
    sites.script();
    sites.mocks[0]!.behave((request) =>
      request.json()?.['model'] === OPUS ? { kind: 'status', status: 500 } : { kind: 'text' },
    );
    expect(await calls(3, OPUS)).toEqual([3, 3]);
    expect(await calls(3, OPUS)).toEqual([0, 3]);
    expect(await calls(3, HAIKU)).toEqual([3, 0]);
    // Under a name of its own it is the same model.
    expect(await calls(1, `us.anthropic.${OPUS}`)).toEqual([0, 1]);
  });
});

describe('overflow', () => {
  test('[ROUTE-09] what is full is passed over; when all are full it is 529, and a free place serves again', async () => {
    sites = await startSites([{ maxConcurrent: 1 }, { maxConcurrent: 1 }]);
    sites.script({ kind: 'hang' }, { kind: 'hang' });
    const first = begin(sites.gateway);
    await expect.poll(() => sites.received()).toEqual([1, 0]);
    const second = begin(sites.gateway);
    await expect.poll(() => sites.received()).toEqual([1, 1]);
    // From now on they answer; the two calls from before stay where they are.
    sites.script();
    const full = await call(sites.gateway);
    expect(refusalOf(full)).toBe(
      '529 overloaded_error: every upstream you may use is at its limit of calls: try again',
    );
    expect(full.headers['retry-after']).toBe('1');
    expect((await recordOf(sites.gateway, full))['reason']).toBe('upstreams_full');
    expect((await call(sites.gateway, {}, { path: '/v1/messages/count_tokens' })).status).toBe(200);
    first.leave();
    await metricBecomes(sites.gateway, 'in_flight_upstream', 1);
    expect(await calls(2)).toEqual([2, 0]);
    second.leave();
  });
});

describe('hints', () => {
  test('[ROUTE-30] the configured header chooses; without configuration, or with another value, it does nothing', async () => {
    sites = await startSites([{}, {}], { routing: { hintHeader: 'x-org-route' } });
    sites.script();
    expect(await calls(2, MODEL, { 'X-Org-Route': 'b' })).toEqual([0, 2]);
    expect(await calls(2, MODEL, { 'X-Org-Route': 'nowhere' })).toEqual([2, 0]);
    sites.script({ kind: 'text' }, { kind: 'status', status: 503 });
    expect(await calls(1, MODEL, { 'X-Org-Route': 'b' })).toEqual([1, 1]);
    expect(JSON.stringify(sites.mocks[1]!.requests.at(-1)!.headers)).not.toContain('x-org-route');
    sites.gateway.reload(siteResources(sites.mocks.map(({ url }, i) => site('ab'[i]!, url, i))));
    sites.script();
    expect(await calls(2, MODEL, { 'X-Org-Route': 'b' })).toEqual([2, 0]);
  });
});

describe('sessions', () => {
  test('[ROUTE-14] a session that had to move stays where it was served; others begin where it would have', async () => {
    sites = await startSites([{}, {}]);
    sites.script(limited('1'));
    expect(await calls(1, MODEL, session('moved'))).toEqual([1, 1]);
    sites.script();
    await expect.poll(() => calls(1), { timeout: 5_000 }).toEqual([1, 0]);
    expect(await calls(3, MODEL, session('moved'))).toEqual([0, 3]);
    expect(await calls(1, MODEL, session('other'))).toEqual([1, 0]);
  });

  const equal = { priority: 5 };

  test.each(['RoundRobin', 'LeastBusy', 'Latency'])(
    '[ROUTE-14] %s spreads sessions and keeps each',
    async (strategy) => {
      sites = await startSites([equal, equal], { routing: { strategy } });
      sites.script();
      const homes = new Map<string, number[]>();
      for (let i = 0; i < 40; i++) homes.set(`s${i}`, await calls(1, MODEL, session(`s${i}`)));
      const [onA, onB] = sites.received();
      expect([onA! > 0, onB! > 0]).toEqual([true, true]);
      for (const [id, home] of homes) expect(await calls(1, MODEL, session(id))).toEqual(home);
    },
  );

  test('[ROUTE-14] stickyBy Caller keeps everything of a key together, None nothing', async () => {
    sites = await startSites([equal, equal], { routing: { stickyBy: 'Caller' } });
    sites.script();
    expect(Math.max(...(await calls(20)))).toBe(20);
    const reload = (stickyBy: string) =>
      sites.gateway.reload(
        siteResources(
          sites.mocks.map(({ url }, i) => site('ab'[i]!, url, 5)),
          { routing: { stickyBy } },
        ),
      );
    reload('None');
    const spread = await calls(40, MODEL, session('one'));
    expect(Math.min(...spread)).toBeGreaterThan(0);
  });

  test('[ROUTE-14] Cheapest goes where the model costs least', async () => {
    const priced = (input: string) => ({ ...equal, models: [{ id: MODEL, price: { input, output: '1' } }] });
    sites = await startSites([priced('3'), priced('2')], { routing: { strategy: 'Cheapest' } });
    sites.script();
    expect(await calls(5)).toEqual([0, 5]);
  });
});

describe('fallback to another model', () => {
  const models = {
    fallbacks: [
      { from: OPUS, to: MODEL },
      { from: MODEL, to: HAIKU },
    ],
  };
  const overloaded = (...busy: string[]) => {
    sites.script();
    for (const mock of sites.mocks) {
      mock.behave((request) =>
        busy.includes(String(request.json()?.['model'])) ? { kind: 'status', status: 529 } : { kind: 'text' },
      );
    }
  };
  const asked = () => sites.mocks.map((mock) => mock.requests.map((request) => request.json()?.['model']));

  test('[ROUTE-28] when every upstream failed for a model, the next of the chain answers, and record and metrics say so', async () => {
    sites = await startSites([{}, {}], { models });
    overloaded(OPUS, MODEL);
    const answer = await call(sites.gateway, { model: OPUS });
    expect(answer.status).toBe(200);
    expect(asked()).toEqual([
      [OPUS, MODEL, HAIKU],
      [OPUS, MODEL],
    ]);
    expect(await recordOf(sites.gateway, answer)).toMatchObject({
      requested_model: OPUS,
      model: HAIKU,
      served_model: HAIKU,
      attempts: 5,
    });
    expect(await metric(sites.gateway, 'model_fallbacks_total', { from: OPUS, to: MODEL })).toBe(1);
    expect(await metric(sites.gateway, 'requests_total', { model: HAIKU, status: '200' })).toBe(1);
  });

  test('[ROUTE-28] nobody in the chain could serve: the error is that of the last one asked', async () => {
    sites = await startSites([{}], { models });
    overloaded(OPUS, MODEL, HAIKU);
    const answer = await call(sites.gateway, { model: OPUS });
    expect([answer.status, errorOf(answer).error.type]).toEqual([529, 'overloaded_error']);
    expect(asked()).toEqual([[OPUS, MODEL, HAIKU]]);
  });

  test('[ROUTE-28] [AUTHZ-13] a model the caller may not use is passed over, never asked', async () => {
    sites = await startSites([{}], { models });
    const urls = sites.mocks.map(({ url }) => url);
    const narrow = policy('everyone', { match: { everyone: {} }, models: { deny: [MODEL] } });
    sites.gateway.reload(withObjects(siteResources([site('a', urls[0]!, 0)], { models }), [narrow]));
    overloaded(OPUS);
    expect((await call(sites.gateway, { model: OPUS })).status).toBe(200);
    expect(asked()).toEqual([[OPUS, HAIKU]]);
  });

  test('[ROUTE-28] without an entry there is none, and token counts never fall back', async () => {
    sites = await startSites([{}], { models });
    overloaded(HAIKU, OPUS);
    expect((await call(sites.gateway, { model: HAIKU })).status).toBe(529);
    expect((await call(sites.gateway, { model: OPUS }, { path: '/v1/messages/count_tokens' })).status).toBe(529);
    expect(asked()).toEqual([[HAIKU, OPUS]]);
  });
});

test('[ROUTE-12] silence within a stream is borne for longer than the 300 s after which clients give up themselves', () => {
  const { timeouts } = gatewaySpec.parse({ publicUrl: 'http://localhost:8080' }).listen;
  expect(parseDuration(timeouts.streamIdle)).toBeGreaterThan(300_000);
  expect(parseDuration(timeouts.firstByte)).toBeGreaterThan(10_000);
});
