import { describe, expect, it } from 'vitest';
import { EventNames } from './event-names.ts';
import { SseReader, type SseReaderOptions } from './sse-events.ts';

type Read = { events: [name: string, data: string][]; reader: SseReader };

function read(chunks: (string | Buffer)[], options?: SseReaderOptions): Read {
  const events: [string, string][] = [];
  const reader = new SseReader((name, data) => events.push([name, data.toString()]), options);
  for (const chunk of chunks) reader.push(Buffer.from(chunk));
  return { events, reader };
}

const event = (name: string, fields: object = {}) =>
  `event: ${name}\ndata: ${JSON.stringify({ type: name, ...fields })}\n\n`;
const delta = (payload: object) => event('content_block_delta', { index: 0, delta: payload });

const STREAM =
  event('message_start', { message: { usage: { input_tokens: 12 } } }) +
  event('content_block_start') +
  event('ping') +
  delta({ type: 'text_delta', text: 'Hello' }) +
  event('content_block_stop') +
  event('message_delta', { usage: { output_tokens: 3 } }) +
  event('message_stop');

describe('SseReader', () => {
  it('[XLAT-25] hands over the events that carry usage and leaves every byte as it was', () => {
    const chunk = Buffer.from(STREAM);
    const seen: [string, unknown][] = [];
    new SseReader((name, data) => seen.push([name, JSON.parse(data.toString())])).push(chunk);
    expect(seen).toEqual([
      ['message_start', { type: 'message_start', message: { usage: { input_tokens: 12 } } }],
      ['message_delta', { type: 'message_delta', usage: { output_tokens: 3 } }],
      ['message_stop', { type: 'message_stop' }],
    ]);
    expect(chunk.toString()).toBe(STREAM);
  });

  it.each([
    ['LF', 'event: error\ndata: {}\n\n', '{}'],
    ['CRLF', 'event: error\r\ndata: {}\r\n\r\n', '{}'],
    ['CR', 'event: error\rdata: {}\r\r', '{}'],
    ['no space behind the colon', 'event:error\ndata:{}\n\n', '{}'],
    ['one space stripped, not two', 'event: error\ndata:  {}\n\n', ' {}'],
    ['several data lines', 'event: error\ndata: {\ndata\ndata:}\n\n', '{\n\n}'],
    ['data before the name', 'data: {}\nevent: error\n\n', '{}'],
    ['comments and other fields between', ': hi\nid: 7\nevent: error\n:\nretry: 5\ndata: {}\nfoo\n\n', '{}'],
    ['the last of two names', 'event: ping\nevent: error\ndata: {}\n\n', '{}'],
    ['a byte order mark', '\uFEFFevent: error\ndata: {}\n\n', '{}'],
    [
      'no name but a type',
      'data: {"x":[{"type":"ping"}],"type":"error"}\n\n',
      '{"x":[{"type":"ping"}],"type":"error"}',
    ],
    ['an empty name and a type', 'event\ndata: {"type":"error"}\nevent:\n\n', '{"type":"error"}'],
    ['text beyond ASCII', 'event: error\ndata: "é😀"\n\n', '"é😀"'],
  ])('understands %s', (_, text, data) => {
    expect(read([text]).events).toEqual([['error', data]]);
    expect(read([...Buffer.from(text)].map((byte) => Buffer.of(byte))).events).toEqual([['error', data]]);
  });

  it.each([
    ['another name', 'event: errors\ndata: {"type":"error"}\n\n'],
    ['a name in another case', 'event: Error\ndata: {"type":"error"}\n\n'],
    ['a name as long as no wanted one', `event: ${'error'.repeat(30)}\ndata: {"type":"error"}\n\n`],
    ['no data', 'event: error\n\n'],
    ['no blank line yet', 'event: error\ndata: {}\n'],
    ['no name and no JSON', 'data: error\n\n'],
    ['no name and two types', 'data: {"type":"error","type":"error"}\n\n'],
    ['no name and a type that is no string', 'data: {"type":["error"]}\n\n'],
    ['a name forgotten with its event', 'event: error\n\ndata: {}\n\n'],
    ['fields that only begin like event and data', 'events: error\ndatum: {}\neven\ndat\n\n'],
    ['a byte order mark that is not at the start', '\n\uFEFFevent: error\ndata: {}\n\n'],
  ])('delivers nothing for %s', (_, text) => {
    expect(read([text]).events).toEqual([]);
    expect(read([...Buffer.from(text)].map((byte) => Buffer.of(byte))).events).toEqual([]);
  });

  it('delivers an event that was cut before its blank line when the stream ends, once', () => {
    const { events, reader } = read(['event: message_delta\ndata: {"usage":{"output_tokens":9}}']);
    reader.end();
    reader.end();
    expect(events).toEqual([['message_delta', '{"usage":{"output_tokens":9}}']]);
  });

  it('keeps an event across chunks although their owner reuses the memory', () => {
    const events: string[] = [];
    const reader = new SseReader((_, data) => events.push(data.toString()));
    const memory = Buffer.alloc(8);
    const bytes = Buffer.from('event: error\ndata: {"message":"overloaded"}\ndata: \n\n');
    for (let at = 0; at < bytes.length; at += memory.length) {
      reader.push(memory.subarray(0, bytes.copy(memory, 0, at)));
      memory.fill('#');
    }
    expect(events).toEqual(['{"message":"overloaded"}\n']);
  });

  it('hands over data that later events do not overwrite', () => {
    const kept: Buffer[] = [];
    const reader = new SseReader((_, data) => kept.push(data));
    for (const text of ['event: error\ndata: fi', 'rst\n\nevent: error\ndata: sec', 'ond\n\n'])
      reader.push(Buffer.from(text));
    expect(kept.map(String)).toEqual(['first', 'second']);
  });

  it.each([1, 7, 4096])('drops and counts an event over the limit, %i bytes a chunk, and reads on', (step) => {
    const bytes = Buffer.from(
      ['x'.repeat(100), 'x'.repeat(101), `${'x'.repeat(60)}\ndata: ${'x'.repeat(40)}`, 'y']
        .map((data) => `event: error\ndata: ${data}\n\n`)
        .join('') + event('content_block_stop', { x: 'z'.repeat(200) }),
    );
    const chunks = Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) =>
      bytes.subarray(i * step, (i + 1) * step),
    );
    const { events, reader } = read(chunks, { maxEventBytes: 100 });
    expect(events).toEqual([
      ['error', 'x'.repeat(100)],
      ['error', 'y'],
    ]);
    expect(reader.oversized).toBe(2);
  });

  it('delivers the names it was asked for', () => {
    const wanted = new EventNames(['content_block_delta', 'ping']);
    const { events, reader } = read([STREAM], { wanted });
    expect(events.map(([name]) => name)).toEqual(['ping', 'content_block_delta']);
    expect(reader.outputChars).toBe(5);
  });
});

