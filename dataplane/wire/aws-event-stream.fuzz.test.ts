// The event-stream reader and writer against an independent implementation, at every split of several streams, and on
// damaged and arbitrary bytes. FUZZ_SCALE multiplies the number of random cases.

import { deepStrictEqual, ok, strictEqual } from 'node:assert';
import { EventStreamCodec, Int64 } from '@smithy/eventstream-codec';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { EventStreamDecoder } from './aws-event-stream-decoder.ts';
import { encodeFrame } from './aws-event-stream-encoder.ts';
import { type HeaderValue, readHeaders, writeHeaders } from './aws-event-stream-headers.ts';
import { EventStreamError, FRAME_OVERHEAD } from './aws-event-stream-layout.ts';

const SCALE = Number(process.env['FUZZ_SCALE'] ?? 1);
const TIMEOUT = 20_000 + SCALE * 20_000;
const LIMITS = { maxFrameBytes: 2000, maxHeadersBytes: 1000 };

const codec = new EventStreamCodec(
  (bytes) => (typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString()),
  (string) => Buffer.from(string),
);
type SmithyMessage = ReturnType<typeof codec.decode>;
type SmithyValue = SmithyMessage['headers'][string];

interface Frame {
  headers: [name: string, value: HeaderValue][];
  payload: string;
}

interface Outcome {
  frames: Frame[];
  fault: string | undefined;
}

function decode(bytes: Buffer, cuts: readonly number[] = []): Outcome {
  const frames: Frame[] = [];
  const decoder = new EventStreamDecoder((frame) => {
    const headers = [...frame.headers()].map(([name, value]): [string, HeaderValue] => [
      name,
      value.type === 'binary' ? { type: 'binary', value: Buffer.from(value.value) } : value,
    ]);
    frames.push({ headers, payload: frame.source.toString('latin1', frame.payload, frame.end) });
  }, LIMITS);
  let from = 0;
  try {
    for (const cut of [...cuts, bytes.length]) {
      // A chunk of its own memory, wiped afterwards: nothing may be kept by reference.
      const chunk = Buffer.from(bytes.subarray(from, cut));
      from = cut;
      try {
        decoder.push(chunk);
      } finally {
        chunk.fill(0xff);
      }
    }
    decoder.end();
    return { frames, fault: undefined };
  } catch (error) {
    if (!(error instanceof EventStreamError)) throw error;
    return { frames, fault: error.code };
  }
}

function toSmithy(header: HeaderValue): SmithyValue {
  if (header.type === 'timestamp') return { type: 'timestamp', value: new Date(Number(header.value)) };
  if (header.type !== 'long') return header as SmithyValue;
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(header.value);
  return { type: 'long', value: new Int64(new Uint8Array(bytes)) };
}

function fromSmithy(header: SmithyValue): HeaderValue {
  if (header.type === 'timestamp') return { type: 'timestamp', value: BigInt(header.value.getTime()) };
  if (header.type === 'long') return { type: 'long', value: Buffer.from(header.value.bytes).readBigInt64BE() };
  return header.type === 'binary' ? { type: 'binary', value: Buffer.from(header.value) } : header;
}

const encode = ({ headers, payload }: Frame): Buffer =>
  encodeFrame(writeHeaders(headers), Buffer.from(payload, 'latin1'));

const latin1 = (limit: number) =>
  fc.uint8Array({ maxLength: limit }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const header: fc.Arbitrary<HeaderValue> = fc.oneof(
  fc.boolean().map((value): HeaderValue => ({ type: 'boolean', value })),
  fc.integer({ min: -128, max: 127 }).map((value): HeaderValue => ({ type: 'byte', value })),
  fc.integer({ min: -32_768, max: 32_767 }).map((value): HeaderValue => ({ type: 'short', value })),
  fc.integer().map((value): HeaderValue => ({ type: 'integer', value })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value): HeaderValue => ({ type: 'long', value })),
  // As far as a JavaScript date goes without losing milliseconds.
  fc.integer({ min: -1e12, max: 8e12 }).map((value): HeaderValue => ({ type: 'timestamp', value: BigInt(value) })),
  fc.uint8Array({ maxLength: 40 }).map((value): HeaderValue => ({ type: 'binary', value: Buffer.from(value) })),
  fc.string({ unit: 'grapheme', maxLength: 20 }).map((value): HeaderValue => ({ type: 'string', value })),
  fc.uuid().map((value): HeaderValue => ({ type: 'uuid', value })),
);
const name = fc.oneof(fc.constantFrom(':event-type', ':message-type', 'ñ'), fc.string({ minLength: 1, maxLength: 12 }));
const frame: fc.Arbitrary<Frame> = fc.record(
  {
    headers: fc
      .uniqueArray(fc.tuple(name, header), { maxLength: 5, selector: ([key]) => key })
      // The other implementation keeps headers in an object, whose integer keys come first and whose prototype is no key.
      .map((all) => all.filter(([key]) => !/^\d+$|^__proto__$/.test(key))),
    payload: latin1(60),
  },
  { noNullPrototype: true },
);
const frames = fc.array(frame, { maxLength: 5 });
const places = fc.array(fc.nat(), { maxLength: 8 });
const cutsIn = (bytes: Buffer, all: readonly number[]) =>
  all.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);

const text = (value: string): HeaderValue => ({ type: 'string', value });
const STREAM: readonly Frame[] = [
  { headers: [[':message-type', text('event')]], payload: '{"bytes":"e30="}' },
  { headers: [], payload: '' },
  { headers: [['long', { type: 'long', value: -1n }]], payload: 'x'.repeat(90) },
  { headers: [['yes', { type: 'boolean', value: true }]], payload: '' },
];

