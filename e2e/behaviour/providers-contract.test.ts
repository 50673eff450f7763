// One contract for every provider family: whatever an upstream speaks, a caller of the Messages API sees the same. The upstreams are mocks
// that check what they receive as the real ones do (e2e/harness/providers). A family without a row here fails.
import { describe, expect, test } from 'vitest';
import { PROVIDER_FAMILIES, type ProviderFamily } from '#shared/catalog/families.ts';
import { defaultUsage, messageFrames } from '../harness/mock-anthropic-messages.ts';
import type { Behaviour } from '../harness/mock-anthropic.ts';
import { LEAKS, PLANTED_TEXT } from '../harness/providers/accounts.ts';
import { mockCloudSecrets } from '../harness/providers/mock-clouds.ts';
import { recordOf } from './caller.ts';
import { ask, closeCloud, COUNT, leave, openCloud, received, sharedCloud, story } from './providers-scene.ts';
import { errorOf, MODEL } from './routing.ts';

interface Row {
  /** What the upstream is asked for when a caller says {@link MODEL}. */
  readonly modelId: string;
  /** Unknown betas go through. */
  readonly openBetas: boolean;
  readonly tags: boolean;
  /** The figure of an answer at list price. */
  readonly cost: string;
  /** Errors have a shape of the cloud's own. */
  readonly native: boolean;
}

/** 12 input tokens, 9 of output, 2,048 read from the cache and 256 written to it, on Sonnet 5.5. */
const LIST = '0.0009588';
const SURCHARGED = '0.00105468';

const ROWS: Readonly<Record<ProviderFamily, Row>> = {
  Anthropic: { modelId: MODEL, openBetas: true, tags: true, cost: LIST, native: false },
  AnthropicCompatible: { modelId: MODEL, openBetas: true, tags: true, cost: LIST, native: false },
  Bedrock: { modelId: `us.anthropic.${MODEL}`, openBetas: false, tags: false, cost: SURCHARGED, native: true },
  BedrockMantle: { modelId: `anthropic.${MODEL}`, openBetas: false, tags: false, cost: SURCHARGED, native: true },
  ClaudePlatformAWS: { modelId: MODEL, openBetas: true, tags: true, cost: LIST, native: true },
  Foundry: { modelId: MODEL, openBetas: true, tags: true, cost: LIST, native: true },
  Vertex: { modelId: MODEL, openBetas: false, tags: false, cost: LIST, native: true },
};

const AUTH_WORDS =
  'upstream authentication failed at the gateway: this is not your credential, tell your platform team';
/** Google's credential is a token of its own making; what can be wrong is where it is used. */
const ANOTHER_PROJECT = {
  vertex: {
    project: 'another-project',
    location: 'global',
    auth: { type: 'ServiceAccountKey', serviceAccountKey: { name: 'mock-clouds', key: 'google' } },
  },
};
const TOOL = { name: 'Bash', description: 'Runs a command.', input_schema: { type: 'object' } };
/** What the Anthropic API streams for one word. */
const STORY = messageFrames({
  id: 'msg',
  model: MODEL,
  content: [{ type: 'text', text: 'word' }],
  stopReason: 'end_turn',
  usage: defaultUsage,
}).join('');

