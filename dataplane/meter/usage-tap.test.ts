// Usage out of answers as they flow past: whole, in pieces, cut short, and in the spellings providers use.
import { describe, expect, test } from 'vitest';
import { openTap } from './usage-tap.ts';

const NONE = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  webSearchRequests: 0,
};

function event(type: string, data: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
}

const START = event('message_start', {
  message: {
    model: 'claude-opus-5-5',
    usage: {
      input_tokens: 3,
      cache_creation_input_tokens: 300,
      cache_read_input_tokens: 2000,
      cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
      output_tokens: 1,
      service_tier: 'standard',
      inference_geo: 'us',
      speed: 'fast',
    },
  },
});
const TEXT = event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'one two three four' } });
const DELTA = event('message_delta', {
  delta: { stop_reason: 'end_turn' },
  usage: {
    input_tokens: 3,
    cache_creation_input_tokens: 300,
    cache_read_input_tokens: 2000,
    output_tokens: 42,
    server_tool_use: { web_search_requests: 2 },
  },
});
const STOP = event('message_stop', {});
const STREAM = Buffer.from(`${START}event: ping\ndata: {"type": "ping"}\n\n${TEXT}${DELTA}${STOP}`);
const USED = {
  inputTokens: 3,
  outputTokens: 42,
  cacheReadTokens: 2000,
  cacheWrite5mTokens: 100,
  cacheWrite1hTokens: 200,
  webSearchRequests: 2,
  speed: 'fast',
  inferenceGeo: 'us',
};

function tapped(...chunks: readonly (string | Buffer)[]) {
  const tap = openTap(true, false);
  for (const chunk of chunks) tap.push(Buffer.from(chunk));
  return tap;
}

describe('a stream', () => {
  test('[XLAT-25] reads the same usage wherever the bytes are split', () => {
    for (let at = 0; at <= STREAM.length; at += 1) {
      const tap = tapped(STREAM.subarray(0, at), STREAM.subarray(at));
      expect({ at, outcome: tap.finish(), ...tap.used() }).toEqual({
        at,
        outcome: 'complete',
        usage: USED,
        estimated: false,
      });
    }
  });

  test('[XLAT-25] reads the same usage byte by byte', () => {
    const tap = tapped(...Array.from(STREAM, (byte) => Buffer.of(byte)));
    expect(tap.finish()).toBe('complete');
    expect(tap.used()).toEqual({ usage: USED, estimated: false });
  });

  test('[SPEND-18] a closing sum without detail keeps the split of 5-minute and 1-hour cache that the start gave', () => {
    expect(tapped(START, DELTA).used()!.usage).toMatchObject({ cacheWrite5mTokens: 100, cacheWrite1hTokens: 200 });
  });

  test('[SPEND-18] a closing sum that grew counts the growth as 5-minute cache', () => {
    const grown = DELTA.replace('"cache_creation_input_tokens":300', '"cache_creation_input_tokens":350');
    expect(tapped(START, grown).used()!.usage).toMatchObject({ cacheWrite5mTokens: 150, cacheWrite1hTokens: 200 });
  });

  test('[SPEND-18] a closing sum below the start leaves no class negative', () => {
    const shrunk = DELTA.replace('"cache_creation_input_tokens":300', '"cache_creation_input_tokens":50');
    expect(tapped(START, shrunk).used()!.usage).toMatchObject({ cacheWrite5mTokens: 0, cacheWrite1hTokens: 50 });
  });

  test('a sum without any detail is the 5-minute cache', () => {
    const start = START.replace(/"cache_creation":\{[^}]*\},/, '');
    expect(tapped(start).used()!.usage).toMatchObject({ cacheWrite5mTokens: 300, cacheWrite1hTokens: 0 });
  });

  test('figures of the start stay where the end is silent about them', () => {
    const end = event('message_delta', { usage: { output_tokens: 7 } });
    expect(tapped(START, end).used()).toEqual({
      usage: { ...USED, outputTokens: 7, webSearchRequests: 0 },
      estimated: false,
    });
  });

  test.each([
    ['negative', -5],
    ['fraction', 1.5],
    ['text', '9'],
    ['null', null],
    ['beyond exact', 2 ** 60],
  ])('a count that is none (%s) is passed over', (_name, value) => {
    const end = event('message_delta', { usage: { output_tokens: value } });
    expect(tapped(START, end).used()!.usage.outputTokens).toBe(1);
  });
});