describe('the decoder', () => {
  it('reads the same at every split in two, in three, and byte by byte', () => {
    const bytes = Buffer.concat(STREAM.map(encode));
    const whole = { frames: [...STREAM], fault: undefined };
    deepStrictEqual(decode(bytes), whole);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      deepStrictEqual(decode(bytes, [cut]), whole, `split at ${cut}`);
      deepStrictEqual(decode(bytes, [cut, Math.min(cut + 13, bytes.length)]), whole, `split at ${cut} and behind`);
    }
    deepStrictEqual(decode(bytes, [...bytes.keys()]), whole);
  });

  it('knows at every length whether the stream ended within a frame', () => {
    const encoded = STREAM.map(encode);
    const bytes = Buffer.concat(encoded);
    const ends = encoded.map((_, index) => Buffer.concat(encoded.slice(0, index + 1)).length);
    for (let length = 1; length <= bytes.length; length += 1) {
      const whole = ends.filter((end) => end <= length).length;
      const fault = ends.includes(length) ? undefined : 'truncated';
      deepStrictEqual(decode(bytes.subarray(0, length)), { frames: STREAM.slice(0, whole), fault }, `first ${length}`);
    }
  });

  it(
    'reads what the other implementation wrote, however it is split',
    () => {
      const property = fc.property(frames, places, (all, where) => {
        const bytes = Buffer.concat(
          all.map(({ headers, payload }) =>
            codec.encode({
              headers: Object.fromEntries(headers.map(([key, value]) => [key, toSmithy(value)])),
              body: Buffer.from(payload, 'latin1'),
            }),
          ),
        );
        deepStrictEqual(decode(bytes, cutsIn(bytes, where)), { frames: all, fault: undefined });
      });
      fc.assert(property, { numRuns: 1500 * SCALE });
    },
    TIMEOUT,
  );

  it(
    'finds any byte altered anywhere, having delivered what came before',
    () => {
      const property = fc.property(
        frames,
        frame,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        places,
        (before, hit, at, mask, where) => {
          const damaged = encode(hit);
          damaged[at % damaged.length]! ^= mask;
          const bytes = Buffer.concat([...before.map(encode), damaged, ...STREAM.map(encode)]);
          const outcome = decode(bytes, cutsIn(bytes, where));
          deepStrictEqual(outcome.frames, before);
          ok(outcome.fault === 'prelude_checksum' || outcome.fault === 'message_checksum', outcome.fault);
        },
      );
      fc.assert(property, { numRuns: 3000 * SCALE });
    },
    TIMEOUT,
  );

  it(
    'bears any bytes, also behind true lengths, and reads them the same however they are split',
    () => {
      const junk = fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes));
      const part = fc.oneof(
        junk,
        frame.map(encode),
        frame.map((whole) => encode(whole).subarray(0, 12)),
        fc.tuple(junk, latin1(20)).map(([headers, payload]) => encodeFrame(headers, Buffer.from(payload))),
        fc.constant(encodeFrame(Buffer.alloc(0), Buffer.alloc(LIMITS.maxFrameBytes))),
      );
      const property = fc.property(fc.array(part, { maxLength: 5 }), places, (parts, where) => {
        const bytes = Buffer.concat(parts);
        deepStrictEqual(decode(bytes, cutsIn(bytes, where)), decode(bytes));
      });
      fc.assert(property, { numRuns: 3000 * SCALE });
    },
    TIMEOUT,
  );
});

describe('the encoder', () => {
  it(
    'writes byte for byte what the other implementation writes',
    () => {
      const property = fc.property(frame, ({ headers, payload }) => {
        const theirs = codec.encode({
          headers: Object.fromEntries(headers.map(([key, value]) => [key, toSmithy(value)])),
          body: Buffer.from(payload, 'latin1'),
        });
        deepStrictEqual(encode({ headers, payload }), Buffer.from(theirs));
      });
      fc.assert(property, { numRuns: 1500 * SCALE });
    },
    TIMEOUT,
  );
});

describe('headers', () => {
  it(
    'damaged behind true checksums are refused or read as the other implementation reads them',
    () => {
      let read = 0;
      const property = fc.property(
        frame,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        (whole, changes) => {
          const headers = writeHeaders(whole.headers);
          for (const [at, byte] of changes) if (headers.length > 0) headers[at % headers.length] = byte;
          let ours: [string, HeaderValue][];
          try {
            ours = [...readHeaders(headers, 0, headers.length)];
          } catch (error) {
            ok(error instanceof EventStreamError);
            strictEqual(error.code, 'header');
            return;
          }
          // Their dates do not hold every number of milliseconds, and their objects not every name.
          if (ours.some(([key, { type }]) => type === 'timestamp' || key === '__proto__')) return;
          read += 1;
          const theirs = codec.decode(encodeFrame(headers, Buffer.alloc(0))).headers;
          deepStrictEqual(
            new Map(Object.entries(theirs).map(([key, value]) => [key, fromSmithy(value)])),
            new Map(ours),
          );
        },
      );
      fc.assert(property, { numRuns: 3000 * SCALE });
      ok(read > 300 * SCALE);
    },
    TIMEOUT,
  );

  it('takes no more than a frame without headers and payload', () => {
    strictEqual(encodeFrame(Buffer.alloc(0), Buffer.alloc(0)).length, FRAME_OVERHEAD);
  });
});