describe('outputChars', () => {
  it.each<[string, string, number]>([
    ['text', delta({ type: 'text_delta', text: 'Hello' }), 5],
    ['thinking', delta({ type: 'thinking_delta', thinking: 'Hmm, ' }), 5],
    ['tool input, as it is escaped', delta({ type: 'input_json_delta', partial_json: '{"a":' }), 7],
    ['bytes, not characters', delta({ type: 'text_delta', text: 'é' }), 2],
    ['no signature', delta({ type: 'signature_delta', signature: 'c2lnbmVk' }), 0],
    ['no other event', event('content_block_start', { content_block: { type: 'text', text: 'Hello' } }), 0],
    [
      'an unusual order of fields',
      event('content_block_delta', { delta: { text: 'Hello', type: 'text_delta' }, index: 3 }),
      5,
    ],
    [
      'padding',
      'event: content_block_delta\ndata: {"type":"content_block_delta","index":12,"delta":{"type":"text_delta","text":"Hi"}        }\n\n',
      2,
    ],
    [
      'an event without a name',
      'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}\n\n',
      2,
    ],
    [
      'nothing readable',
      'event: content_block_delta\ndata: {"delta":{"text":1}}\n\nevent: content_block_delta\ndata: hello\n\n',
      0,
    ],
  ])('[SPEND-20] counts %s', (_, text, count) => {
    expect(read([text]).reader.outputChars).toBe(count);
    expect(read([...Buffer.from(text)].map((byte) => Buffer.of(byte))).reader.outputChars).toBe(count);
  });

  it('[SPEND-20] adds up over a stream that is cut in the middle of a delta', () => {
    const text = delta({ type: 'text_delta', text: 'Hello' }) + delta({ type: 'text_delta', text: ' world' });
    const { reader } = read([text.slice(0, text.indexOf('orld'))]);
    expect(reader.outputChars).toBe(5);
    reader.end();
    expect(reader.outputChars).toBe(7);
  });

  it('takes an oversized delta for text', () => {
    const { reader } = read([delta({ type: 'text_delta', text: 'x'.repeat(1000) })], { maxEventBytes: 500 });
    expect(reader.outputChars).toBeGreaterThanOrEqual(1000);
    expect(reader.outputChars).toBeLessThan(1100);
    expect(reader.oversized).toBe(0);
  });
});

describe('atBoundary', () => {
  it.each<[string, string, boolean]>([
    ['before the first byte', '', true],
    ['behind an event', 'event: ping\ndata: {}\n\n', true],
    ['behind an event, CRLF', 'event: ping\r\ndata: {}\r\n\r\n', true],
    ['before the last LF of CRLF, which will be a blank line', 'data: {}\r\n\r', true],
    ['behind an event, CR', 'data: {}\r\r', true],
    ['behind a comment', ': keep-alive\n', true],
    ['behind a byte order mark', '\uFEFF', true],
    ['in a comment', ': keep', false],
    ['behind a name', 'event: ping\n', false],
    ['behind data', 'data: {}\n', false],
    ['behind data of an event nobody wants', 'event: ping\ndata: {}\n', false],
    ['in a field name', 'data: {}\n\nda', false],
    ['behind another field', 'id: 3\n', false],
  ])('%s', (_, text, expected) => {
    expect(read([text]).reader.atBoundary).toBe(expected);
  });
});
