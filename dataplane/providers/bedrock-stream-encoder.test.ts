import { EventStreamCodec } from '@smithy/eventstream-codec';
import { describe, expect, it } from 'vitest';
import { EventStreamDecoder } from '../wire/aws-event-stream-decoder.ts';
import { errorEvent, pingEvent } from '../wire/sse-write.ts';
import { BedrockStreamEncoder } from './bedrock-stream-encoder.ts';

const codec = new EventStreamCodec(
  (bytes) => (typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString()),
  (string) => Buffer.from(string),
);

/** Frames as a client of Bedrock reads them: headers, and the event or the payload of an exception. */
function framesOf(bytes: Buffer): { headers: Record<string, unknown>; event: string }[] {
  const frames: ReturnType<typeof framesOf> = [];
  let at = 0;
  while (at < bytes.length) {
    const end = at + bytes.readUInt32BE(at);
    const { headers, body } = codec.decode(bytes.subarray(at, end));
    const payload = Buffer.from(body).toString();
    const encoded = (JSON.parse(payload) as { bytes?: string }).bytes;
    frames.push({
      headers: Object.fromEntries(Object.entries(headers).map(([name, { value }]) => [name, value])),
      event: encoded === undefined ? payload : Buffer.from(encoded, 'base64').toString(),
    });
    at = end;
  }
  return frames;
}

function encode(...chunks: readonly (string | Buffer)[]): ReturnType<typeof framesOf> {
  const encoder = new BedrockStreamEncoder();
  return framesOf(Buffer.concat(chunks.map((chunk) => encoder.push(Buffer.from(chunk)))));
}

const CHUNK = { ':event-type': 'chunk', ':content-type': 'application/json', ':message-type': 'event' };
const chunkOf = (event: string) => ({ headers: CHUNK, event });
const exceptionOf = (type: string, message: string) => ({
  headers: { ':exception-type': type, ':content-type': 'application/json', ':message-type': 'exception' },
  event: JSON.stringify({ message }),
});
const START = '{"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":3}}}';
const DELTA = '{"type": "content_block_delta","index":0,"delta":{"type":"text_delta","text":"Grüße \\"du\\" 😀"}}';
const STOP = '{"type":"message_stop"}';
const UNREADABLE = exceptionOf('internalServerException', 'the upstream answer could not be read');

describe('server-sent events as frames of Bedrock', () => {
  it('writes one frame an event, byte for byte, unknown events and pings too', () => {
    const odd = '{"type":"an_event_of_tomorrow","n":12345678901234567890}';
    const stream = [START, DELTA, odd, STOP].map((event) => `event: x\ndata: ${event}\n\n`).join('');
    expect(encode(stream, pingEvent)).toEqual([START, DELTA, odd, STOP, '{"type": "ping"}'].map(chunkOf));
  });

  const LINES = ['event: message_start', `data: ${START}`, '', ': note', '', 'id: 3', `data:${DELTA}`, 'retry: 1', ''];
  LINES.push('event: ping', '', 'dat', 'datax: 1', 'data', 'data: {"type":', 'data: "message_stop"}', '', '');
  it.each([
    ['LF', '\n', ''],
    ['CRLF', '\r\n', ''],
    ['CR', '\r', ''],
    ['LF behind a byte order mark', '\n', '\uFEFF'],
  ])('reads every form of stream, at every split in two and byte by byte: %s', (_, end, mark) => {
    const bytes = Buffer.from(mark + LINES.join(end));
    const expected = [START, DELTA, '\n{"type":\n"message_stop"}'].map(chunkOf);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const first = Buffer.from(bytes.subarray(0, cut));
      const encoder = new BedrockStreamEncoder();
      const before = encoder.push(first);
      first.fill(0x0a);
      const frames = framesOf(Buffer.concat([before, encoder.push(bytes.subarray(cut))]));
      expect(frames, `split at ${cut}`).toEqual(expected);
    }
    expect(encode(...Array.from(bytes, (byte) => Buffer.of(byte)))).toEqual(expected);
  });

  it('reads an event without a name behind a byte order mark', () => {
    expect(encode(`\uFEFFdata: ${STOP}\n\n`)).toEqual([chunkOf(STOP)]);
    expect(encode(Buffer.of(0xef, 0xbb), `data: ${STOP}\n\ndata: ${START}\n\n`)).toEqual([chunkOf(START)]);
  });

  it('gives a frame when its event is whole', () => {
    const encoder = new BedrockStreamEncoder();
    expect(encoder.push(Buffer.from(`data: ${STOP}\n`)).length).toBe(0);
    expect(framesOf(encoder.push(Buffer.from('\n')))).toEqual([chunkOf(STOP)]);
  });

  it('never writes again to what it gave', () => {
    const encoder = new BedrockStreamEncoder();
    const given = [START, DELTA, STOP].map((event) => encoder.push(Buffer.from(`data: ${event}\n\n`)));
    expect(given.flatMap(framesOf)).toEqual([START, DELTA, STOP].map(chunkOf));
  });

  it('writes no frame for data without a type', () => {
    expect(encode('data: {}\n\ndata: [1]\n\ndata: "x"\n\n', `data: ${STOP}\n\n`)).toEqual([chunkOf(STOP)]);
  });

  it('does not write an event that was cut', () => {
    expect(encode(`data: ${START}\n\ndata: ${STOP}\n`)).toEqual([chunkOf(START)]);
  });
});

