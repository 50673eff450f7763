// Which upstream is tried next, when, and what the client gets when none could serve.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Behaviour } from '../harness/mock-anthropic.ts';
import { call, errorOf, metric, siteKey, startSites, type Sites } from './routing.ts';

let sites: Sites;

// The breakers stay out of it: the table fails each upstream hundreds of times.
const spec = { breaker: { consecutiveFailures: 1000 } };

beforeAll(async () => {
  sites = await startSites([spec, spec], { listen: { timeouts: { firstByte: '100ms' } } });
});

afterAll(() => sites.close());

const status = (code: number): Behaviour => ({
  kind: 'status',
  status: code,
  errorType: TYPES[code],
  message: `words of a ${code}`,
});

/** As the mock words them. */
const TYPES: Readonly<Record<number, string>> = {
  404: 'not_found_error',
  429: 'rate_limit_error',
  501: 'not_supported',
  529: 'overloaded_error',
};

/** What a client gets when both upstreams failed, by the statuses in the order of the attempts (wire contract §5.6). */
function expected(first: number, second: number): { status: number; type: string; message: string } {
  const winner = [[429], [401, 403], [404], [501], [529]]
    .map((group) => [second, first].find((code) => group.includes(code)))
    .find((code) => code !== undefined);
  if (winner === undefined) return { status: 502, type: 'api_error', message: 'all upstreams failed (2 attempted)' };
  const ours = expect.stringContaining('upstream authentication failed at the gateway') as string;
  if (winner === 401 || winner === 403) return { status: 403, type: 'permission_error', message: ours };
  return { status: winner, type: TYPES[winner]!, message: `words of a ${winner}` };
}

const FAILING = [401, 403, 404, 429, 500, 501, 502, 503, 504, 529];

/** Headers that are no HTTP. */
const garbled: Behaviour = { kind: 'raw', status: 200, headers: { 'content-length': '-1' }, chunks: [] };

describe('when every upstream failed', () => {
  const pairs = FAILING.flatMap((first) => FAILING.map((second) => [first, second] as const));

  test.each(pairs)('[ROUTE-06] [ROUTE-08] [ERR-07] [ERR-08] %i, then %i', async (first, second) => {
    sites.script(status(first), status(second));
    const answer = await call(sites.gateway);
    const { error } = errorOf(answer);
    expect({ status: answer.status, ...error }).toEqual(expected(first, second));
    expect(sites.received()).toEqual([1, 1]);
  });

  test('[ROUTE-08] the last of several 429 is returned, with its own words and its own Retry-After', async () => {
    sites.script(
      { kind: 'status', status: 429, message: 'first', headers: { 'retry-after': '7' } },
      { kind: 'status', status: 429, message: 'second', headers: { 'retry-after': '9' } },
    );
    const answer = await call(sites.gateway);
    expect(errorOf(answer).error.message).toBe('second');
    expect(answer.headers['retry-after']).toBe('9');
  });

  test.each<[string, Behaviour]>([
    ['headers that are no HTTP', garbled],
    ['a redirect', { kind: 'redirect', location: 'http://127.0.0.1:9/elsewhere' }],
  ])('[ROUTE-08] %s and a 500: our own 502', async (_name, behaviour) => {
    sites.script(behaviour, status(500));
    const answer = await call(sites.gateway);
    expect(answer.status).toBe(502);
    expect(errorOf(answer).error).toEqual({ type: 'api_error', message: 'all upstreams failed (2 attempted)' });
    expect(sites.received()).toEqual([1, 1]);
  });

  test('[ROUTE-11] [ERR-07] no headers from anybody in time: 504 timeout_error; a timeout and a 500: 502', async () => {
    sites.script({ kind: 'hang' }, { kind: 'hang' });
    const timedOut = await call(sites.gateway);
    expect([timedOut.status, errorOf(timedOut).error.type]).toEqual([504, 'timeout_error']);
    expect(sites.received()).toEqual([1, 1]);
    sites.script({ kind: 'hang' }, status(500));
    const failed = await call(sites.gateway);
    expect([failed.status, errorOf(failed).error.message]).toEqual([502, 'all upstreams failed (2 attempted)']);
  });
});

