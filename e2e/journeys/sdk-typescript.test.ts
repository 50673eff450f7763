// The official TypeScript SDK through the built program: everything it offers that a gateway must not get in the way of.
import {
  Anthropic,
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { jsonOf, startJourney, type Journey } from '../harness/journey.ts';
import { CI_KEY } from '../harness/resources.ts';
import { ALIAS, DENIED_MODEL, MODEL, NO_KEY, READ_KEY, sdkResources, sdkUpstream } from './sdk-upstream.ts';

let journey: Journey;

beforeAll(async () => {
  journey = await startJourney(sdkResources);
});

afterAll(() => journey?.close());

beforeEach(() => {
  journey.mock.behave(sdkUpstream());
  journey.clear();
});

type Options = NonNullable<ConstructorParameters<typeof Anthropic>[0]>;

function client(options: Options = { apiKey: CI_KEY }): Anthropic {
  return new Anthropic({ apiKey: null, authToken: null, baseURL: journey.tap.url, ...options });
}

function asking(content: string, model = MODEL) {
  return { model, max_tokens: 64, messages: [{ role: 'user' as const, content }] };
}

describe.each<[string, string, Options, string]>([
  // Since its first major version the SDK sends both options as Bearer.
  ['AUTH-01', 'apiKey', { apiKey: CI_KEY }, 'authorization'],
  ['AUTH-01', 'authToken', { authToken: CI_KEY }, 'authorization'],
  ['AUTH-02', 'a header of its own', { defaultHeaders: { 'X-Api-Key': CI_KEY } }, 'x-api-key'],
])('[%s] with %s', (_row, _option, credential, source) => {
  test('[API-01][AUTH-21] a message', async () => {
    const message = await client(credential).messages.create(asking('plain'));
    expect(message).toMatchObject({
      model: MODEL,
      content: [{ text: 'Hello, Grüße, 你好 👋' }],
      stop_reason: 'end_turn',
    });
    const [call] = await journey.calls();
    expect(call!.audit).toMatchObject({ credential_source: source, stream: false, outcome: 'complete' });
    expect(call!.atProvider!.request.body.equals(call!.atClient.request.body)).toBe(true);
    expect(call!.atClient.response!.body.equals(call!.atProvider!.response!.body)).toBe(true);
  });

  test('[API-04][AUTH-25] the models it may use, listed and one by one', async () => {
    const ids: string[] = [];
    for await (const { id } of client(credential).models.list({ limit: 1000 })) ids.push(id);
    expect(ids).toEqual(expect.arrayContaining([MODEL, ALIAS]));
    expect(ids).not.toContain(DENIED_MODEL);
    expect(await client(credential).models.retrieve(ALIAS)).toMatchObject({ id: ALIAS, display_name: 'Fast' });
    await expect(client(credential).models.retrieve(DENIED_MODEL)).rejects.toThrow(NotFoundError);
  });
});

test('[API-01][API-02] a stream arrives while the provider still writes it', async () => {
  const stream = client().messages.stream(asking('slow'));
  for await (const event of stream) {
    if (event.type !== 'content_block_delta') continue;
    expect(journey.mock.open()).toBe(1);
    break;
  }
  stream.abort();
});

test('[API-02][XLAT-01] a whole stream is put together as the provider meant it', async () => {
  const message = await client().messages.stream(asking('plain')).finalMessage();
  expect(message).toMatchObject({ content: [{ text: 'Hello, Grüße, 你好 👋' }], usage: { output_tokens: 9 } });
  const [call] = await journey.calls();
  expect(call!.atClient.response!.body.equals(call!.atProvider!.response!.body)).toBe(true);
});

test('[XLAT-01][XLAT-02] a round with a tool, streamed, with a beta and a field of the future', async () => {
  const tools = [{ name: 'weather', input_schema: { type: 'object' as const } }];
  const future = { ...asking('tool'), tools, x_future: { precise: 1.5 } };
  const headers = { headers: { 'anthropic-beta': 'made-up-2031-01-01' } };
  const first = await client().messages.stream(future, headers).finalMessage();
  const [use] = first.content;
  if (use?.type !== 'tool_use') throw new Error(`no tool was asked for: ${JSON.stringify(first)}`);
  expect(use).toMatchObject({ name: 'weather', input: { city: 'Zürich', days: [1, 2] } });
  const second = await client().messages.create({
    ...future,
    messages: [
      ...future.messages,
      { role: 'assistant', content: first.content },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: use.id, content: 'rain' }] },
    ],
  });
  expect(second.content).toMatchObject([{ text: 'It rains.' }]);
  const calls = await journey.calls();
  expect(calls).toHaveLength(2);
  expect(calls[0]!.atProvider!.request.headers['anthropic-beta']).toBe('made-up-2031-01-01');
  for (const { atClient, atProvider } of calls) {
    expect(jsonOf(atProvider!)['x_future']).toEqual({ precise: 1.5 });
    expect(atProvider!.request.body.equals(atClient.request.body)).toBe(true);
  }
});

