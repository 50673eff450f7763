// Answers that somebody breaks off are paid for as far as they came: whoever reads a plain answer and leaves before its last byte has had it.
import { beforeEach, expect, test } from 'vitest';
import { startScene } from './scene.ts';
import { open, readUntil, send } from './http-client.ts';
import { callerHeaders, messageBody } from './routing.ts';
import { recordOf } from './caller.ts';

const scene = await startScene();
const JSON_HEADERS = { 'content-type': 'application/json' };
const TEXT = 'word '.repeat(400);
const WHOLE = JSON.stringify({
  type: 'message',
  content: [{ type: 'text', text: TEXT }],
  usage: { input_tokens: 12, output_tokens: 401 },
});

beforeEach(() => {
  scene.mock.behave(() => ({
    kind: 'raw',
    status: 200,
    headers: JSON_HEADERS,
    chunks: [WHOLE.slice(0, -60)],
    gapMs: 0,
    keepOpen: true,
  }));
});

const ASK = { path: '/v1/messages', headers: callerHeaders(), body: messageBody() };

test('a client that leaves before the end of a plain answer pays for what it had', async () => {
  const { request, response } = await open(scene.gateway.url, ASK);
  const id = response.headers['x-request-id'];
  await readUntil(response, 'word word');
  request.destroy();
  const record = await scene.gateway.record(({ request_id: each }) => each === id);
  expect(record).toMatchObject({ outcome: 'client_aborted', usage_estimated: true });
  expect((record['usage'] as { outputTokens: number }).outputTokens).toBeGreaterThanOrEqual(TEXT.length / 4);
  expect(Number(record['cost_usd'])).toBeGreaterThan(0);
});

test('one whose usage was there when the connection broke is read to the token', async () => {
  scene.mock.behave(() => ({
    kind: 'raw',
    status: 200,
    headers: JSON_HEADERS,
    chunks: [WHOLE],
    gapMs: 0,
    keepOpen: true,
  }));
  const { request, response } = await open(scene.gateway.url, ASK);
  await readUntil(response, 'output_tokens');
  request.destroy();
  const record = await scene.gateway.record(({ request_id: id }) => id === response.headers['x-request-id']);
  expect(record).toMatchObject({ usage: { inputTokens: 12, outputTokens: 401 } });
  expect(record).not.toHaveProperty('usage_estimated');
});

test('a model name with a key in it, cut at any place, leaves no piece of the key in the record', async () => {
  const { CI_KEY } = await import('../harness/gateway.ts');
  for (const before of [0, 90, 100, 110, 120]) {
    const body = messageBody({ model: `${'m'.repeat(before)}${CI_KEY}` });
    const answer = await send(scene.gateway.url, { ...ASK, body });
    expect(answer.status).toBe(400);
    expect(JSON.stringify(await recordOf(scene.gateway, answer))).not.toContain(CI_KEY.slice(0, 18));
  }
});