describe('which answers lead to the next upstream', () => {
  test.each([...FAILING, 520, 599])('[ROUTE-06] %i does, and the client sees nothing of it', async (code) => {
    sites.script(status(code), { kind: 'text', text: 'served' });
    const answer = await call(sites.gateway);
    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toContain('served');
    expect(sites.received()).toEqual([1, 1]);
    const record = await sites.gateway.record((each) => each['request_id'] === answer.headers['x-request-id']);
    expect([record['attempts'], record['upstream']]).toEqual([2, 'default/b']);
  });

  test.each([400, 402, 405, 408, 409, 413, 415, 422, 499])('[ROUTE-06] %i does not', async (code) => {
    sites.script(status(code), { kind: 'text' });
    const answer = await call(sites.gateway);
    expect(answer.status).toBe(code);
    expect(errorOf(answer).error.message).toBe(`words of a ${code}`);
    expect(sites.received()).toEqual([1, 0]);
  });

  test('[ROUTE-06] [ROUTE-11] silence beyond the first-byte limit does; the wait is the limit, not more', async () => {
    sites.script({ kind: 'hang' }, { kind: 'text' });
    const started = performance.now();
    const answer = await call(sites.gateway, { stream: true });
    expect(answer.status).toBe(200);
    expect(performance.now() - started).toBeGreaterThanOrEqual(100);
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(await sites.mocks[0]!.requests.at(-1)!.ended).toBe('aborted');
  });

  test('[ROUTE-11] the first-byte limit says nothing about the body: a stream may last many times longer', async () => {
    sites.script({ kind: 'events', count: 10, gapMs: 60 });
    const answer = await call(sites.gateway, { stream: true });
    expect(answer.body.toString()).toContain('message_stop');
    expect(sites.received()).toEqual([1, 0]);
  });

  test('[ROUTE-06] the body reaches the second upstream whole, also when it is large', async () => {
    sites.script(status(500));
    const text = 'x'.repeat(3_000_000);
    const answer = await call(sites.gateway, { messages: [{ role: 'user', content: text }] });
    expect(answer.status).toBe(200);
    const [first, second] = sites.mocks.map((mock) => mock.requests.at(-1)!.body);
    expect(second!.length).toBeGreaterThan(3_000_000);
    expect(second!.equals(first!)).toBe(true);
  });

  test('[ROUTE-10] [PROV-22] each upstream gets its own credential, never that of the one before', async () => {
    sites.script(status(429));
    await call(sites.gateway);
    const headers = sites.mocks.map((mock) => mock.requests.at(-1)!.headers);
    expect(headers.map((each) => each['x-api-key'])).toEqual([siteKey('a'), siteKey('b')]);
    expect(JSON.stringify(headers[1])).not.toContain(siteKey('a'));
  });
});

