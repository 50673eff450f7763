// The incremental reader against one that sees the whole stream as a string, at every split of several streams and at
// random splits of random ones. FUZZ_SCALE multiplies the number of random cases.

import { deepStrictEqual, ok, strictEqual } from 'node:assert';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { EventNames } from './event-names.ts';
import { SseReader } from './sse-events.ts';
import { pingEvent } from './sse-write.ts';

const SCALE = Number(process.env['FUZZ_SCALE'] ?? 1);
const TIMEOUT = 20_000 + SCALE * 20_000;
const LIMIT = 300;
const NAMES = ['message_start', 'message_delta', 'message_stop', 'error'];
const WANTED = new EventNames(NAMES);
const WITH_PING = new EventNames([...NAMES, 'ping']);

interface Outcome {
  events: [name: string, data: string][];
  oversized: number;
  outputChars: number;
  atBoundary: boolean;
}

// Bytes are handled as Latin-1 text, one character a byte, so that a split may fall anywhere.

/** Reads a whole stream, which counts as over when `ended`. Of the output it only tells where nothing was cut. */
function reference(bytes: Buffer, ended: boolean, names = NAMES): Outcome {
  const stream = bytes.toString('latin1');
  const mark = '\u00ef\u00bb\u00bf';
  const text = stream.startsWith(mark) ? stream.slice(3) : stream;
  const lines = text.split(/\r\n|\r|\n/u);
  const rest = lines.pop() ?? '';
  const out: Outcome = { events: [], oversized: 0, outputChars: 0, atBoundary: false };
  let name = '';
  let data: string[] = [];
  let fields = false;

  const dispatch = () => {
    const joined = data.join('\n');
    if (data.length > 0 && joined.length > LIMIT) {
      if (name === '' || names.includes(name)) out.oversized += 1;
      if (name === 'content_block_delta') out.outputChars += joined.length;
    } else if (data.length > 0) {
      const resolved = name || typeOf(joined);
      if (names.includes(resolved)) out.events.push([resolved, joined]);
      if (resolved === 'content_block_delta') out.outputChars += outputOf(joined);
    }
    name = '';
    data = [];
    fields = false;
  };
  const field = (line: string) => {
    if (line.startsWith(':')) return;
    fields = true;
    const [, key, value] = /^([^:]*):? ?(.*)$/su.exec(line) ?? [];
    if (key === 'data') data.push(value ?? '');
    if (key === 'event' && (data.length === 0 || name === '')) name = value ?? '';
  };

  for (const line of lines) {
    if (line === '') dispatch();
    else field(line);
  }
  out.atBoundary = rest === '' && !fields && !(stream.length < 3 && stream !== '' && mark.startsWith(stream));
  if (ended) {
    if (rest !== '') field(rest);
    dispatch();
  }
  return out;
}

function typeOf(data: string): string {
  try {
    // The streams below repeat no key, so JSON.parse and the scanner agree.
    return String((JSON.parse(data) as { type?: unknown }).type);
  } catch {
    return '';
  }
}

/** Bytes of output, in an event that JSON.stringify wrote; what follows on later lines may spoil it. */
function outputOf(data: string): number {
  for (const text of [data, data.split('\n')[0] ?? '']) {
    try {
      const { delta = {} } = JSON.parse(text) as { delta?: Record<string, string> };
      const texts = [delta['text'], delta['thinking'], delta['partial_json']].filter((part) => part !== undefined);
      return texts.reduce((sum, part) => sum + JSON.stringify(part).length - 2, 0);
    } catch {
      continue;
    }
  }
  return 0;
}

function incremental(bytes: Buffer, cuts: readonly number[], ended: boolean, wanted = WANTED): Outcome {
  const events: [string, string][] = [];
  const reader = new SseReader((name, data) => events.push([name, data.toString('latin1')]), {
    wanted,
    maxEventBytes: LIMIT,
  });
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    // A chunk of its own memory, wiped afterwards: nothing may be kept by reference.
    const chunk = Buffer.from(bytes.subarray(from, cut));
    reader.push(chunk);
    chunk.fill(0x0a);
    from = cut;
  }
  const { atBoundary } = reader;
  if (ended) reader.end();
  return { events, oversized: reader.oversized, outputChars: reader.outputChars, atBoundary };
}

const json = (type: string, fields: object = {}) => JSON.stringify({ type, ...fields });
const deltaJson = (delta: object) => json('content_block_delta', { index: 1, delta });

const USUAL = [
  ['event: message_start', `data: ${json('message_start', { message: { usage: { input_tokens: 4 } } })}`, ''],
  ['event: ping', 'data: {"type": "ping"}', ''],
  ['event: content_block_delta', `data: ${deltaJson({ type: 'text_delta', text: 'Grüße,\n"du" 😀' })}`, ''],
  ['event: content_block_delta', `data: ${deltaJson({ type: 'signature_delta', signature: 'abc' })}`, ''],
  ['event: message_delta', `data: ${json('message_delta', { usage: { output_tokens: 7 } })}`, ''],
  ['event: message_stop', 'data: {"type":"message_stop"}', '', ''],
].flat();
const ODD = [
  [': open', '', ':', 'retry: 10', 'event:message_stop', 'data:{', 'data', 'data: }', 'data:  ', '', '', ''],
  [
    `data: ${json('error', { error: { message: 'é' } })}`,
    '',
    `data:${deltaJson({ thinking: 'hm', type: 'thinking_delta' })}`,
    '',
  ],
  ['data: {"type":"error"}', 'event: message_stop', 'event: ping', '', 'event: error', '', 'data: x', ''],
  ['event: ping', `data: ${'x'.repeat(400)}`, '', 'event: error', `data: ${'x'.repeat(LIMIT + 1)}`, 'data: y', ''],
  ['event: error', 'event: nope', 'data: z', 'event: error', '', 'event: error', 'id: 3', 'data: last', '', 'da'],
].flat();
const CUT = [...USUAL.slice(0, -4), 'event: message_delta', 'data: {"usage":{"output_tokens":1'];

