// How a streamed answer ends before its time: the upstream breaks off, falls silent or reports an error, the client leaves.
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  basicResources,
  eventually,
  startGateway,
  upstream,
  withObjects,
  type TestGateway,
} from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { turn } from './claude-code.ts';
import { begin, open, readUntil, send } from './http-client.ts';
import { delta, END, events, SSE, START } from './sse.ts';

let mock: MockAnthropic;
let second: MockAnthropic;
let gateway: TestGateway;

beforeAll(async () => {
  mock = await startMockAnthropic();
  second = await startMockAnthropic();
  const base = basicResources(mock.url, {
    listen: { timeouts: { ping: '1h', streamIdle: '400ms' } },
    // Every call begins with the first upstream, whatever became of the one before.
    routing: { stickyBy: 'None' },
  });
  gateway = await startGateway(
    withObjects(base, [
      upstream('anthropic', mock.url, { priority: 1, breaker: { consecutiveFailures: 1000 } }),
      upstream('spare', second.url, { priority: 2 }),
    ]),
  );
});

afterAll(async () => {
  await gateway.close();
  await Promise.all([mock.close(), second.close()]);
});

const recordOf = (id: unknown) => gateway.record(({ request_id }) => request_id === id);

describe('a break of the upstream', () => {
  const head = 'event: content_block_delta\n';
  const whole = `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"end"}}`;

  /** Streams `text` and then closes the connection, before the length that was announced. */
  function cutAfter(text: string): void {
    const headers = { ...SSE, 'content-length': '5000', connection: 'close' };
    mock.behave(() => ({ kind: 'raw', status: 200, headers, chunks: [text], gapMs: 0 }));
  }

  test('[ROUTE-07] [ERR-09] between events: an error event, and no other upstream is tried', async () => {
    mock.behave(() => ({ kind: 'cut', afterEvents: 4 }));
    const answer = await send(gateway.url, { body: turn() });
    expect(answer.status).toBe(200);
    expect(answer.complete).toBe(true);
    const last = events(answer.body.toString()).at(-1)!;
    expect(last.name).toBe('error');
    expect(JSON.parse(last.data)).toEqual({
      type: 'error',
      error: { type: 'api_error', message: 'the upstream connection was lost before the answer was complete' },
      request_id: answer.headers['x-request-id'],
    });
    expect(second.received()).toBe(0);
    expect(await recordOf(answer.headers['x-request-id'])).toMatchObject({
      status: 200,
      outcome: 'upstream_cut',
      attempts: 1,
      usage_estimated: true,
    });
  });

  test.each<[string, string, { name: string; data: string | RegExp }[]]>([
    ['within the name of an event', 'event: content_bl', [{ name: 'error', data: /^\{"type":"error"/ }]],
    ['behind the name of an event', head, [{ name: 'error', data: /^\{"type":"error"/ }]],
    ['within data', `${head}${whole.slice(0, 40)}`, [{ name: 'error', data: /\{"type":"error"/ }]],
    [
      'behind data, before the blank line',
      `${head}${whole}\n`,
      [
        { name: 'content_block_delta', data: whole.slice('data: '.length) },
        { name: 'error', data: /^\{"type":"error"/ },
      ],
    ],
    ['within a comment', ': keep-al', [{ name: 'error', data: /^\{"type":"error"/ }]],
  ])(
    '[ERR-09] %s, with fewer bytes than announced: the client reads an error event and is not left waiting',
    async (_name, tail, expected) => {
      cutAfter(`${START}${tail}`);
      const answer = await send(gateway.url, { body: turn() });
      expect(answer.complete).toBe(true);
      expect(answer.headers['content-length']).toBeUndefined();
      const text = answer.body.toString().slice(START.length);
      const got = events(text.replace(/^: .*\n/, ''));
      expect(got.map(({ name }) => name)).toEqual(expected.map(({ name }) => name));
      got.forEach(({ data }, i) => expect(data).toMatch(expected[i]!.data));
    },
  );

  test('more bytes than the upstream announced are not passed on, and the connection survives', async () => {
    const text = `${START}${delta('all')}${END}`;
    mock.behave(() => ({
      kind: 'raw',
      status: 200,
      headers: { ...SSE, 'content-length': String(text.length) },
      chunks: [text, 'HTTP/1.1 200 OK\r\n\r\n'],
    }));
    const answer = await send(gateway.url, { body: turn() });
    expect(answer.body.toString()).toBe(text);
    expect(await recordOf(answer.headers['x-request-id'])).toMatchObject({ outcome: 'complete' });
  });

  test.each([
    ['within a member', -8],
    ['behind a whole member', undefined],
  ])(
    '[ERR-09] in a compressed stream, %s: what was sent arrives before the error event, and is metered',
    async (_name, length) => {
      const bytes = gzipSync(`${START}${delta('last words')}`);
      mock.behave(() => ({
        kind: 'raw',
        status: 200,
        headers: { ...SSE, 'content-encoding': 'gzip', 'content-length': '5000', connection: 'close' },
        chunks: [bytes.subarray(0, length)],
        gapMs: 0,
      }));
      const answer = await send(gateway.url, { body: turn() });
      expect(events(answer.body.toString()).map(({ name }) => name)).toEqual([
        'message_start',
        'content_block_delta',
        'error',
      ]);
      expect(await recordOf(answer.headers['x-request-id'])).toMatchObject({
        outcome: 'upstream_cut',
        usage: { inputTokens: 7, outputTokens: 3 },
      });
    },
  );

  test('a plain answer that breaks off closes the connection', async () => {
    mock.behave(() => ({ kind: 'cut', afterEvents: 0 }));
    const answer = await send(gateway.url, { body: turn({ stream: false }) });
    expect(answer.complete).toBe(false);
    expect(await recordOf(answer.headers['x-request-id'])).toMatchObject({ outcome: 'upstream_cut' });
  });

  test('an error event of the upstream is passed on as it is', async () => {
    mock.behave(() => ({ kind: 'error-event', afterEvents: 3 }));
    const answer = await send(gateway.url, { body: turn() });
    const errors = events(answer.body.toString()).filter(({ name }) => name === 'error');
    expect(errors.map(({ data }) => JSON.parse(data))).toMatchObject([
      { error: { type: 'overloaded_error', message: 'Overloaded' } },
    ]);
    expect(await recordOf(answer.headers['x-request-id'])).toMatchObject({ outcome: 'stream_error' });
  });

  test('[ERR-09] an upstream silent for longer than streamIdle is given up with an error event', async () => {
    mock.behave(() => ({ kind: 'silence', afterEvents: 4 }));
    const answer = await send(gateway.url, { body: turn() });
    expect(JSON.parse(events(answer.body.toString()).at(-1)!.data)).toMatchObject({ error: { type: 'timeout_error' } });
    expect(await mock.requests.at(-1)!.ended).toBe('aborted');
    expect(await recordOf(answer.headers['x-request-id'])).toMatchObject({ outcome: 'idle' });
  });
});

describe('a client that leaves', () => {
  async function inFlight(): Promise<number> {
    const text = await (await fetch(gateway.metricsUrl)).text();
    return Number(/^portcullis_in_flight_upstream (\d+)/m.exec(text)![1]);
  }

  test('[ROUTE-23] [SPEND-20] in the middle of a stream: cancelled within a second, its place free, metered', async () => {
    mock.behave(() => ({
      kind: 'raw',
      status: 200,
      headers: SSE,
      chunks: [START, delta('x'.repeat(400))],
      gapMs: 0,
      keepOpen: true,
    }));
    const { request, response } = await open(gateway.url, { body: turn() });
    await readUntil(response, 'xxx"}}\n\n');
    expect(await inFlight()).toBe(1);
    const left = performance.now();
    request.destroy();
    expect(await mock.requests.at(-1)!.ended).toBe('aborted');
    expect(performance.now() - left).toBeLessThan(1000);
    expect(await recordOf(response.headers['x-request-id'])).toMatchObject({
      status: 200,
      outcome: 'client_aborted',
      usage: { inputTokens: 7, outputTokens: 100 },
      usage_estimated: true,
      priced: 'list',
      // 7 × $3 and 100 × $15 per million.
      cost_usd: '0.001521',
    });
    expect(await inFlight()).toBe(0);
  });

  test('[ROUTE-23] before the upstream answered: cancelled, and the record says 499', async () => {
    mock.behave(() => ({ kind: 'hang' }));
    const before = mock.received();
    const request = begin(gateway.url, { body: turn() });
    await eventually(() => (mock.received() > before ? true : undefined));
    const left = performance.now();
    request.destroy();
    expect(await mock.requests.at(-1)!.ended).toBe('aborted');
    expect(performance.now() - left).toBeLessThan(1000);
    expect(await gateway.record(({ status }) => status === 499)).toMatchObject({ outcome: 'client_aborted' });
    expect(await inFlight()).toBe(0);
    expect(second.received()).toBe(0);
  });
});
