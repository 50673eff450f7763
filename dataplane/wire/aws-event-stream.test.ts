import { describe, expect, it } from 'vitest';
import { EventStreamDecoder, type EventStreamDecoderOptions } from './aws-event-stream-decoder.ts';
import { encodeFrame, frameLength, openFrame, sealFrame } from './aws-event-stream-encoder.ts';
import { type HeaderValue, readHeaders, writeHeaders } from './aws-event-stream-headers.ts';
import { EventStreamError, FRAME_OVERHEAD } from './aws-event-stream-layout.ts';

type Headers = [name: string, value: HeaderValue][];

interface Read {
  frames: { headers: Headers; payload: string }[];
  fault: string | undefined;
}

function read(chunks: readonly Buffer[], options?: EventStreamDecoderOptions): Read {
  const frames: Read['frames'] = [];
  const decoder = new EventStreamDecoder((frame) => {
    const payload = frame.source.toString('latin1', frame.payload, frame.end);
    frames.push({ headers: [...frame.headers()], payload });
  }, options);
  try {
    for (const chunk of chunks) decoder.push(chunk);
    decoder.end();
    return { frames, fault: undefined };
  } catch (error) {
    if (!(error instanceof EventStreamError)) throw error;
    return { frames, fault: error.code };
  }
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const frame = (headers: Headers, payload = ''): Buffer => encodeFrame(writeHeaders(headers), Buffer.from(payload));
const text = (value: string): HeaderValue => ({ type: 'string', value });

/** Messages that the SDKs of AWS test themselves with. */
const KNOWN: readonly (readonly [string, string, Headers, string])[] = [
  ['empty', '00000010 00000000 05c248eb 7d98c8ff', [], ''],
  ['payload only', '0000001d 00000000 fd528c5a 7b27666f6f273a27626172277d c3653936', [], "{'foo':'bar'}"],
  [
    'a number',
    '0000002d 00000010 41c424b8 0a6576656e742d74797065 04 0000a00c 7b27666f6f273a27626172277d 36f480a0',
    [['event-type', { type: 'integer', value: 40_972 }]],
    "{'foo':'bar'}",
  ],
  [
    'a string',
    '0000003d 00000020 07fd8396 0c636f6e74656e742d74797065 07 0010 6170706c69636174696f6e2f6a736f6e 7b27666f6f273a27626172277d 8d9c08b1',
    [['content-type', text('application/json')]],
    "{'foo':'bar'}",
  ],
];

describe('frames', () => {
  it.each(KNOWN)('known message: %s', (_, bytes, headers, payload) => {
    expect(read([hex(bytes)])).toEqual({ frames: [{ headers, payload }], fault: undefined });
    expect(frame(headers, payload)).toEqual(hex(bytes));
  });

  it('reads a frame that lies in one chunk where it lies', () => {
    const seen: Buffer[] = [];
    const chunk = Buffer.concat([frame([], 'one'), frame([], 'two')]);
    new EventStreamDecoder(({ source }) => seen.push(source)).push(chunk);
    expect(seen).toHaveLength(2);
    expect(seen.every((source) => source === chunk)).toBe(true);
  });

  it('copies what it keeps of a chunk', () => {
    const whole = frame([['a', text('b')]], 'payload');
    for (let cut = 1; cut < whole.length; cut += 1) {
      const first = Buffer.from(whole.subarray(0, cut));
      const payloads: string[] = [];
      const decoder = new EventStreamDecoder((seen) =>
        payloads.push(seen.source.toString('latin1', seen.payload, seen.end)),
      );
      decoder.push(first);
      expect(decoder.atBoundary).toBe(false);
      first.fill(0);
      decoder.push(whole.subarray(cut));
      expect([payloads, decoder.atBoundary]).toEqual([['payload'], true]);
    }
  });

  it('writes a payload in place', () => {
    const headers = writeHeaders([['n', text('v')]]);
    const target = Buffer.alloc(5 + frameLength(headers.length, 3));
    const at = openFrame(target, 5, headers, 3);
    const end = sealFrame(target, 5, at + target.write('abc', at));
    expect(end).toBe(target.length);
    expect(target.subarray(5)).toEqual(frame([['n', text('v')]], 'abc'));
  });

  it('recognises headers by their bytes', () => {
    const same: boolean[] = [];
    const headers = writeHeaders([['n', text('v')]]);
    const decoder = new EventStreamDecoder((seen) => same.push(seen.hasHeaders(headers)));
    decoder.push(frame([['n', text('v')]], 'abc'));
    decoder.push(frame([['n', text('w')]], 'abc'));
    decoder.push(frame([['n', text('vv')]], 'abc'));
    decoder.push(frame([], 'abc'));
    expect(same).toEqual([true, false, false, false]);
  });
});

describe('a stream that cannot be read', () => {
  const good = frame([['n', text('v')]], 'good');

  function altered(change: (bytes: Buffer) => void): Buffer {
    const bytes = Buffer.from(good);
    change(bytes);
    return bytes;
  }

  it.each<[string, readonly Buffer[], string, EventStreamDecoderOptions?]>([
    ['a length altered', [altered((bytes) => bytes.writeUInt8(1, 2))], 'prelude_checksum'],
    ['the checksum of the lengths altered', [altered((bytes) => bytes.writeUInt8(1, 8))], 'prelude_checksum'],
    ['the payload altered', [altered((bytes) => bytes.write('b', bytes.length - 8))], 'message_checksum'],
    ['the last checksum altered', [altered((bytes) => bytes.writeUInt8(1, bytes.length - 1))], 'message_checksum'],
    ['a frame of no length', [hex('00000000 00000000'), hex('6522df69')], 'length'],
    ['the end within a frame', [good.subarray(0, -1)], 'truncated'],
    ['the end within the lengths', [good.subarray(0, 5)], 'truncated'],
    ['a frame beyond the limit', [good.subarray(0, 12)], 'frame_too_large', { maxFrameBytes: good.length - 1 }],
    ['headers beyond the limit', [good.subarray(0, 12)], 'headers_too_large', { maxHeadersBytes: 5 }],
  ])('%s', (_, chunks, fault, options) => {
    expect(read(chunks, options)).toEqual({ frames: [], fault });
  });

  it('lets frames at the limits pass', () => {
    const { frames, fault } = read([good], { maxFrameBytes: good.length, maxHeadersBytes: 6 });
    expect([frames.length, fault]).toEqual([1, undefined]);
  });

  it('a frame shorter than its headers, with true checksums', () => {
    const headers = writeHeaders([['n', text('v')]]);
    const bytes = Buffer.alloc(FRAME_OVERHEAD + headers.length);
    sealFrame(bytes, 0, openFrame(bytes, 0, headers, -1) - 1);
    expect(read([bytes]).fault).toBe('length');
  });

  it('delivers what came before, nothing of what comes behind, and says the same again', () => {
    const bad = Buffer.from(good);
    bad[20]! ^= 1;
    const payloads: string[] = [];
    const decoder = new EventStreamDecoder(({ source, payload, end }) =>
      payloads.push(source.toString('latin1', payload, end)),
    );
    expect(() => decoder.push(Buffer.concat([frame([], 'first'), bad, good]))).toThrow('checksum of the frame');
    expect(() => decoder.push(good)).toThrow('checksum of the frame');
    expect(() => decoder.end()).toThrow(EventStreamError);
    expect(payloads).toEqual(['first']);
  });

  it('does not take memory for a length nobody has sent', () => {
    const bytes = Buffer.alloc(12);
    const payload = 15 * 1024 * 1024;
    openFrame(bytes, 0, Buffer.alloc(0), payload);
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 64 }, () => new EventStreamDecoder(() => undefined));
    for (const decoder of decoders) decoder.push(bytes);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(payload);
  });
});