const ENDS = [
  ['LF', '\n'],
  ['CRLF', '\r\n'],
  ['CR', '\r'],
] as const;
const STREAMS = ENDS.flatMap(([name, end]) =>
  Object.entries({ usual: USUAL, odd: ODD, cut: CUT }).flatMap(([kind, lines]) =>
    ['', '\uFEFF'].map(
      (mark) => [`${kind}, ${name}${mark && ', byte order mark'}`, Buffer.from(mark + lines.join(end))] as const,
    ),
  ),
);

describe('SseReader and the reader of whole streams', () => {
  it.each(STREAMS)('agree at every split in two and byte by byte: %s', (_, bytes) => {
    const whole = reference(bytes, true);
    ok(whole.events.length > 0);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      deepStrictEqual(incremental(bytes, [cut], true), whole, `split at ${cut}`);
      deepStrictEqual(
        incremental(bytes.subarray(0, cut), [], false),
        reference(bytes.subarray(0, cut), false),
        `first ${cut}`,
      );
    }
    deepStrictEqual(incremental(bytes, [...bytes.keys()], true), whole);
  });

  it.each(STREAMS)('[XLAT-07] agree that a ping written at any boundary changes nothing else: %s', (_, bytes) => {
    const before = reference(bytes, true, [...NAMES, 'ping']);
    const pings = before.events.filter(([name]) => name === 'ping').length;
    let boundaries = 0;
    // A mark must stay the first bytes of the stream; the gateway never writes before the upstream's first byte.
    for (let cut = 1; cut <= bytes.length; cut += 1) {
      if (!incremental(bytes.subarray(0, cut), [], false).atBoundary) continue;
      boundaries += 1;
      const stuffed = Buffer.concat([bytes.subarray(0, cut), pingEvent, bytes.subarray(cut)]);
      const after = reference(stuffed, true, [...NAMES, 'ping']);
      strictEqual(after.events.filter(([name]) => name === 'ping').length, pings + 1, `at ${cut}`);
      const others = (outcome: Outcome) => outcome.events.filter(([name]) => name !== 'ping');
      deepStrictEqual(others(after), others(before), `at ${cut}`);
      deepStrictEqual(incremental(stuffed, [cut, cut + pingEvent.length], true, WITH_PING).events, after.events);
    }
    ok(boundaries >= 4);
  });

  it(
    'agree on random streams split at random',
    () => {
      const plain =
        '|||||:|: c|event: error|event:message_stop|event: ping|event: content_block_delta|event|event: messages|';
      const odd = 'data|data:|data: |data:  x|dat|datax: 1|id: 1|\uFEFFdata: {}|event : error| data: 1';
      const line = fc.constantFrom(
        ...(plain + odd).split('|'),
        `event: ${'e'.repeat(40)}`,
        `data: ${json('error')}`,
        `data: ${deltaJson({ type: 'text_delta', text: 'añ' })}`,
        `data:${deltaJson({ type: 'input_json_delta', partial_json: '{"' })}`,
        `data: ${'y'.repeat(LIMIT)}`,
        `data: ${'y'.repeat(LIMIT - 20)}`,
      );
      const end = fc.constantFrom('\n', '\n', '\r\n', '\r');
      const stream = fc
        .tuple(fc.constantFrom('', '', '\uFEFF', '\u00ff'), fc.array(fc.tuple(line, end), { maxLength: 24 }), line)
        .map(([mark, lines, rest]) => Buffer.from(mark + lines.map((pair) => pair.join('')).join('') + rest));
      const property = fc.property(
        stream,
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.boolean(),
        (bytes, places, ended) => {
          const cuts = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
          deepStrictEqual(incremental(bytes, cuts, ended), reference(bytes, ended));
        },
      );
      fc.assert(property, { numRuns: 4000 * SCALE });
    },
    TIMEOUT,
  );

  it(
    'bear any bytes, and read them the same however they are split',
    () => {
      const byte = fc.oneof(fc.constantFrom(...Buffer.from('\r\n\r\n: data:event:error{"type":}')), fc.nat(255));
      const property = fc.property(
        fc.array(byte, { maxLength: 120 }),
        fc.array(fc.nat(), { maxLength: 6 }),
        (all, places) => {
          const bytes = Buffer.from(all);
          const cuts = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
          deepStrictEqual(incremental(bytes, cuts, true), incremental(bytes, [], true));
        },
      );
      fc.assert(property, { numRuns: 3000 * SCALE });
    },
    TIMEOUT,
  );
});
