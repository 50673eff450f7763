// Places for upstream calls: the cap, the bounded queue in front of it, and that every way a call can end gives its place back.
import { afterEach, describe, expect, test } from 'vitest';
import { basicResources, importedKey, startGateway, withObjects, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type Behaviour, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { allPlacesFree, begin, call, errorOf, metric, metricBecomes, type Begun } from './routing.ts';

let mock: MockAnthropic;
let gateway: TestGateway;

afterEach(async () => {
  await gateway.close();
  await mock.close();
});

const resources = (listen: Record<string, unknown>, spec: Record<string, unknown> = {}) =>
  basicResources(mock.url, { listen, ...spec });

async function start(
  limits: Record<string, unknown>,
  timeouts: Record<string, unknown> = {},
  spec: Record<string, unknown> = {},
): Promise<void> {
  mock = await startMockAnthropic({ behave: () => ({ kind: 'hang' }) });
  gateway = await startGateway(resources({ limits, timeouts: { drain: '0s', ...timeouts } }, spec));
}

describe('the cap and its queue', () => {
  test('[ROUTE-22] [OPS-21] [ERR-07] one call runs, one waits, the third is answered 529 at once', async () => {
    await start({ maxConcurrentUpstream: 1, maxQueued: 1 });
    const running = begin(gateway);
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    const waiting = begin(gateway);
    await metricBecomes(gateway, 'queued', 1);
    expect(await metric(gateway, 'max_concurrent_upstream')).toBe(1);

    const refused = await call(gateway);
    expect(refused.status).toBe(529);
    expect(errorOf(refused).error.type).toBe('overloaded_error');
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.headers['x-should-retry']).toBeUndefined();
    await gateway.record(({ reason }) => reason === 'queue_full');
    expect(await metric(gateway, 'refusals_total', { reason: 'queue_full' })).toBe(1);
    expect(mock.received()).toBe(1);

    running.leave();
    waiting.leave();
    await allPlacesFree(gateway);
  });

  test('[ROUTE-22] by default thousands run at once: 300 streams of which none ends', async () => {
    await start({});
    expect(await metric(gateway, 'max_concurrent_upstream')).toBe(4096);
    const calls = Array.from({ length: 300 }, () => begin(gateway));
    await metricBecomes(gateway, 'in_flight_upstream', 300);
    for (const { leave } of calls) leave();
    await allPlacesFree(gateway);
  });

  test('[ROUTE-22] those who wait are served in the order they came, each when a place is free', async () => {
    await start({ maxConcurrentUpstream: 1, maxQueued: 10 });
    const first = begin(gateway);
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    const waiting: Begun[] = [];
    for (const tokens of [101, 102, 103]) {
      waiting.push(begin(gateway, { max_tokens: tokens }));
      await metricBecomes(gateway, 'queued', waiting.length);
    }
    mock.behave(() => ({ kind: 'text' }));
    first.leave();
    expect((await Promise.all(waiting.map(({ answer }) => answer))).map(({ status }) => status)).toEqual([
      200, 200, 200,
    ]);
    expect(mock.requests.slice(1).map((request) => request.json()?.['max_tokens'])).toEqual([101, 102, 103]);
    await allPlacesFree(gateway);
  });

  test('[ROUTE-22] a caller who leaves the queue gives up its turn and never reaches an upstream', async () => {
    await start({ maxConcurrentUpstream: 1, maxQueued: 2 });
    const first = begin(gateway);
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    const leaver = begin(gateway, { max_tokens: 101 });
    await metricBecomes(gateway, 'queued', 1);
    const next = begin(gateway, { max_tokens: 102 });
    await metricBecomes(gateway, 'queued', 2);
    leaver.leave();
    await metricBecomes(gateway, 'queued', 1);
    const record = await gateway.record(({ outcome }) => outcome === 'client_aborted');
    expect(record['attempts']).toBeUndefined();
    mock.behave(() => ({ kind: 'text' }));
    first.leave();
    expect((await next.answer).status).toBe(200);
    expect(mock.requests.map((request) => request.json()?.['max_tokens'])).toEqual([16, 102]);
    await allPlacesFree(gateway);
  });

  test('[ROUTE-22] a wait that takes too long ends in 529, not in a hung call', async () => {
    await start({ maxConcurrentUpstream: 1, maxQueued: 5 }, { queue: '100ms' });
    const running = begin(gateway);
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    const refused = await call(gateway);
    expect([refused.status, errorOf(refused).error.type]).toEqual([529, 'overloaded_error']);
    expect((await gateway.record(({ status }) => status === 529))['reason']).toBe('queue_timeout');
    running.leave();
    await allPlacesFree(gateway);
  });

  test('[ROUTE-22] [ROUTE-24] a higher cap lets the queue in without waiting for a running call to end', async () => {
    const limits = { maxConcurrentUpstream: 1, maxQueued: 10 };
    await start(limits);
    const calls = [begin(gateway)];
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    calls.push(begin(gateway), begin(gateway));
    await metricBecomes(gateway, 'queued', 2);
    gateway.reload(resources({ limits: { ...limits, maxConcurrentUpstream: 5 }, timeouts: { drain: '0s' } }));
    await metricBecomes(gateway, 'queued', 0);
    await metricBecomes(gateway, 'in_flight_upstream', 3);
    for (const { leave } of calls) leave();
    await allPlacesFree(gateway);
  });

  test('[ROUTE-22] a lower cap holds for the next call although more are running', async () => {
    await start({ maxConcurrentUpstream: 2, maxQueued: 0 });
    const calls = [begin(gateway), begin(gateway)];
    await metricBecomes(gateway, 'in_flight_upstream', 2);
    gateway.reload(resources({ limits: { maxConcurrentUpstream: 1, maxQueued: 0 }, timeouts: { drain: '0s' } }));
    calls[0]!.leave();
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    expect((await call(gateway)).status).toBe(529);
    calls[1]!.leave();
    await allPlacesFree(gateway);
  });
});

