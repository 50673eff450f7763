/** The mock upstream itself: other tests lean on what it records and on the exact way it misbehaves. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { request } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import type { Behaviour } from './mock-anthropic-behaviour.ts';
import { startMockAnthropic } from './mock-anthropic.ts';
import type { MockAnthropic, MockAnthropicOptions } from './mock-anthropic.ts';

let mock: MockAnthropic;
afterEach(() => mock.close());

const turn = { model: 'claude-sonnet-4-6', max_tokens: 64, messages: [{ role: 'user', content: 'hi' }] };

async function start(behaviour?: Behaviour, options: MockAnthropicOptions = {}): Promise<void> {
  mock = await startMockAnthropic({ ...options, ...(behaviour === undefined ? {} : { behave: () => behaviour }) });
}

function post(body: object | string, path = '/v1/messages?beta=true', signal?: AbortSignal) {
  return request(`${mock.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'X-Api-Key': 'sk-test' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Event names and parsed data of a whole SSE text. */
function events(text: string): { event: string; data: Record<string, unknown> }[] {
  return text
    .split('\n\n')
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', data = ''] = part.split('\n');
      return { event: name.slice('event: '.length), data: JSON.parse(data.slice('data: '.length)) };
    });
}

describe('answers', () => {
  test('a text stream has the event order and usage of the provider', async () => {
    await start({ kind: 'text', text: 'one two', usage: { output_tokens: 7 } });
    const answer = await post({ ...turn, stream: true });
    expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(answer.headers).toMatchObject({ 'request-id': expect.stringMatching(/^req_/), server: 'cloudflare' });
    expect(answer.headers).toHaveProperty('anthropic-ratelimit-tokens-remaining');
    const seen = events(await answer.body.text());
    expect(seen.map((entry) => entry.event)).toEqual([
      'message_start',
      'content_block_start',
      'ping',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(seen.every((entry) => entry.data['type'] === entry.event)).toBe(true);
    expect(seen[0]?.data['message']).toMatchObject({
      model: 'claude-sonnet-4-6',
      usage: { input_tokens: 12, output_tokens: 1, cache_creation: { ephemeral_5m_input_tokens: 256 } },
    });
    expect(seen[6]?.data['usage']).toMatchObject({ output_tokens: 7, cache_read_input_tokens: 2048 });
  });

  test('without stream the same message is one JSON body', async () => {
    await start({ kind: 'text', text: 'one two' });
    const answer = await post(turn);
    expect(await answer.body.json()).toMatchObject({
      type: 'message',
      content: [{ type: 'text', text: 'one two' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 12, output_tokens: 9 },
    });
  });

  test('a tool is asked for first and the final text follows its result', async () => {
    await start({ kind: 'tool', name: 'Bash', input: { command: 'ls' }, finalText: 'done' });
    const first = events(await (await post({ ...turn, stream: true })).body.text());
    const json = first
      .filter((entry) => entry.event === 'content_block_delta')
      .map((entry) => (entry.data['delta'] as { partial_json: string }).partial_json)
      .join('');
    expect(JSON.parse(json)).toEqual({ command: 'ls' });
    const result = { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'x', content: 'a' }] };
    const second = await post({ ...turn, messages: [...turn.messages, result] });
    expect(await second.body.json()).toMatchObject({ content: [{ type: 'text', text: 'done' }] });
  });

  test('count_tokens answers a count, and an unknown path the 404 envelope', async () => {
    await start();
    expect(await (await post(turn, '/v1/messages/count_tokens')).body.json()).toEqual({
      input_tokens: Math.ceil(JSON.stringify(turn).length / 4),
    });
    const lost = await post(turn, '/v1/other');
    expect([lost.statusCode, await lost.body.json()]).toEqual([
      404,
      expect.objectContaining({ type: 'error', error: { type: 'not_found_error', message: 'Not found' } }),
    ]);
  });

  test('a body that is not a JSON object is a 400, so a gateway that damages bodies is noticed', async () => {
    await start();
    expect((await post('{"model":')).statusCode).toBe(400);
    expect((await post('{}')).statusCode).toBe(400);
  });

  test.each([
    [429, 'rate_limit_error'],
    [529, 'overloaded_error'],
    [503, 'api_error'],
  ])('status %i has the error type %s and the headers asked for', async (status, type) => {
    await start({ kind: 'status', status, headers: { 'retry-after': '2' } });
    const answer = await post(turn);
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([status, '2']);
    expect(await answer.body.json()).toMatchObject({ type: 'error', error: { type } });
  });

  test('a redirect points where it is told', async () => {
    await start({ kind: 'redirect', location: 'http://127.0.0.1:1/x', status: 307 });
    const answer = await post(turn);
    expect([answer.statusCode, answer.headers['location']]).toEqual([307, 'http://127.0.0.1:1/x']);
  });

  test.each([
    ['gzip', gunzipSync],
    ['br', brotliDecompressSync],
    ['zstd', zstdDecompressSync],
  ] as const)('%s compresses streams and JSON', async (encoding, decode) => {
    await start({ kind: 'text', text: 'packed', encoding });
    const streamed = await post({ ...turn, stream: true });
    expect(streamed.headers['content-encoding']).toBe(encoding);
    expect(decode(Buffer.from(await streamed.body.arrayBuffer())).toString()).toContain('"text":"packed"');
    const whole = await post(turn);
    expect(decode(Buffer.from(await whole.body.arrayBuffer())).toString()).toContain('"text":"packed"');
  });
});

describe('timing and faults', () => {
  test('events are spaced by the gap, the first at once', async () => {
    await start({ kind: 'events', count: 3, gapMs: 60 });
    const begun = performance.now();
    const answer = await post({ ...turn, stream: true });
    const times: number[] = [];
    let text = '';
    for await (const chunk of answer.body) {
      times.push(performance.now() - begun);
      text += String(chunk);
    }
    expect(times[0]).toBeLessThan(50);
    expect(times.at(-1)).toBeGreaterThanOrEqual(175);
    expect(events(text).filter((entry) => entry.event === 'content_block_delta')).toHaveLength(3);
  });

  test('a cut stream delivers its events and then breaks; the record says cut', async () => {
    await start({ kind: 'cut', afterEvents: 2 });
    const answer = await post({ ...turn, stream: true });
    let text = '';
    await expect(async () => {
      for await (const chunk of answer.body) text += String(chunk);
    }).rejects.toThrow('other side closed');
    expect(events(text).map((entry) => entry.event)).toEqual(['message_start', 'content_block_start']);
    expect(await mock.requests[0]?.ended).toBe('cut');
    expect(mock.requests[0]?.aborted).toBe(false);
  });

  test('silence holds a stream and then finishes it', async () => {
    await start({ kind: 'silence', afterEvents: 2, forMs: 80 });
    const begun = performance.now();
    const answer = await post({ ...turn, stream: true });
    expect(events(await answer.body.text()).at(-1)?.event).toBe('message_stop');
    expect(performance.now() - begun).toBeGreaterThanOrEqual(75);
  });

  test('an error event ends a stream in its middle', async () => {
    await start({ kind: 'error-event', afterEvents: 3, message: 'busy' });
    const seen = events(await (await post({ ...turn, stream: true })).body.text());
    expect(seen.at(-1)).toMatchObject({
      event: 'error',
      data: { error: { type: 'overloaded_error', message: 'busy' } },
    });
    expect(seen).toHaveLength(4);
  });

  test('a client that leaves a hanging request is recorded as aborted, and nothing stays open', async () => {
    await start({ kind: 'hang' });
    const leave = new AbortController();
    const pending = post(turn, '/v1/messages', leave.signal);
    const outcome = pending.catch((error: unknown) => (error as Error).name);
    while (mock.requests[0] === undefined || mock.requests[0].body.length === 0) await sleep(2);
    expect(mock.open()).toBe(1);
    leave.abort();
    expect(await outcome).toBe('AbortError');
    expect(await mock.requests[0].ended).toBe('aborted');
    expect([mock.requests[0].aborted, mock.open()]).toEqual([true, 0]);
  });

  test('an answer may wait for a promise of the test', async () => {
    const gate = Promise.withResolvers<Behaviour>();
    mock = await startMockAnthropic({ behave: () => gate.promise });
    const pending = post(turn);
    while (mock.open() === 0) await sleep(2);
    gate.resolve({ kind: 'text' });
    expect((await pending).statusCode).toBe(200);
  });

  test('a raw answer has exactly its headers', async () => {
    await start({ kind: 'raw', status: 200, headers: { 'content-type': 'text/html' }, chunks: ['<p>', '</p>'] });
    const answer = await post(turn);
    expect(await answer.body.text()).toBe('<p></p>');
    expect(answer.headers).not.toHaveProperty('request-id');
  });
});

describe('records', () => {
  test('keep the bytes, the target and the header spelling of the wire', async () => {
    await start(undefined, { now: () => 42 });
    const body = '{ "model" : "claude-x",\t"n":1.0, "messages":[] }';
    await (await post(body)).body.dump();
    const [record] = mock.requests;
    expect(record?.body.toString()).toBe(body);
    expect([record?.method, record?.url, record?.receivedAt]).toEqual(['POST', '/v1/messages?beta=true', 42]);
    expect(record?.rawHeaders).toContain('X-Api-Key');
    expect(record?.json()).toMatchObject({ model: 'claude-x', n: 1 });
  });

  test('are bounded, the oldest forgotten first, and can be off', async () => {
    await start(undefined, { retain: 2 });
    for (const model of ['a', 'b', 'c']) await (await post({ ...turn, model })).body.dump();
    expect(mock.requests.map((record) => record.json()?.['model'])).toEqual(['b', 'c']);
    expect(mock.received()).toBe(3);
    await mock.close();
    await start(undefined, { retain: 0 });
    expect((await post(turn)).statusCode).toBe(200);
    expect([mock.requests.length, mock.received()]).toEqual([0, 1]);
  });

  test('hold what had arrived when the client left during its upload', async () => {
    await start();
    const socket = connect(Number(new URL(mock.url).port), '127.0.0.1');
    socket.write('POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"mod');
    while (mock.requests[0] === undefined) await sleep(2);
    await sleep(20);
    socket.destroy();
    expect(await mock.requests[0].ended).toBe('aborted');
    expect(mock.requests[0].body.toString()).toBe('{"mod');
  });
});
