// Streams in every client format when something happens on the way: errors inside, breaks, silence, a client that leaves, a key that is
// revoked, chunks cut anywhere. The order of events is the upstream's.
import { beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../harness/gateway.ts';
import { recordOf } from './caller.ts';
import type { Dialect } from '#shared/bundle/bundle.ts';
import { ask, everyDialect, FORMATS, formatOf, streamedEvents, wordsOf } from './dialects.ts';
import { readFrames } from './frames.ts';
import { open, read } from './http-client.ts';
import { allPlacesFree, callerHeaders } from './routing.ts';
import { startScene } from './scene.ts';
import { delta, END, START, streaming } from './sse.ts';

const { mock, gateway } = await startScene((url) =>
  everyDialect(url, { listen: { timeouts: { ping: '100ms', streamIdle: '600ms' } } }),
);

beforeEach(() => mock.behave(() => ({ kind: 'text' })));

const stream = (dialect: Dialect) => {
  const format = formatOf(dialect);
  return ask(gateway, format.stream, format.body(true));
};

/** Type and message of the error at the end of a stream. */
function errorAtEnd(answer: Awaited<ReturnType<typeof ask>>): { readonly type: string; readonly message: string } {
  const last = streamedEvents(answer).at(-1)!;
  if ('exception' in last) return { type: last['exception'] as string, message: last['message'] as string };
  return last['error'] as { type: string; message: string };
}

describe.each(FORMATS)('$dialect', ({ dialect }) => {
  const inFrames = dialect === 'Bedrock';

  test('[XLAT-16] [ERR-09] an error in the stream ends it, as the format says such things', async () => {
    mock.behave(() => ({ kind: 'error-event', afterEvents: 3, errorType: 'overloaded_error', message: 'Overloaded' }));
    const answer = await stream(dialect);
    expect([answer.status, answer.complete]).toEqual([200, true]);
    expect(errorAtEnd(answer)).toMatchObject({
      type: inFrames ? 'serviceUnavailableException' : 'overloaded_error',
      message: 'Overloaded',
    });
    expect(streamedEvents(answer)).toHaveLength(4);
    expect(await recordOf(gateway, answer)).toMatchObject({ outcome: 'stream_error' });
  });

  test('[ERR-09] a break before the first event is a status in the words of the format', async () => {
    mock.behave(() => ({ kind: 'cut', afterEvents: 0 }));
    const answer = await stream(dialect);
    expect([answer.status, answer.complete]).toEqual([502, true]);
    expect(wordsOf(dialect, answer)).toContain('all upstreams failed');
  });

  test.each([1, 4])('[ERR-09] a break after %i events ends it with an error, not with silence', async (afterEvents) => {
    mock.behave(() => ({ kind: 'cut', afterEvents }));
    const answer = await stream(dialect);
    expect([answer.status, answer.complete]).toEqual([200, true]);
    expect(errorAtEnd(answer)).toMatchObject({
      type: inFrames ? 'internalServerException' : 'api_error',
      message: 'the upstream connection was lost before the answer was complete',
    });
    expect(await recordOf(gateway, answer)).toMatchObject({ outcome: 'upstream_cut' });
  });

  test('[ERR-09] a break within an event ends it with an error, and nothing of the event is left', async () => {
    const headers = { 'content-type': 'text/event-stream', 'content-length': '5000', connection: 'close' };
    const chunks = [START + 'event: content_block_delta\ndata: {"type":"content_block_delta","del'];
    mock.behave(() => ({ kind: 'raw', status: 200, headers, chunks, gapMs: 0 }));
    const answer = await stream(dialect);
    expect(answer.complete).toBe(true);
    expect(answer.body.toString()).toContain('the upstream connection was lost');
    // Frames are whole, so half an event has none; lines of text cannot be taken back.
    expect(inFrames ? streamedEvents(answer).length : 2).toBe(2);
  });

  test('[XLAT-07] silence is filled with pings, and ends after its time with an error', async () => {
    mock.behave(() => ({ kind: 'silence', afterEvents: 3 }));
    const answer = await stream(dialect);
    const types = streamedEvents(answer).map((event) => event['type'] as string | undefined);
    expect(types.filter((type) => type === 'ping').length).toBeGreaterThanOrEqual(3);
    expect(errorAtEnd(answer).type).toBe(inFrames ? 'modelTimeoutException' : 'timeout_error');
    expect(await recordOf(gateway, answer)).toMatchObject({ outcome: 'idle' });
  });

  test('[ROUTE-23] a client that leaves takes its upstream call along, and is still charged', async () => {
    mock.behave(() => ({ kind: 'events', count: 500, gapMs: 20 }));
    const { stream: path, body } = formatOf(dialect);
    const { request, response } = await open(gateway.url, { path, headers: callerHeaders(), body: body(true) });
    await new Promise<void>((resolve) => response.once('data', () => resolve()));
    request.destroy();
    const id = response.headers['x-request-id'];
    const record = await gateway.record(({ request_id }) => request_id === id);
    expect(record).toMatchObject({ dialect, outcome: 'client_aborted' });
    expect(record['cost_usd']).toBeDefined();
    await eventually(() => (mock.requests.at(-1)!.ended === undefined ? undefined : true));
    await allPlacesFree(gateway);
  });
});

describe('frames of Bedrock', () => {
  test('[XLAT-16] cut anywhere by the upstream, they are the same events', async () => {
    const text = START + delta('eé€😀') + delta('x'.repeat(3_000)) + END;
    const whole = Buffer.from(text);
    mock.behave(() => streaming(whole));
    const expected = streamedEvents(await stream('Bedrock'));
    expect(expected).toHaveLength(5);
    for (const size of [1, 7, 64, 1_000]) {
      const chunks = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) =>
        whole.subarray(i * size, (i + 1) * size),
      );
      mock.behave(() => streaming(...chunks));
      expect(streamedEvents(await stream('Bedrock'))).toEqual(expected);
    }
  });

  test('[XLAT-16] hold the JSON of the upstream byte for byte, and its own kinds of event', async () => {
    const odd = '{ "type" : "content_block_delta",  "index":0, "delta":{"type":"not_invented","x":1.0,"s":"\\u00e9"} }';
    mock.behave(() => streaming(`${START}event: content_block_delta\ndata: ${odd}\n\n${END}`));
    const frames = readFrames((await stream('Bedrock')).body);
    const texts = frames.map(({ payload }) => Buffer.from(payload['bytes'] as string, 'base64').toString());
    expect(texts).toContain(odd);
    expect(frames.every(({ headers }) => headers[':content-type'] === 'application/json')).toBe(true);
  });

  test('[XLAT-16] leave as they come, each with its event', async () => {
    mock.behave(() => ({ kind: 'events', count: 5, gapMs: 60 }));
    const answer = await stream('Bedrock');
    expect(answer.chunks.length).toBeGreaterThanOrEqual(5);
    for (const { bytes } of answer.chunks) expect(readFrames(bytes).length).toBeGreaterThan(0);
  });

  test('[XLAT-16] a compressed upstream is read all the same', async () => {
    mock.behave(() => ({ kind: 'text', text: 'compressed', encoding: 'gzip' }));
    const answer = await stream('Bedrock');
    expect(answer.headers['content-encoding']).toBeUndefined();
    expect(streamedEvents(answer).at(-1)).toMatchObject({ type: 'message_stop' });
  });
});

test('[XLAT-16] the headers of a Bedrock stream are those its clients insist on', async () => {
  const { stream: path, body } = formatOf('Bedrock');
  const headers = callerHeaders({ Accept: 'application/json', 'X-Amzn-Bedrock-Accept': 'application/json' });
  const { response } = await open(gateway.url, { path, headers, body: body(true) });
  expect(response.headers['content-type']).toBe('application/vnd.amazon.eventstream');
  expect(response.headers['content-length']).toBeUndefined();
  expect((await read(response)).complete).toBe(true);
});
