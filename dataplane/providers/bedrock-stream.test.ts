import { crc32 } from 'node:zlib';
import { EventStreamCodec } from '@smithy/eventstream-codec';
import { describe, expect, it } from 'vitest';
import { openTap } from '../meter/usage-tap.ts';
import { BedrockStream } from './bedrock-stream.ts';

const codec = new EventStreamCodec(
  (bytes) => (typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString()),
  (string) => Buffer.from(string),
);

/** A frame as another implementation writes it. */
function frame(headers: Readonly<Record<string, string>>, payload: string): Buffer {
  const typed = Object.entries(headers).map(([name, value]) => [name, { type: 'string', value }] as const);
  return Buffer.from(codec.encode({ headers: Object.fromEntries(typed), body: Buffer.from(payload) }));
}

const CHUNK = { ':event-type': 'chunk', ':content-type': 'application/json', ':message-type': 'event' };
const base64 = (text: string): string => Buffer.from(text).toString('base64');
/** The frame of one event, with the padding that Bedrock hides its length by. */
const chunk = (event: string): Buffer => frame(CHUNK, JSON.stringify({ bytes: base64(event), p: 'abcdefghijklm' }));
const exception = (type: string, payload: string): Buffer =>
  frame({ ':exception-type': type, ':content-type': 'application/json', ':message-type': 'exception' }, payload);

const sse = (event: string, type = (JSON.parse(event) as { type: string }).type): string =>
  `event: ${type}\ndata: ${event}\n\n`;

function translate(...frames: readonly Buffer[]): string {
  const stream = new BedrockStream('req-1');
  const whole = frames.map((bytes) => stream.push(bytes).toString()).join('');
  return whole + stream.end().toString();
}

const error = (type: string, message: string): string =>
  sse(JSON.stringify({ type: 'error', error: { type, message }, request_id: 'req-1' }));
const UNREADABLE = error('api_error', 'the upstream answer could not be read');

/** A turn as the Messages API streams it, spaces and all. */
const TURN = [
  '{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5","content":[],"stop_reason":null,"usage":{"input_tokens":11,"cache_creation_input_tokens":30,"cache_read_input_tokens":500,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":1}}}',
  '{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}',
  '{"type": "ping"}',
  '{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm \\"so\\"\\n\\u00e9 Grüße 😀"}}',
  '{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"Eo8B+/=="}}',
  '{"type":"content_block_stop","index":0}',
  '{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"Bash","input":{}}}',
  '{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\\"n\\": 1e400"}}',
  '{"type":"an_event_of_tomorrow","n":12345678901234567890}',
  '{"type":"content_block_stop","index":1}',
  '{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":89}}',
  '{"type":"message_stop"}',
];
const LAST_WITH_METRICS =
  '{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":11,"outputTokenCount":89,"invocationLatency":1142,"firstByteLatency":987}}';

