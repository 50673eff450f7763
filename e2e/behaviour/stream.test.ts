// A streamed answer on its way: every byte as it came and when it came, whatever coding the upstream chose.
import { createHash } from 'node:crypto';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { turn } from './claude-code.ts';
import { send } from './http-client.ts';
import { delta, END, START, streaming } from './sse.ts';
import { startScene } from './scene.ts';

const { mock, gateway } = await startScene();

const recordOf = (id: unknown) => gateway.record(({ request_id }) => request_id === id);

describe('bytes', () => {
  const odd =
    ': a comment\n\nevent: ping\ndata: {"type": "ping"}\n\nid: 4\nretry: 10\nevent:not_invented_yet\r\ndata:{"a":1.0}\r\n\r\n' +
    'data: \u00e9\u{1f600} no name\n\n';

  test('[XLAT-01] [XLAT-07] [XLAT-25] comments, pings, unknown events and line ends of any kind arrive untouched', async () => {
    const text = `${START}${odd}${delta('h\u00ef')}${END}`;
    mock.behave(() => streaming(text));
    expect((await send(gateway.url, { body: turn() })).body.toString()).toBe(text);
  });

  test('[XLAT-01] [XLAT-25] every split of a multi-byte character and of a line end is passed on', async () => {
    const bytes = Buffer.from(`${START}${odd}${END}`);
    const pieces = Array.from({ length: Math.ceil(bytes.length / 3) }, (_, i) => bytes.subarray(3 * i, 3 * i + 3));
    mock.behave(() => streaming(...pieces));
    const answer = await send(gateway.url, { body: turn() });
    expect(answer.body.equals(bytes)).toBe(true);
    expect(await recordOf(answer.headers['x-request-id'])).toMatchObject({
      outcome: 'complete',
      usage: { inputTokens: 7, outputTokens: 9 },
    });
  });

  test('[API-02] the answer says that it must not be collected, and has no length', async () => {
    mock.behave(() => streaming(START, END));
    const { headers } = await send(gateway.url, { body: turn() });
    expect(headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
      'transfer-encoding': 'chunked',
    });
    expect(headers['content-length']).toBeUndefined();
  });
});

describe('flow', () => {
  test.each([undefined, 'gzip', 'br', 'zstd'] as const)(
    '[API-02] [XLAT-27] event by event as they come, upstream coding %s',
    async (encoding) => {
      mock.behave(() => ({ kind: 'events', count: 4, gapMs: 60, delta: 'tick ', ...(encoding && { encoding }) }));
      const answer = await send(gateway.url, { body: turn() });
      expect(answer.headers['content-encoding']).toBeUndefined();
      const arrivals = answer.chunks.filter(({ bytes }) => bytes.includes('content_block_delta'));
      expect(arrivals.length).toBe(4);
      // A stream that was collected would arrive all at once.
      expect(arrivals.at(-1)!.at - arrivals[0]!.at).toBeGreaterThan(120);
      expect(answer.body.toString()).toContain('event: message_stop\n');
      expect(await recordOf(answer.headers['x-request-id'])).toMatchObject({ usage: { outputTokens: 4 } });
    },
  );

  test.each(['gzip', 'br', 'zstd'] as const)(
    '[XLAT-27] a plain answer in %s is decoded and metered',
    async (encoding) => {
      mock.behave(() => ({ kind: 'text', text: 'plain', encoding }));
      const answer = await send(gateway.url, { body: turn({ stream: false }) });
      expect(JSON.parse(answer.body.toString())).toMatchObject({ content: [{ text: 'plain' }] });
      expect(answer.headers['content-encoding']).toBeUndefined();
      expect(await recordOf(answer.headers['x-request-id'])).toMatchObject({ usage: { outputTokens: 9 } });
    },
  );

  test('[XLAT-04] a coding the gateway cannot read is passed on together with its name', async () => {
    const chunks = [Buffer.from('compressed by a coding of tomorrow')];
    mock.behave(() => ({
      kind: 'raw',
      status: 200,
      headers: { 'content-type': 'application/json', 'content-encoding': 'dcz' },
      chunks,
    }));
    const answer = await send(gateway.url, { body: turn({ stream: false }) });
    expect(answer.headers['content-encoding']).toBe('dcz');
    expect(answer.body.equals(chunks[0]!)).toBe(true);
  });

  test('[XLAT-27] a refusal in a compressed body keeps its wording', async () => {
    const envelope = '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 1 > 0"}}';
    for (const [coding, bytes] of [
      ['gzip', gzipSync(envelope)],
      ['br', brotliCompressSync(envelope)],
      ['zstd', zstdCompressSync(envelope)],
    ] as const) {
      mock.behave(() => ({
        kind: 'raw',
        status: 400,
        headers: { 'content-type': 'application/json', 'content-encoding': coding },
        chunks: [bytes],
      }));
      const answer = await send(gateway.url, { body: turn() });
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { message: 'prompt is too long: 1 > 0' } });
    }
  });
});

test('[XLAT-01] a stream of megabytes arrives whole', async () => {
  const block = Buffer.from(delta('z'.repeat(60_000)));
  const hash = createHash('sha256');
  for (let i = 0; i < 200; i += 1) hash.update(block);
  mock.behave(() => streaming(...Array.from({ length: 200 }, () => block)));
  const answer = await send(gateway.url, { body: turn() });
  expect(createHash('sha256').update(answer.body).digest('hex')).toBe(hash.digest('hex'));
});