describe('a stream that fails', () => {
  it.each([
    ['rate_limit_error', 'throttlingException'],
    ['overloaded_error', 'serviceUnavailableException'],
    ['timeout_error', 'modelTimeoutException'],
    ['api_error', 'internalServerException'],
    ['invalid_request_error', 'validationException'],
    ['permission_error', 'validationException'],
    ['an_error_of_tomorrow', 'modelStreamErrorException'],
  ])('an error event of type %s becomes %s, and the last frame', (type, exception) => {
    const encoder = new BedrockStreamEncoder();
    const bytes = Buffer.concat([
      Buffer.from(`event: message_start\ndata: ${START}\n\n`),
      errorEvent(type, 'try "later" – Grüße', 'req-1'),
      Buffer.from(`data: ${STOP}\n\n`),
    ]);
    expect(framesOf(encoder.push(bytes))).toEqual([chunkOf(START), exceptionOf(exception, 'try "later" – Grüße')]);
    expect(encoder.failed).toBe(true);
    expect(encoder.push(Buffer.from(`data: ${STOP}\n\n`)).length + encoder.fail('api_error', 'x').length).toBe(0);
  });

  it('ends with an exception of our own within an event', () => {
    const encoder = new BedrockStreamEncoder();
    expect(encoder.push(Buffer.from('event: content_block_delta\ndata: {"type":"con')).length).toBe(0);
    expect(framesOf(encoder.fail('timeout_error', 'silent'))).toEqual([exceptionOf('modelTimeoutException', 'silent')]);
  });

  it.each([
    [
      'an event that was broken off by an error',
      `data: {"type":"content_block_del\n${errorEvent('api_error', 'm', 'r').toString()}`,
    ],
    [
      'an event that was broken off behind its type',
      `data: {"type":"content_block_delta","ind\n${errorEvent('api_error', 'm', 'r').toString()}`,
    ],
    ['data that is no JSON', 'data: {"a":\n\n'],
    ['an error without words', 'data: {"type":"error"}\n\n', 'modelStreamErrorException'],
    ['an error of nothing', 'data: {"type":"error","error":null}\n\n', 'modelStreamErrorException'],
  ])('ends with an exception at %s', (_, stream, type = 'internalServerException') => {
    expect(encode(stream, `data: ${STOP}\n\n`)).toEqual([{ ...exceptionOf(type, ''), event: UNREADABLE.event }]);
  });

  it('ends with an exception at an event beyond the limit, after those before it', () => {
    const encoder = new BedrockStreamEncoder({ maxEventBytes: 100 });
    const large = JSON.stringify({ type: 'content_block_start', text: 'x'.repeat(100) });
    const stream = [START, large, STOP].map((event) => `data: ${event}\n\n`).join('');
    expect(framesOf(encoder.push(Buffer.from(stream)))).toEqual([chunkOf(START), UNREADABLE]);
  });

  it('takes the largest event it may, and its frame is no larger than a reader takes', () => {
    const event = `{"type":"content_block_start","text":"${'x'.repeat(8 * 1024 * 1024 - 40)}"}`;
    expect(event.length).toBeLessThanOrEqual(8 * 1024 * 1024);
    const encoder = new BedrockStreamEncoder();
    let payload = 0;
    const decoder = new EventStreamDecoder((frame) => {
      payload = frame.end - frame.payload;
    });
    decoder.push(encoder.push(Buffer.from(`data: ${event}\n\n`)));
    expect(payload).toBeGreaterThan(event.length);
    expect(() => new BedrockStreamEncoder({ maxEventBytes: 16 * 1024 * 1024 })).toThrow(RangeError);
  });
});