describe('a stream that ends early', () => {
  test.each<[string, string, number]>([
    ['text', 'x'.repeat(400), 100],
    ['text that does not divide', 'x'.repeat(401), 101],
    ['nothing yet', '', 1],
  ])('[SPEND-20] counts at least a token for four characters: %s', (_name, text, output) => {
    const delta = event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } });
    const used = tapped(START, delta).used()!;
    expect(used.estimated).toBe(true);
    expect(used.usage).toMatchObject({ inputTokens: 3, cacheReadTokens: 2000, outputTokens: output });
  });

  test.each<[string, object]>([
    ['thinking', { type: 'thinking_delta', thinking: 'y'.repeat(80) }],
    ['tool input', { type: 'input_json_delta', partial_json: 'y'.repeat(80) }],
  ])('[SPEND-20] counts %s as output', (_name, delta) => {
    expect(tapped(START, event('content_block_delta', { index: 0, delta })).used()!.usage.outputTokens).toBe(20);
  });

  test('[SPEND-20] the last usage frame wins over the estimate', () => {
    expect(tapped(START, TEXT.repeat(1000), DELTA).used()).toEqual({ usage: USED, estimated: false });
  });

  test('[SPEND-20] a usage frame without its closing blank line still counts', () => {
    expect(tapped(START, TEXT, DELTA.trimEnd()).used()).toEqual({ usage: USED, estimated: false });
  });

  test('[SPEND-20] output without any usage frame is not free', () => {
    const used = tapped(TEXT.repeat(10)).used();
    expect(used).toEqual({ usage: { ...NONE, outputTokens: Math.ceil((18 * 10) / 4) }, estimated: true });
  });

  test('nothing at all is nothing', () => {
    expect(tapped('event: ping\ndata: {"type": "ping"}\n\n').used()).toBeUndefined();
  });
});

describe('how a stream ended', () => {
  test.each<[string, string, string]>([
    ['complete', START + DELTA + STOP, 'complete'],
    ['the last blank line missing', (START + DELTA + STOP).trimEnd(), 'complete'],
    ['no message_stop', START + DELTA, 'truncated'],
    ['an error event', START + event('error', { error: { type: 'overloaded_error' } }), 'stream_error'],
    ['nothing', '', 'truncated'],
  ])('%s', (_name, text, outcome) => {
    expect(tapped(text).finish()).toBe(outcome);
  });
});

describe('a plain answer', () => {
  const answer = JSON.stringify({
    id: 'msg_1',
    content: [{ type: 'text', text: '"usage":{"input_tokens":999999}' }],
    usage: {
      input_tokens: 10,
      cache_creation_input_tokens: 30,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 30 },
      cache_read_input_tokens: 5,
      output_tokens: 20,
      server_tool_use: { web_search_requests: 1 },
    },
  });

  test('[XLAT-25] is read at its end, whatever its pieces', () => {
    const bytes = Buffer.from(answer);
    for (let at = 0; at <= bytes.length; at += 7) {
      const tap = openTap(false, false);
      tap.push(bytes.subarray(0, at));
      tap.push(bytes.subarray(at));
      expect(tap.finish()).toBe('complete');
      expect(tap.used()).toEqual({
        usage: {
          ...NONE,
          inputTokens: 10,
          outputTokens: 20,
          cacheReadTokens: 5,
          cacheWrite1hTokens: 30,
          webSearchRequests: 1,
        },
        estimated: false,
      });
    }
  });

  test('[SPEND-20] one that is broken off is counted by its length, and to the token where its usage was there', () => {
    const tap = openTap(false, false);
    expect(tap.used()).toBeUndefined();
    tap.push(Buffer.from(answer.slice(0, -1)));
    const outputTokens = Math.ceil((answer.length - 1) / 4);
    expect(tap.used()).toEqual({ usage: { ...NONE, outputTokens }, estimated: true });
    const whole = openTap(false, false);
    whole.push(Buffer.from(answer));
    expect(whole.used()).toMatchObject({ usage: { inputTokens: 10, outputTokens: 20 }, estimated: false });
  });

  test.each<[string, string, string]>([
    ['cut', '{"usage":{"input_tokens":1', 'truncated'],
    ['no JSON', '<html>', 'truncated'],
    ['usage null', '{"usage":null}', 'complete'],
    ['usage absent', '{"input_tokens":5}', 'complete'],
  ])('%s: nothing is used', (_name, text, outcome) => {
    const tap = openTap(false, false);
    tap.push(Buffer.from(text));
    expect(tap.finish()).toBe(outcome);
    expect(tap.used()).toBeUndefined();
  });
});

test('[API-03] a token count is free', () => {
  const tap = openTap(false, true);
  tap.push(Buffer.from('{"input_tokens":5,"usage":{"input_tokens":5}}'));
  expect(tap.finish()).toBe('complete');
  expect(tap.used()).toBeUndefined();
});
