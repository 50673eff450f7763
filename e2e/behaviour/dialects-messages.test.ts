// Every client format in front of an Anthropic upstream: messages, streams and counts go through, and the upstream is asked the same.
import { beforeEach, describe, expect, test } from 'vitest';
import { ask, CANONICAL, everyDialect, FORMATS, streamedEvents } from './dialects.ts';
import { recordOf } from './caller.ts';
import { metric } from './routing.ts';
import { startScene } from './scene.ts';

const { mock, gateway } = await startScene(everyDialect);

beforeEach(() => mock.behave(() => ({ kind: 'text', text: 'hello there' })));

const lastRequest = () => {
  const { url, headers, body } = mock.requests.at(-1)!;
  return { url, headers, body: JSON.parse(body.toString()) as Record<string, unknown> };
};

describe.each(FORMATS)('$dialect', (format) => {
  const { dialect } = format;

  test('[XLAT-16] [XLAT-18] [AUTH-30] a message comes back as the Messages API has it', async () => {
    const answer = await ask(gateway, format.plain, format.body(false));
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      type: 'message',
      content: [{ type: 'text', text: 'hello there' }],
    });
    const { url, headers, body } = lastRequest();
    expect(url).toBe('/v1/messages');
    expect(body).toEqual({ model: CANONICAL, max_tokens: 16, messages: [{ role: 'user', content: 'hi' }] });
    expect(headers['anthropic-version'] ?? '2023-06-01').toBe('2023-06-01');
    expect(await recordOf(gateway, answer)).toMatchObject({ dialect, stream: false, model: CANONICAL, status: 200 });
  });

  test('[XLAT-16] [XLAT-18] [AUTH-30] a stream has the same events in the same order', async () => {
    const answer = await ask(gateway, format.stream, format.body(true));
    expect(answer.status).toBe(200);
    const type = answer.headers['content-type'];
    expect(type).toMatch(dialect === 'Bedrock' ? /^application\/vnd.amazon.eventstream$/ : /^text\/event-stream/);
    const names = streamedEvents(answer).map(({ type: name }) => name);
    expect(names[0]).toBe('message_start');
    expect(names.at(-1)).toBe('message_stop');
    const text = streamedEvents(answer).map((event) => (event['delta'] as { text?: string } | undefined)?.text ?? '');
    expect(text.join('')).toBe('hello there');
    expect(lastRequest().body).toMatchObject({ model: CANONICAL, stream: true });
    const record = await recordOf(gateway, answer);
    expect(record).toMatchObject({ dialect, stream: true, outcome: 'complete' });
    expect((record['usage'] as { outputTokens: number }).outputTokens).toBeGreaterThan(0);
  });

  test('[XLAT-16] [XLAT-18] a count is one, under the name the format has for it', async () => {
    const answer = await ask(gateway, format.count, format.countBody());
    expect(answer.status).toBe(200);
    const counted = JSON.parse(answer.body.toString()) as Record<string, unknown>;
    expect(Object.keys(counted)).toEqual([dialect === 'Bedrock' ? 'inputTokens' : 'input_tokens']);
    expect(Object.values(counted)[0]).toBeGreaterThan(0);
    const { url, body } = lastRequest();
    expect(url).toBe('/v1/messages/count_tokens');
    expect(body).toMatchObject({ model: CANONICAL, messages: [{ role: 'user', content: 'hi' }] });
    expect(Object.keys(body)).not.toContain('anthropic_version');
  });
});

test('metrics tell messages, counts and profiles apart in every format, in the same words', async () => {
  const before = await metric(gateway, 'requests_total', { endpoint: 'messages' });
  const counts = await metric(gateway, 'requests_total', { endpoint: 'count_tokens' });
  for (const format of FORMATS) {
    await recordOf(gateway, await ask(gateway, format.plain, format.body(false)));
    await recordOf(gateway, await ask(gateway, format.count, format.countBody()));
  }
  expect(await metric(gateway, 'requests_total', { endpoint: 'messages' })).toBe(before + FORMATS.length);
  expect(await metric(gateway, 'requests_total', { endpoint: 'count_tokens' })).toBe(counts + FORMATS.length);
});