describe('between the headers and the first byte', () => {
  const SSE_ALONE = { kind: 'raw', status: 200, headers: { 'content-type': 'text/event-stream' }, chunks: [] } as const;
  const COMPRESSED = { 'content-type': 'text/event-stream', 'content-encoding': 'br' };
  const begins = (errorType: string): Behaviour => ({
    kind: 'error-event',
    afterEvents: 0,
    errorType,
    message: 'words',
  });

  test.each<[string, Behaviour]>([
    ['is cut', { kind: 'cut', afterEvents: 0 }],
    ['ends', SSE_ALONE],
    ['is not what its coding says', { ...SSE_ALONE, headers: COMPRESSED, chunks: ['no brotli at all'] }],
    ['says that it is overloaded', begins('overloaded_error')],
    ['says that there are too many calls', begins('rate_limit_error')],
    ['says that it failed', begins('api_error')],
  ])(
    '[ROUTE-06] [ROUTE-07] a stream that %s goes to the next upstream, and the client sees one answer',
    async (_n, how) => {
      sites.script(how);
      const answer = await call(sites.gateway, { stream: true });
      expect([answer.status, answer.complete]).toEqual([200, true]);
      expect(answer.body.toString().match(/event: message_start/g)).toHaveLength(1);
      expect(answer.body.toString()).not.toContain('event: error');
      expect(sites.received()).toEqual([1, 1]);
      const record = await sites.gateway.record((each) => each['request_id'] === answer.headers['x-request-id']);
      expect(record).toMatchObject({ outcome: 'complete', attempts: 2, upstream: 'default/b' });
    },
  );

  test('[ROUTE-06] an error that is the client’s own is the answer', async () => {
    sites.script(begins('invalid_request_error'));
    const answer = await call(sites.gateway, { stream: true });
    expect(answer.body.toString()).toContain('invalid_request_error');
    expect(sites.received()).toEqual([1, 0]);
  });

  test('when every upstream breaks off there, the client gets a status instead of a broken stream', async () => {
    sites.script({ kind: 'cut', afterEvents: 0 }, { kind: 'cut', afterEvents: 0 });
    const answer = await call(sites.gateway, { stream: true });
    expect([answer.status, answer.complete]).toEqual([502, true]);
    expect(sites.received()).toEqual([1, 1]);
  });

  test('when every upstream begins with an error event, that of the last is relayed', async () => {
    sites.script(begins('overloaded_error'), begins('overloaded_error'));
    const answer = await call(sites.gateway, { stream: true });
    expect([answer.status, answer.complete]).toEqual([200, true]);
    expect(answer.body.toString().match(/event: error/g)).toHaveLength(1);
    expect(sites.received()).toEqual([1, 1]);
  });
});

describe('after the first byte', () => {
  test('[ROUTE-07] [ERR-09] a stream cut after some events ends with an error event, and nobody else is tried', async () => {
    sites.script({ kind: 'cut', afterEvents: 2 });
    const answer = await call(sites.gateway, { stream: true });
    expect([answer.status, answer.complete]).toEqual([200, true]);
    const last = answer.body.toString().trimEnd().split('\n\n').at(-1)!;
    const [event, data] = last.split('\n');
    expect(event).toBe('event: error');
    expect(JSON.parse(data!.slice('data: '.length))).toMatchObject({
      type: 'error',
      error: { type: 'api_error', message: expect.stringContaining('upstream connection was lost') as string },
      request_id: answer.headers['x-request-id'],
    });
    expect(sites.received()).toEqual([1, 0]);
    const record = await sites.gateway.record((each) => each['request_id'] === answer.headers['x-request-id']);
    expect([record['outcome'], record['attempts']]).toEqual(['upstream_cut', 1]);
  });

  test('[ROUTE-07] a plain answer cut in the middle breaks off visibly, and nobody else is tried', async () => {
    sites.script({ kind: 'cut', afterEvents: 0 });
    const answer = await call(sites.gateway);
    expect(answer.complete).toBe(false);
    expect(sites.received()).toEqual([1, 0]);
  });

  test('[ROUTE-07] [ERR-09] an error event of the upstream is the answer: relayed, nobody else tried', async () => {
    sites.script({ kind: 'error-event', afterEvents: 1, errorType: 'overloaded_error', message: 'Overloaded' });
    const answer = await call(sites.gateway, { stream: true });
    expect(answer.body.toString().match(/event: error/g)).toHaveLength(1);
    expect(answer.body.toString()).toContain('overloaded_error');
    expect(sites.received()).toEqual([1, 0]);
  });
});

describe('metrics', () => {
  test('[ROUTE-25] every attempt is counted by upstream and result, the call by the upstream that served it', async () => {
    const count = (upstream: string, result: string) =>
      metric(sites.gateway, 'upstream_attempts_total', { upstream, result });
    const before = await Promise.all([count('default/a', '503'), count('default/b', '200')]);
    const served = await metric(sites.gateway, 'requests_total', { upstream: 'default/b', status: '200' });
    sites.script(status(503));
    await call(sites.gateway);
    expect(await Promise.all([count('default/a', '503'), count('default/b', '200')])).toEqual(before.map((n) => n + 1));
    expect(await metric(sites.gateway, 'requests_total', { upstream: 'default/b', status: '200' })).toBe(served + 1);
  });
});