describe('events of Bedrock as server-sent events', () => {
  it('[XLAT-06] keeps order and bytes of every event, known or not', () => {
    expect(translate(...TURN.map(chunk))).toBe(TURN.map((event) => sse(event)).join(''));
    expect(translate(Buffer.concat(TURN.map(chunk)))).toBe(TURN.map((event) => sse(event)).join(''));
  });

  it('[XLAT-06] reads the same at every split in two and byte by byte', () => {
    const bytes = Buffer.concat([...TURN.slice(0, 4).map(chunk), ...TURN.slice(-1).map(chunk)]);
    const whole = [...TURN.slice(0, 4), ...TURN.slice(-1)].map((event) => sse(event)).join('');
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(translate(bytes.subarray(0, cut), bytes.subarray(cut))).toBe(whole);
    }
    expect(translate(...Array.from(bytes, (byte) => Buffer.of(byte)))).toBe(whole);
  });

  it('gives an event when its frame is whole, not when the next one comes', () => {
    const stream = new BedrockStream('req-1');
    for (const event of TURN) {
      const bytes = chunk(event);
      expect(stream.push(bytes.subarray(0, -1)).length).toBe(0);
      expect(stream.push(bytes.subarray(-1)).toString()).toBe(sse(event));
    }
  });

  it('never writes again to what it gave', () => {
    const stream = new BedrockStream('req-1');
    const given = TURN.map((event) => stream.push(chunk(event)));
    expect(given.map(String)).toEqual(TURN.map((event) => sse(event)));
  });

  it('[XLAT-06] the final usage is that of the plain stream', () => {
    const [plain, translated] = [TURN.map((event) => sse(event)).join(''), translate(...TURN.map(chunk))].map(
      (text) => {
        const tap = openTap(true, false);
        tap.push(Buffer.from(text));
        return [tap.finish(), tap.used()];
      },
    );
    expect(translated).toEqual(plain);
    expect(translated).toEqual([
      'complete',
      {
        estimated: false,
        usage: {
          inputTokens: 11,
          outputTokens: 89,
          cacheReadTokens: 500,
          cacheWrite5mTokens: 10,
          cacheWrite1hTokens: 20,
          webSearchRequests: 0,
        },
      },
    ]);
  });

  it.each([
    ['the only member', LAST_WITH_METRICS, '{"type":"message_stop"}'],
    ['before others', LAST_WITH_METRICS.replace(/}$/, ',"next":[1]}'), '{"type":"message_stop","next":[1]}'],
    ['before the type', '{"amazon-bedrock-invocationMetrics":{},"type":"message_stop"}', '{"type":"message_stop"}'],
  ])('takes the metrics of Bedrock out of message_stop: %s', (_, event, expected) => {
    expect(translate(chunk(event))).toBe(sse(expected));
  });

  it('leaves a text about the metrics alone', () => {
    const text =
      '{"type":"content_block_delta","delta":{"type":"text_delta","text":"\\"amazon-bedrock-invocationMetrics\\":{}"}}';
    expect(translate(chunk(text))).toBe(sse(text));
  });

  it('[XLAT-06] passes an error of the model on as the event it is', () => {
    const event = '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}';
    expect(translate(chunk(TURN[0]!), chunk(event))).toBe(sse(TURN[0]!) + sse(event));
  });

  it.each([
    ['no type', chunk('{"keepalive":true}')],
    ['an empty type', chunk('{"type":""}')],
    ['a type that is no text', chunk('{"type":7}')],
    ['a type that would end its line', chunk('{"type":"ping\\nevent: message_stop"}')],
    ['an event that is no object', chunk('["type"]')],
    ['no bytes', frame(CHUNK, '{"p":"abc"}')],
    ['empty bytes', frame(CHUNK, '{"bytes":""}')],
    ['no payload', frame(CHUNK, '')],
    ['another event type', frame({ ...CHUNK, ':event-type': 'initial-response' }, '{}')],
    ['another message type', frame({ ...CHUNK, ':message-type': 'note' }, '{"bytes":"e30="}')],
    ['no headers', frame({}, '{"bytes":"e30="}')],
  ])('drops a frame with %s and goes on', (_, dropped) => {
    expect(translate(chunk(TURN[0]!), dropped, chunk(TURN[1]!))).toBe(sse(TURN[0]!) + sse(TURN[1]!));
  });

  const event = '{"type":"content_block_stop","index":0}';
  it.each([
    ['padding first', frame(CHUNK, `{"p":"abc","bytes":"${base64(event)}"}`)],
    ['spaces', frame(CHUNK, ` { "bytes" : "${base64(event)}" , "p" : "abc" } `)],
    ['escapes in the base64', frame(CHUNK, `{"bytes":"${base64(`${event} `).replaceAll('=', '\\u003d')}"}`)],
    [
      'headers in another order',
      frame(Object.fromEntries(Object.entries(CHUNK).toReversed()), `{"bytes":"${base64(event)}"}`),
    ],
    ['an unknown header', frame({ ...CHUNK, ':new': 'x' }, `{"bytes":"${base64(event)}"}`)],
  ])('reads a frame with %s', (_, bytes) => {
    expect(translate(bytes, bytes).replaceAll('} ', '}')).toBe(sse(event).repeat(2));
  });

  it.each(['content_block_delta', 'content_block_stop'])('keeps a %s written over several lines in one', (type) => {
    const event = `{"type":"${type}",\r\n"index":0\n}\n`;
    expect(translate(chunk(event))).toBe(`event: ${type}\ndata: {"type":"${type}",  "index":0 } \n\n`);
  });

  it('reads a type wherever it stands', () => {
    const event = '{"delta":{"type":"text_delta","text":"a"},"index":0,"type":"content_block_delta"}';
    expect(translate(chunk(event))).toBe(sse(event));
  });

  it('holds an event far larger than its chunks', () => {
    const event = JSON.stringify({ type: 'content_block_start', content_block: { text: 'x'.repeat(300_000) } });
    const bytes = chunk(event);
    const pieces = Array.from({ length: Math.ceil(bytes.length / 1448) }, (_, at) =>
      bytes.subarray(at * 1448, at * 1448 + 1448),
    );
    expect(translate(...pieces)).toBe(sse(event));
  });
});

