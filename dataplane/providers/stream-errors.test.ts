// Streams of clouds pass byte for byte, whatever the chunks; the words of an error in them do not.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StreamErrors } from './stream-errors.ts';

const DELTA = 'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"event: error"}}\n\n';
const ERROR = (message: string, type = 'overloaded_error'): string =>
  `event: error\ndata: ${JSON.stringify({ type: 'error', error: { type, message } })}\n\n`;
const ARN = 'arn:aws:bedrock:us-east-1:111122223333:inference-profile/x';

function translate(text: string, chunkSizes: readonly number[] = [text.length]): { text: string; failed: boolean } {
  const stream = new StreamErrors('req-1');
  const bytes = Buffer.from(text);
  const out: Buffer[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i += 1) {
    const size = chunkSizes[i % chunkSizes.length]!;
    out.push(stream.push(bytes.subarray(at, at + size)));
    at += size;
  }
  if (!stream.failed) out.push(stream.end());
  return { text: Buffer.concat(out).toString(), failed: stream.failed };
}

const chunks = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });

describe('an answer without an error', () => {
  const piece = fc.oneof(
    fc.constantFrom(DELTA, 'event: err\n\n', 'event: error_free\n', '\n', 'e', 'event: ', ': comment\n\n', '\r\n'),
    fc.string(),
  );

  test('is the same bytes, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(piece), chunks, (pieces, sizes) => {
        const text = pieces.join('');
        fc.pre(!/(?:^|\n)event: error/.test(text) && text.isWellFormed());
        expect(translate(text, sizes)).toEqual({ text, failed: false });
      }),
    );
  });

  test('leaves at once, but for the beginning of what could be an error', () => {
    const stream = new StreamErrors('req-1');
    expect(stream.push(Buffer.from(DELTA)).toString()).toBe(DELTA);
    expect(stream.push(Buffer.from('data: half')).toString()).toBe('data: half');
    expect(stream.push(Buffer.from(' a line\n\neven')).toString()).toBe(' a line\n\n');
    expect(stream.push(Buffer.from('t: ping\n')).toString()).toBe('event: ping\n');
  });
});

describe('an error', () => {
  test('[XLAT-14] [PROV-21] loses account ids, keeps its type, and ends the stream, however it is cut', () => {
    const text = `${DELTA}${ERROR(`für ${ARN} kein Platz`)}${DELTA}`;
    fc.assert(
      fc.property(chunks, (sizes) => {
        const { text: given, failed } = translate(text, sizes);
        expect(failed).toBe(true);
        expect(given.startsWith(DELTA)).toBe(true);
        expect(JSON.parse(given.slice(DELTA.length).replace('event: error\ndata: ', ''))).toEqual({
          type: 'error',
          error: { type: 'overloaded_error', message: 'für [redacted] kein Platz' },
          request_id: 'req-1',
        });
      }),
    );
  });

  test('[PROV-21] that repeats a secret of the upstream is told without its words', () => {
    const secrets = { leaksInto: (text: string) => text.includes('litellm-key') };
    const stream = new StreamErrors('req-1', secrets);
    const given = stream.push(Buffer.from(ERROR('no budget left for litellm-key'))).toString();
    expect(given).toContain('"type":"overloaded_error","message":"the upstream failed in the middle of the answer"');
    expect(given).not.toContain('litellm-key');
    const odd = new StreamErrors('req-1', secrets).push(Buffer.from(ERROR('x', 'litellm-key'))).toString();
    expect(odd).toContain('"type":"api_error","message":"x"');
    const harmless = new StreamErrors('req-1', secrets).push(Buffer.from(ERROR('Overloaded'))).toString();
    expect(harmless).toContain('"type":"overloaded_error","message":"Overloaded"');
  });

  test.each([
    ['without the blank', (data: string) => `event:error\ndata:${data}\n\n`],
    ['without a name', (data: string) => `data: ${data}\n\n`],
    ['without either', (data: string) => `data:${data}\n\n`],
  ])('[XLAT-14] written %s loses account ids too, however it is cut', (_name, write) => {
    const data = JSON.stringify({ type: 'error', error: { type: 'overloaded_error', message: `no room at ${ARN}` } });
    fc.assert(
      fc.property(chunks, (sizes) => {
        const { text, failed } = translate(`${DELTA}${write(data)}`, sizes);
        expect(failed).toBe(true);
        expect(text.slice(DELTA.length)).toContain('"message":"no room at [redacted]"');
      }),
    );
  });

  test.each([
    ['of Google’s, without a name', `data: {"error":{"code":503,"message":"${ARN}"}}\n\n`],
    ['in a shape of the cloud’s own', `event: error\ndata: {"code":500,"message":"${ARN}"}\n\n`],
    ['without data', 'event: error\n\n'],
    ['that is no JSON', `event: error\ndata: ${ARN}\n\n`],
    ['that is cut before its end', `event: error\ndata: {"message":"${ARN}`],
    ['beyond all measure', `event: error\ndata: ${'x'.repeat(100_000)}`],
  ])('[XLAT-14] %s is told without its words', (_name, text) => {
    const given = translate(text).text;
    expect(given).toContain('"type":"api_error","message":"the upstream failed in the middle of the answer"');
    expect(given).not.toContain('arn:');
  });
});
