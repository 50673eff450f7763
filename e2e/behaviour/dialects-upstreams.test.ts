// Any client format in front of any provider family: the same message, the same events, the same count, refusals in the client's shape
// and nothing of the account in them. The mock clouds are strict about what they are sent, so a field or beta left over shows as a 400.
import { describe, expect, test } from 'vitest';
import { PROVIDER_FAMILIES, type ProviderFamily } from '#shared/catalog/families.ts';
import { LEAKS, PLANTED_TEXT } from '../harness/providers/accounts.ts';
import type { Behaviour } from '../harness/mock-anthropic.ts';
import { recordOf } from './caller.ts';
import {
  ask as askGateway,
  CANONICAL,
  EVERY_DIALECT,
  FORMATS,
  streamedEvents,
  wordsOf,
  type Format,
} from './dialects.ts';
import type { Answer } from './http-client.ts';
import { sharedCloud } from './providers-scene.ts';

const TEXT = 'one answer for all of them';
const BETAS = 'claude-code-20250219,interleaved-thinking-2025-05-14,not-invented-yet-2031-01-01';

describe.each(PROVIDER_FAMILIES)('upstream %s', (family: ProviderFamily) => {
  const scene = sharedCloud(family, { gatewaySpec: { dialects: EVERY_DIALECT } });

  const script = (behaviour: Behaviour): void => scene().cloud.behave(() => behaviour);
  /** SDKs send the version with the Messages API alone: the other formats have it in their bodies. */
  const ask = ({ dialect }: Format, path: string, body: unknown): Promise<Answer> => {
    const version = dialect === 'Bedrock' || dialect === 'Vertex' ? [] : ['anthropic-version', '2023-06-01'];
    return askGateway(scene().gateway, path, body, { headers: ['anthropic-beta', BETAS, ...version] });
  };
  const message = (format: Format): Promise<Answer> => ask(format, format.plain, format.body(false));
  const stream = (format: Format): Promise<Answer> => ask(format, format.stream, format.body(true));

  function expectNoLeak({ body, headers }: Answer): void {
    const said = `${body.toString()}\n${JSON.stringify(headers)}`;
    for (const leak of LEAKS) expect(said).not.toContain(leak);
  }

  test.each(FORMATS)('[XLAT-16] [XLAT-18] $dialect: a message, and who served it', async (format) => {
    script({ kind: 'text', text: TEXT });
    const answer = await message(format);
    expect([answer.status, scene().cloud.refused]).toEqual([200, []]);
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      type: 'message',
      content: [{ type: 'text', text: TEXT }],
    });
    const record = await recordOf(scene().gateway, answer);
    expect(record).toMatchObject({ dialect: format.dialect, model: CANONICAL, outcome: 'complete' });
    expect(record['cost_usd']).toBeDefined();
  });

  test.each(FORMATS)('[XLAT-16] [XLAT-18] $dialect: a stream, event by event', async (format) => {
    script({ kind: 'text', text: TEXT });
    const answer = await stream(format);
    expect([answer.status, scene().cloud.refused]).toEqual([200, []]);
    const events = streamedEvents(answer).filter(({ type }) => type !== 'ping');
    const names = events.map(({ type }) => type as string);
    expect(names.filter((name) => name !== 'content_block_delta')).toEqual([
      'message_start',
      'content_block_start',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(events.map(({ delta }) => (delta as { text?: string } | undefined)?.text ?? '').join('')).toBe(TEXT);
    expect(JSON.stringify(events)).not.toContain('invocationMetrics');
    const record = await recordOf(scene().gateway, answer);
    expect((record['usage'] as { outputTokens: number }).outputTokens).toBeGreaterThan(0);
  });

  test.each(FORMATS)('[XLAT-16] [XLAT-18] $dialect: a tool is asked for', async (format) => {
    script({ kind: 'tool', name: 'get_weather', input: { city: 'Paris' } });
    const tools = [{ name: 'get_weather', input_schema: { type: 'object' } }];
    const answer = await ask(format, format.stream, format.body(true, { tools }));
    expect([answer.status, scene().cloud.refused]).toEqual([200, []]);
    const started = streamedEvents(answer).find(
      ({ type, index }) => type === 'content_block_start' && index !== undefined,
    );
    expect(JSON.stringify(started)).toContain('get_weather');
  });

  test.each(FORMATS)('[XLAT-16] [XLAT-18] $dialect: a count', async (format) => {
    script({ kind: 'count', inputTokens: 4711 });
    const answer = await ask(format, format.count, format.countBody());
    const { inputTokens, input_tokens } = JSON.parse(answer.body.toString()) as Record<string, unknown>;
    expect([answer.status, format.dialect === 'Bedrock' ? inputTokens : input_tokens]).toEqual([200, 4711]);
  });

  test.each(FORMATS)('[XLAT-19] $dialect: refusals keep their meaning and lose the account', async (format) => {
    for (const [sent, status] of [
      [400, 400],
      [403, 403],
      [429, 429],
      [500, 502],
    ] as const) {
      script({ kind: 'status', status: sent, message: PLANTED_TEXT, native: true });
      const answer = await message(format);
      expect([sent, answer.status]).toEqual([sent, status]);
      expect(wordsOf(format.dialect, answer).length).toBeGreaterThan(5);
      expectNoLeak(answer);
    }
  });

  test.each(FORMATS)(
    '[XLAT-19] [ERR-09] $dialect: an error in the midst of a stream is the last of it',
    async (format) => {
      script({ kind: 'error-event', afterEvents: 3, errorType: 'overloaded_error', message: 'Overloaded' });
      const answer = await stream(format);
      expect(answer.complete).toBe(true);
      const events = streamedEvents(answer).filter(({ type }) => type !== 'ping');
      expect(events[0]).toMatchObject({ type: 'message_start' });
      expect(JSON.stringify(events.at(-1))).toMatch(/overloaded_error|serviceUnavailableException/);
      expectNoLeak(answer);
    },
  );
});
