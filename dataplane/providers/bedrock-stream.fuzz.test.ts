// Both translations against each other and against the frames' events, on random events at random splits, and on damaged
// bytes. FUZZ_SCALE multiplies the number of random cases.

import { deepStrictEqual, ok, strictEqual } from 'node:assert';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { encodeFrame } from '../wire/aws-event-stream-encoder.ts';
import { BedrockStream, CHUNK_HEADERS } from './bedrock-stream.ts';
import { BedrockStreamEncoder } from './bedrock-stream-encoder.ts';

const SCALE = Number(process.env['FUZZ_SCALE'] ?? 1);
const TIMEOUT = 20_000 + SCALE * 20_000;

interface Translation {
  push(chunk: Buffer): Buffer;
}

/** Everything a stream is translated to, from chunks of their own memory that are wiped afterwards. */
function translated(stream: Translation, bytes: Buffer, places: readonly number[]): Buffer {
  const cuts = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  const out: Buffer[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    const chunk = Buffer.from(bytes.subarray(from, cut));
    out.push(stream.push(chunk));
    chunk.fill(0x7d);
    from = cut;
  }
  return Buffer.concat(out);
}

const name = fc.constantFrom(
  'message_start',
  'content_block_delta',
  'content_block_delta',
  'message_delta',
  'ping',
  'x',
);
const event = fc
  .tuple(name, fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }), fc.boolean())
  .map(([type, rest, first]) => JSON.stringify(first ? Object.assign({ type }, rest, { type }) : { ...rest, type }));
const events = fc.array(event, { maxLength: 8 });
const places = fc.array(fc.nat(), { maxLength: 8 });

const frameOf = (json: string, padding: string): Buffer =>
  encodeFrame(CHUNK_HEADERS, Buffer.from(JSON.stringify({ bytes: Buffer.from(json).toString('base64'), p: padding })));
const sseOf = (json: string): string => `event: ${(JSON.parse(json) as { type: string }).type}\ndata: ${json}\n\n`;

describe('the translations', () => {
  it(
    '[XLAT-06] frames become their events in order, however they are split',
    () => {
      const property = fc.property(
        fc.array(fc.tuple(event, fc.string({ maxLength: 9 })), { maxLength: 8 }),
        places,
        (all, where) => {
          const bytes = Buffer.concat(all.map(([json, padding]) => frameOf(json, padding)));
          const stream = new BedrockStream('r');
          strictEqual(translated(stream, bytes, where).toString(), all.map(([json]) => sseOf(json)).join(''));
          deepStrictEqual([stream.end().length, stream.failed], [0, false]);
        },
      );
      fc.assert(property, { numRuns: 1000 * SCALE });
    },
    TIMEOUT,
  );

  it(
    'there and back gives the same stream',
    () => {
      const property = fc.property(events, places, places, (all, there, back) => {
        const sse = all.map(sseOf).join('');
        const frames = translated(new BedrockStreamEncoder(), Buffer.from(sse), there);
        strictEqual(translated(new BedrockStream('r'), frames, back).toString(), sse);
      });
      fc.assert(property, { numRuns: 1000 * SCALE });
    },
    TIMEOUT,
  );

  it(
    'damage anywhere ends the stream with one error, behind a prefix of the events',
    () => {
      const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
      const property = fc.property(events, damage, places, (all, changes, where) => {
        const bytes = Buffer.concat(all.map((json) => frameOf(json, '')));
        const original = Buffer.from(bytes);
        for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        const stream = new BedrockStream('r');
        const text = translated(stream, bytes, where).toString() + stream.end().toString();
        const sse = all.map(sseOf).join('');
        strictEqual(stream.failed, !bytes.equals(original));
        const [before, error] = text.split('event: error\n');
        ok(sse.startsWith(before!));
        strictEqual(error?.split('\n\n').length, stream.failed ? 2 : undefined);
      });
      fc.assert(property, { numRuns: 1500 * SCALE });
    },
    TIMEOUT,
  );

  it(
    'bear any payload behind true checksums, and any bytes, the same however they are split',
    () => {
      const bits = fc.constantFrom(
        '{"bytes":"',
        '"',
        '}',
        'e30=',
        '{"type":"',
        'eyJ0eXBlIjoicGluZyJ9',
        'error',
        '\\',
        '\n',
        '\n\n',
        'data: ',
        '\r',
        ':',
        ',"p":1',
        'é',
      );
      const junk = fc.array(bits, { maxLength: 8 }).map((parts) => Buffer.from(parts.join('')));
      const property = fc.property(fc.array(junk, { maxLength: 5 }), places, (all, where) => {
        const frames = Buffer.concat(all.map((payload) => encodeFrame(CHUNK_HEADERS, payload)));
        deepStrictEqual(
          translated(new BedrockStream('r'), frames, where),
          translated(new BedrockStream('r'), frames, []),
        );
        const bytes = Buffer.concat(all);
        deepStrictEqual(
          translated(new BedrockStreamEncoder(), bytes, where),
          translated(new BedrockStreamEncoder(), bytes, []),
        );
        new BedrockStream('r').push(bytes);
      });
      fc.assert(property, { numRuns: 2000 * SCALE });
    },
    TIMEOUT,
  );
});