describe.each(PROVIDER_FAMILIES)('%s', (family) => {
  const row = ROWS[family];
  const scene = sharedCloud(family, { gatewaySpec: { listen: { timeouts: { ping: '100ms', streamIdle: '10s' } } } });
  const script = (behaviour: Behaviour): void => scene().cloud.behave(() => behaviour);
  const text = 'One answer for all.';

  test('[PROV-02] [PROV-23] [PROV-32] message, usage, cost and the credential it went under', async () => {
    script({ kind: 'text', text });
    const answer = await ask(scene());
    expect([answer.status, scene().cloud.refused]).toEqual([200, []]);
    const message = JSON.parse(answer.body.toString()) as Record<string, unknown>;
    expect(message).toMatchObject({ model: MODEL, type: 'message', content: [{ type: 'text', text }] });
    expect(await recordOf(scene().gateway, answer)).toMatchObject({
      outcome: 'complete',
      served_model: row.modelId,
      cost_usd: row.cost,
      upstream_credential: expect.stringMatching(/\w/) as string,
    });
  });

  test('[XLAT-06] stream, event for event, with its usage', async () => {
    script({ kind: 'text', text: 'word' });
    const answer = await ask(scene(), { stream: true });
    expect(answer.headers['content-type']).toMatch(/^text\/event-stream/);
    expect(story(answer.body)).toEqual(story(STORY));
    expect(await recordOf(scene().gateway, answer)).toMatchObject({ outcome: 'complete', cost_usd: row.cost });
  });

  test('tools: asked for, then answered', async () => {
    script({ kind: 'tool', name: 'Bash', input: { command: 'ls' }, finalText: 'Two files.' });
    const asked = await ask(scene(), { tools: [TOOL] });
    const { content, stop_reason } = JSON.parse(asked.body.toString()) as {
      content: { id: string }[];
      stop_reason: string;
    };
    expect(content).toMatchObject([{ type: 'tool_use', name: 'Bash', input: { command: 'ls' } }]);
    expect(stop_reason).toBe('tool_use');
    const result = { type: 'tool_result', tool_use_id: content[0]!.id, content: 'a\nb' };
    const messages = [
      { role: 'user', content: 'list' },
      { role: 'assistant', content },
      { role: 'user', content: [result] },
    ];
    const done = await ask(scene(), { tools: [TOOL], messages, stream: true });
    expect(done.body.toString()).toContain('files.');
    expect(received(scene()).body).toMatchObject({ tools: [TOOL], messages });
  });

  test('[API-26] thinking, effort, context management and the long context go out; thinking blocks come back with their signature', async () => {
    script({ kind: 'thinking', thinking: 'Let me see.', signature: 'c2lnbmF0dXJl', text });
    const thinking = { type: 'adaptive', display: 'omitted' };
    const context_management = { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] };
    const body = { thinking, context_management, output_config: { effort: 'high' } };
    const names =
      'interleaved-thinking-2025-05-14,context-1m-2025-08-07,context-management-2025-06-27,effort-2025-11-24';
    const betas = { 'anthropic-beta': names };
    const plain = await ask(scene(), body, betas);
    expect(JSON.parse(plain.body.toString())).toMatchObject({
      content: [
        { type: 'thinking', thinking: 'Let me see.', signature: 'c2lnbmF0dXJl' },
        { type: 'text', text },
      ],
    });
    expect(received(scene()).body).toMatchObject(body);
    expect(received(scene()).betas).toEqual(names.split(','));
    const streamed = await ask(scene(), { ...body, stream: true }, betas);
    expect(streamed.body.toString()).toMatch(/thinking_delta.*Let me see[\s\S]*signature_delta/);
  });

  test('[XLAT-08] [XLAT-09] count', async () => {
    script({ kind: 'count', inputTokens: 4711 });
    const answer = await ask(scene(), { tools: [], thinking: { type: 'enabled', budget_tokens: 2048 } }, {}, COUNT);
    expect([answer.status, answer.body.toString()]).toEqual([200, '{"input_tokens":4711}']);
    expect(await recordOf(scene().gateway, answer)).not.toHaveProperty('cost_usd');
  });

  test.each([
    [400, 400, 'upstream rejected the request'],
    [401, 403, AUTH_WORDS],
    [403, 403, AUTH_WORDS],
    [404, 404, 'upstream resource not found'],
    [429, 429, 'upstream rate limit exceeded'],
    [500, 502, 'all upstreams failed (1 attempted)'],
    [503, 502, 'all upstreams failed (1 attempted)'],
  ])('[XLAT-14] [PROV-21] [ERR-08] a native %i with account ids arrives as %i without', async (sent, status, words) => {
    script({ kind: 'status', status: sent, message: PLANTED_TEXT, native: true });
    const answer = await ask(scene());
    const whole = `${answer.body.toString()}${JSON.stringify(answer.headers)}`;
    for (const leak of LEAKS) expect(whole).not.toContain(leak);
    const { message } = errorOf(answer).error;
    expect([answer.status, row.native || status !== sent ? message : words]).toEqual([status, words]);
  });

  test.each([
    'prompt is too long: 210000 tokens > 200000 maximum',
    'messages.3.content.0: Invalid `signature` in `thinking` block',
    'safeguards: this model does not take it',
  ])('[XLAT-14] [ERR-18] an envelope keeps its words: %s', async (message) => {
    script({ kind: 'status', status: 400, message });
    const answer = await ask(scene());
    expect([answer.status, errorOf(answer).error]).toEqual([400, { type: 'invalid_request_error', message }]);
  });

  test('throttling says when to come back', async () => {
    script({ kind: 'status', status: 429, message: 'slow down', native: true, headers: { 'retry-after': '7' } });
    const answer = await ask(scene());
    expect([answer.status, answer.headers['retry-after']]).toEqual([429, '7']);
    expect(errorOf(answer).error.type).toBe('rate_limit_error');
  });

  test('[XLAT-06] [PROV-21] an error in the midst of a stream is an error event without account ids', async () => {
    script({ kind: 'error-event', afterEvents: 4, message: row.native ? PLANTED_TEXT : 'Overloaded' });
    const answer = await ask(scene(), { stream: true });
    const [name, data] = story(answer.body).at(-1) as [string, { error: { type: string; message: string } }];
    expect([name, data.error.type]).toEqual(['error', 'overloaded_error']);
    for (const leak of LEAKS) expect(answer.body.toString()).not.toContain(leak);
    expect(await recordOf(scene().gateway, answer)).toMatchObject({ outcome: 'stream_error' });
  });

  test('a cut in the midst of a stream is an error event', async () => {
    script({ kind: 'cut', afterEvents: 4 });
    const answer = await ask(scene(), { stream: true });
    expect(answer.complete).toBe(true);
    expect(story(answer.body).at(-1)).toMatchObject(['error', { error: { type: 'api_error' } }]);
    expect(await recordOf(scene().gateway, answer)).toMatchObject({ outcome: 'upstream_cut' });
  });

  test('a caller who leaves cancels the call upstream', async () => {
    script({ kind: 'silence', afterEvents: 3 });
    const before = scene().cloud.received();
    const left = leave(scene(), { stream: true });
    await expect.poll(() => scene().cloud.received()).toBe(before + 1);
    left();
    await expect(scene().cloud.requests.at(-1)!.ended).resolves.toBe('aborted');
  });

  test('[XLAT-07] silence is filled with pings', async () => {
    script({ kind: 'silence', afterEvents: 3, forMs: 800, text });
    const answer = await ask(scene(), { stream: true });
    const [silence, rest] = answer.body.toString().split('event: content_block_delta', 2);
    // The last event before the silence is a ping of the provider's own, but for Bedrock, which has none.
    const own = family === 'Bedrock' ? 0 : 1;
    expect(silence!.split('event: ping').length - 1 - own).toBeGreaterThanOrEqual(1);
    expect(rest).toBeDefined();
    expect(answer.body.toString()).toContain('message_stop');
  });

  test('[XLAT-05] [XLAT-09] unknown betas and tags go where they are taken, and nowhere else', async () => {
    script({ kind: 'text', text });
    const betas = 'effort-2025-11-24,not-invented-yet-2031-01-01,request-tags-2026-08-21';
    const answer = await ask(scene(), { tags: { team: 'eng' } }, { 'anthropic-beta': betas });
    expect([answer.status, scene().cloud.refused]).toEqual([200, []]);
    expect(received(scene()).betas).toEqual(row.openBetas ? betas.split(',') : ['effort-2025-11-24']);
    expect('tags' in received(scene()).body).toBe(row.tags);
  });

  test('[ERR-08] [PROV-21] a credential the provider refuses is the platform team’s matter', async () => {
    const wrong = await openCloud(family, {
      secrets: {
        'default/mock-clouds': {
          anthropic: 'sk-ant-api03-wrong-0123456789',
          'aws-id': 'AKIAWRONGWRONGWRONGW',
          'aws-secret': 'wrong/secret/0123456789',
          azure: 'wrong-azure-key-0123456789',
          google: mockCloudSecrets()['default/mock-clouds']!['google']!,
        },
      },
      ...(family === 'Vertex' ? { spec: ANOTHER_PROJECT } : {}),
    });
    try {
      const answer = await ask(wrong);
      expect([answer.status, errorOf(answer).error.message]).toEqual([403, AUTH_WORDS]);
      const whole = answer.body.toString() + wrong.gateway.written.join();
      for (const leak of [...LEAKS, 'wrong/secret', 'wrong-azure', 'api03-wrong']) expect(whole).not.toContain(leak);
    } finally {
      await closeCloud(wrong);
    }
  });
});