describe('every ending gives the place back, once', () => {
  const stream = { stream: true };
  const endings: readonly (readonly [name: string, behaviour: Behaviour, body: object, status: number])[] = [
    ['a whole message', { kind: 'text' }, {}, 200],
    ['a whole stream', { kind: 'text' }, stream, 200],
    ['an error event of the upstream', { kind: 'error-event', afterEvents: 2 }, stream, 200],
    ['a stream cut in the middle', { kind: 'cut', afterEvents: 2 }, stream, 200],
    ['a stream cut before its first event', { kind: 'cut', afterEvents: 0 }, stream, 502],
    ['a message cut in the middle', { kind: 'cut', afterEvents: 0 }, {}, 200],
    ['a silent stream', { kind: 'silence', afterEvents: 2 }, stream, 200],
    ['no headers in time', { kind: 'hang' }, stream, 504],
    ['a refusal', { kind: 'status', status: 400 }, {}, 400],
    ['a failure', { kind: 'status', status: 500 }, {}, 502],
    ['a redirect', { kind: 'redirect', location: 'http://127.0.0.1:9/' }, {}, 502],
    ['a model nobody knows', { kind: 'text' }, { model: 'nobody-knows' }, 400],
  ];

  test.each(endings)('[ROUTE-22] %s', async (_name, behaviour, body, status) => {
    await start({ maxConcurrentUpstream: 1, maxQueued: 0 }, { firstByte: '100ms', streamIdle: '300ms' });
    mock.behave(() => behaviour);
    const answer = await call(gateway, body as Record<string, unknown>);
    expect(answer.status).toBe(status);
    await allPlacesFree(gateway);
    mock.behave(() => ({ kind: 'text' }));
    expect((await call(gateway)).status).toBe(200);
    await allPlacesFree(gateway);
  });

  test('[ROUTE-22] an upstream nobody listens at', async () => {
    await start({ maxConcurrentUpstream: 1, maxQueued: 0 });
    await mock.close();
    expect((await call(gateway)).status).toBe(502);
    await allPlacesFree(gateway);
  });

  test('[ROUTE-22] a key revoked under a running stream', async () => {
    await start({ maxConcurrentUpstream: 1, maxQueued: 0 }, {}, { virtualKeys: { onRevoke: 'Cut' } });
    mock.behave(() => ({ kind: 'silence', afterEvents: 2 }));
    const running = begin(gateway, stream);
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    gateway.reload(
      withObjects(resources({}, { virtualKeys: { onRevoke: 'Cut' } }), [importedKey('ci', { state: 'Revoked' })]),
    );
    await running.answer;
    await allPlacesFree(gateway);
  });
});

describe('a client that goes away', () => {
  test('[ROUTE-23] before the headers: the upstream call is cancelled within a second', async () => {
    await start({ maxConcurrentUpstream: 1, maxQueued: 0 });
    const leaver = begin(gateway);
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    await expect.poll(() => mock.received()).toBe(1);
    const left = performance.now();
    leaver.leave();
    expect(await mock.requests[0]!.ended).toBe('aborted');
    expect(performance.now() - left).toBeLessThan(1_000);
    expect((await gateway.record(({ outcome }) => outcome === 'client_aborted'))['upstream']).toBe('default/anthropic');
    await allPlacesFree(gateway);
  });

  test('[ROUTE-23] in the middle of a stream: cancelled within a second, and what was produced is charged', async () => {
    await start({ maxConcurrentUpstream: 1, maxQueued: 0 });
    mock.behave(() => ({ kind: 'events', count: 10_000, gapMs: 5, usage: { input_tokens: 1_000 } }));
    const leaver = begin(gateway, { stream: true });
    await expect.poll(() => mock.received()).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const left = performance.now();
    leaver.leave();
    expect(await mock.requests[0]!.ended).toBe('aborted');
    expect(performance.now() - left).toBeLessThan(1_000);
    const record = await gateway.record(({ outcome }) => outcome === 'client_aborted');
    expect(record['usage_estimated']).toBe(true);
    const usage = record['usage'] as { inputTokens: number; outputTokens: number };
    expect(usage.inputTokens).toBe(1_000);
    expect(usage.outputTokens).toBeGreaterThan(1);
    expect(Number(record['cost_usd'])).toBeGreaterThan(0);
    await allPlacesFree(gateway);
  });
});