describe('a stream that fails', () => {
  it.each([
    ['throttlingException', 'rate_limit_error'],
    ['serviceUnavailableException', 'overloaded_error'],
    ['modelTimeoutException', 'timeout_error'],
    ['internalServerException', 'api_error'],
    ['modelStreamErrorException', 'api_error'],
    ['validationException', 'invalid_request_error'],
    ['accessDeniedException', 'permission_error'],
    ['exceptionOfTomorrow', 'api_error'],
  ])('[XLAT-06] %s becomes an error event of type %s, and the last one', (name, type) => {
    const stream = new BedrockStream('req-1');
    const secret = 'arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc';
    const frames = [
      chunk(TURN[0]!),
      exception(name, JSON.stringify({ message: `Too hot: ${secret}` })),
      chunk(TURN[1]!),
    ];
    const [start, failure, rest] = stream
      .push(Buffer.concat(frames))
      .toString()
      .split(/(?<=\n\n)/);
    expect(start).toBe(sse(TURN[0]!));
    const parsed = JSON.parse(failure!.replace('event: error\ndata: ', '')) as { error: { message: string } };
    expect(parsed).toEqual({
      type: 'error',
      error: { type, message: expect.any(String) as string },
      request_id: 'req-1',
    });
    expect(parsed.error.message).not.toContain('123456789012');
    expect(rest).toBeUndefined();
    expect(stream.failed).toBe(true);
    expect(stream.push(chunk(TURN[1]!)).length + stream.end().length).toBe(0);
  });

  it.each([
    ['ThrottlingException', 'rate_limit_error'],
    ['InternalFailure', 'api_error'],
  ])('[XLAT-06] an error frame with code %s becomes an error event', (code, type) => {
    const failed = frame({ ':message-type': 'error', ':error-code': code, ':error-message': 'no' }, '');
    expect(translate(failed)).toContain(`event: error\ndata: {"type":"error","error":{"type":"${type}"`);
  });

  it.each([
    [529, 'overloaded_error'],
    [429, 'rate_limit_error'],
    [400, 'invalid_request_error'],
    [401, 'permission_error'],
    [500, 'api_error'],
    [200, 'api_error'],
  ])("a model's own error of status %i is told as such", (originalStatusCode, type) => {
    const payload = JSON.stringify({ message: 'model failed', originalStatusCode, originalMessage: 'x' });
    expect(translate(exception('modelStreamErrorException', payload))).toContain(`{"type":"${type}"`);
  });

  it('does not read words beyond all measure', () => {
    const payload = JSON.stringify({ message: 'x'.repeat(70_000), originalStatusCode: 529 });
    expect(translate(exception('modelStreamErrorException', payload))).toContain('{"type":"api_error"');
  });

  it('knows an exception whose headers lie where those of an event lay', () => {
    // Both are cut, so that they are put together in the same place, and as long as each other.
    const odd = frame({ ...CHUNK, x: 'y'.repeat(17) }, JSON.stringify({ bytes: base64(TURN[0]!) }));
    const failed = exception('throttlingException', '{"message":"slow"}');
    expect(odd.readUInt32BE(4)).toBe(failed.readUInt32BE(4));
    expect(translate(odd.subarray(0, 50), odd.subarray(50), failed.subarray(0, 50), failed.subarray(50))).toBe(
      sse(TURN[0]!) + error('rate_limit_error', 'upstream rate limit exceeded'),
    );
  });

  it.each([
    ['Input is too long.', 'Input is too long.'],
    ['Input is too long for requested model.', 'capability_rejected: prompt_too_long'],
    ['Input is too long. See account 123456789012.', 'upstream rejected the request'],
  ])('keeps of its sentences what clients recover by: %s', (message, told) => {
    expect(translate(exception('validationException', JSON.stringify({ message })))).toBe(
      error('invalid_request_error', told),
    );
  });

  it.each([['no JSON'], ['null'], ['[]'], [''], ['"text"'], ['{"originalStatusCode":400}']])(
    'does without a payload it cannot use: %.20s',
    (payload) => {
      expect(translate(exception('throttlingException', payload))).toBe(
        error('rate_limit_error', 'upstream rate limit exceeded'),
      );
    },
  );

  it('ends with an error when bytes were altered, after the events before them', () => {
    const altered = chunk(TURN[1]!);
    altered[60]! ^= 1;
    expect(translate(Buffer.concat([chunk(TURN[0]!), altered, chunk(TURN[2]!)]))).toBe(sse(TURN[0]!) + UNREADABLE);
  });

  it('ends with an error when it was cut within a frame', () => {
    expect(translate(chunk(TURN[0]!), chunk(TURN[1]!).subarray(0, -1))).toBe(
      sse(TURN[0]!) + error('api_error', 'the upstream answer ended too early'),
    );
  });

  it.each([
    ['a payload that is no JSON', frame(CHUNK, '{"bytes":"e30=')],
    ['bytes twice', frame(CHUNK, '{"p":"","bytes":"e30=","bytes":"e30="}')],
    ['an event that is no JSON', chunk('{"delta":')],
    ['bytes that are no base64', frame(CHUNK, '{"bytes":"*** not base64 ***"}')],
    ['headers that do not parse', headersDamaged()],
    ['a frame beyond the limit', chunk('x'.repeat(9000))],
  ])('ends with an error at %s', (_, bad) => {
    const stream = new BedrockStream('req-1', { maxFrameBytes: 8192 });
    expect(stream.push(Buffer.concat([chunk(TURN[0]!), bad])).toString()).toBe(sse(TURN[0]!) + UNREADABLE);
  });
});

/** A frame with true checksums whose only header has a type nobody knows. */
function headersDamaged(): Buffer {
  const bytes = Buffer.from(codec.encode({ headers: { n: { type: 'boolean', value: true } }, body: new Uint8Array() }));
  bytes[14] = 10;
  bytes.writeUInt32BE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
  return bytes;
}