describe('headers', () => {
  const ALL: Headers = [
    ['yes', { type: 'boolean', value: true }],
    ['no', { type: 'boolean', value: false }],
    ['byte', { type: 'byte', value: -128 }],
    ['short', { type: 'short', value: -32_768 }],
    ['integer', { type: 'integer', value: -2_147_483_648 }],
    ['long', { type: 'long', value: -(2n ** 63n) }],
    ['binary', { type: 'binary', value: Buffer.of(0, 255) }],
    ['string', text('Grüße 😀')],
    ['timestamp', { type: 'timestamp', value: 1_763_740_800_123n }],
    ['uuid', { type: 'uuid', value: '00112233-4455-6677-8899-aabbccddeeff' }],
  ];

  it('carries all types both ways', () => {
    const bytes = writeHeaders(ALL);
    expect([...readHeaders(bytes, 0, bytes.length)]).toEqual(ALL);
  });

  it('lets the later of two with one name count', () => {
    const bytes = writeHeaders([
      ['n', text('one')],
      ['n', text('two')],
    ]);
    expect([...readHeaders(bytes, 0, bytes.length)]).toEqual([['n', text('two')]]);
  });

  it('refuses what passes the end, at every length', () => {
    for (const [name, value] of ALL) {
      const bytes = writeHeaders([[name, value]]);
      for (let end = 1; end < bytes.length; end += 1) {
        expect(() => readHeaders(bytes, 0, end), `${name} cut at ${end}`).toThrow(EventStreamError);
        expect(() => readHeaders(bytes.subarray(0, end), 0, end), `${name} without more`).toThrow(EventStreamError);
      }
    }
  });

  it('refuses a type nobody knows', () => {
    expect(() => readHeaders(Buffer.from('\u0001n\u000a'), 0, 3)).toThrow(EventStreamError);
  });

  it.each<[string, string, HeaderValue]>([
    ['a name without a letter', '', text('v')],
    ['a name of 256 bytes', 'é'.repeat(128), text('v')],
    ['a long string', 'n', text('v'.repeat(32_768))],
    ['a long binary', 'n', { type: 'binary', value: Buffer.alloc(32_768) }],
    ['a byte of 128', 'n', { type: 'byte', value: 128 }],
    ['a long of 2^63', 'n', { type: 'long', value: 2n ** 63n }],
    ['a UUID in capitals', 'n', { type: 'uuid', value: '00112233-4455-6677-8899-AABBCCDDEEFF' }],
  ])('does not write %s', (_, name, value) => {
    expect(() => writeHeaders([[name, value]])).toThrow(RangeError);
  });

  it('writes what is just short enough', () => {
    const headers: Headers = [['n'.repeat(255), text('v'.repeat(32_767))]];
    const bytes = writeHeaders(headers);
    expect([...readHeaders(bytes, 0, bytes.length)]).toEqual(headers);
  });
});