test('[API-03] tokens are counted by the provider and cost nothing', async () => {
  expect(await client().messages.countTokens(withoutMaxTokens(asking('plain')))).toEqual({ input_tokens: 4321 });
  const [call] = await journey.calls();
  expect(call!.audit).toMatchObject({ endpoint: '/v1/messages/count_tokens', status: 200 });
  expect(call!.audit).not.toHaveProperty('cost_usd');
});

test('[AUDIT-03] a call by another name of a model is recorded under both, and only the name in its body changes', async () => {
  await client().messages.create(asking('plain', ALIAS));
  const [call] = await journey.calls();
  expect(call!.audit).toMatchObject({ requested_model: ALIAS, model: MODEL, served_model: MODEL, status: 200 });
  const sent = call!.atClient.request.body.toString();
  expect(call!.atProvider!.request.body.toString()).toBe(sent.replace(`"${ALIAS}"`, `"${MODEL}"`));
});

describe('errors', () => {
  test.each<[string, new (...args: never[]) => unknown, Options, string, string, RegExp]>([
    ['[ERR-02][AUTH-25] 401', AuthenticationError, { apiKey: NO_KEY }, 'plain', MODEL, /not valid here/],
    ['403', PermissionDeniedError, { apiKey: READ_KEY }, 'plain', MODEL, /lacks the scope write/],
    ['400 of the gateway', BadRequestError, { apiKey: CI_KEY }, 'plain', DENIED_MODEL, /is not allowed for you/],
    ['400 of the provider', BadRequestError, { apiKey: CI_KEY }, 'invalid', MODEL, /roles must alternate/],
  ])(
    '%s is the class it should be, after one request',
    async (_title, expected, credential, content, model, message) => {
      const failure = await failing(client(credential).messages.create(asking(content, model)));
      expect(failure).toBeInstanceOf(expected);
      expect(failure.message).toMatch(message);
      expect(failure.requestID).toBe(journey.exchanges()[0]!.response!.headers['x-request-id']);
      expect(journey.exchanges()).toHaveLength(1);
    },
  );

  test('429 keeps the words and the Retry-After of the provider', async () => {
    const failure = await failing(client({ apiKey: CI_KEY, maxRetries: 0 }).messages.create(asking('limited')));
    expect(failure).toBeInstanceOf(RateLimitError);
    expect(failure.message).toContain('slow down');
    expect(failure.headers?.get('retry-after')).toBe('17');
  });

  test('429 is tried again after the time it names', async () => {
    const begun = performance.now();
    const message = await client().messages.create(asking('limited once'));
    expect(message.content).toMatchObject([{ text: 'after the limit' }]);
    expect(performance.now() - begun).toBeGreaterThan(990);
    expect(journey.exchanges()).toHaveLength(2);
  });

  test('529 is tried again until it passes', async () => {
    const message = await client({ apiKey: CI_KEY, maxRetries: 3 }).messages.create(asking('overloaded twice'));
    expect(message.stop_reason).toBe('end_turn');
    const statuses = journey.exchanges().map(({ response }) => response!.startLine.split(' ')[1]);
    expect(statuses).toEqual(['529', '529', '200']);
  });
});

test('an abort in the middle of a stream reaches the provider within a second, and what was used is recorded', async () => {
  const stream = client().messages.stream(asking('slow'));
  await new Promise<void>((resolve) => stream.once('text', () => resolve()));
  const begun = performance.now();
  stream.abort();
  await expect(stream.done()).rejects.toThrow(APIUserAbortError);
  expect(await journey.mock.requests.at(-1)!.ended).toBe('aborted');
  expect(performance.now() - begun).toBeLessThan(1_000);
  const [call] = await journey.calls();
  expect(call!.audit).toMatchObject({ outcome: 'client_aborted', usage_estimated: true });
  expect(Number(call!.audit['cost_usd'])).toBeGreaterThan(0);
});

async function failing(call: PromiseLike<unknown>) {
  try {
    await call;
  } catch (error) {
    if (error instanceof APIError) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}

function withoutMaxTokens({ model, messages }: ReturnType<typeof asking>) {
  return { model, messages };
}
