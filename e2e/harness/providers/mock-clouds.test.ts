// The mocks are strict: what a provider refuses, its mock refuses, so that a call that passes is one the provider would take.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { ANTHROPIC, AWS, AZURE, GOOGLE } from './accounts.ts';
import { startMockClouds, type MockClouds } from './mock-clouds.ts';

let clouds: MockClouds;
beforeAll(async () => {
  clouds = await startMockClouds();
});
afterAll(() => clouds.close());

interface Good {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

const call = { max_tokens: 16, messages: [{ role: 'user', content: 'hi' }] };
const version = { 'anthropic-version': '2023-06-01' };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

const GOOD: Readonly<Record<ProviderFamily, Good>> = {
  Anthropic: {
    path: '/v1/messages?beta=true',
    headers: { 'x-api-key': ANTHROPIC.key, ...version },
    body: { model: 'claude-opus-5', ...call },
  },
  AnthropicCompatible: {
    path: '/v1/messages',
    headers: { 'x-api-key': ANTHROPIC.key, ...version },
    body: { model: 'claude-opus-5', ...call },
  },
  Bedrock: {
    path: '/model/us.anthropic.claude-opus-5/invoke',
    headers: bearer(AWS.bearerKey),
    body: { anthropic_version: 'bedrock-2023-05-31', ...call },
  },
  BedrockMantle: {
    path: '/anthropic/v1/messages',
    headers: { ...bearer(AWS.bearerKey), ...version },
    body: { model: 'anthropic.claude-opus-5', ...call },
  },
  ClaudePlatformAWS: {
    path: '/v1/messages',
    headers: { 'x-api-key': AWS.bearerKey, 'anthropic-workspace-id': AWS.workspaceId, ...version },
    body: { model: 'claude-opus-5', ...call },
  },
  Foundry: {
    path: '/anthropic/v1/messages',
    headers: { 'api-key': AZURE.key, ...version },
    body: { model: 'claude-opus-5', ...call },
  },
  Vertex: {
    path: `/v1/projects/${GOOGLE.project}/locations/global/publishers/anthropic/models/claude-opus-5:rawPredict`,
    headers: bearer(GOOGLE.token),
    body: { anthropic_version: 'vertex-2023-10-16', ...call },
  },
};

async function post(family: ProviderFamily, change: Partial<Good> = {}): Promise<number> {
  const { path, headers, body } = { ...GOOD[family], ...change };
  const { url } = clouds.byFamily[family];
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  };
  const answer = await fetch(`${url}${path}`, init);
  await answer.arrayBuffer();
  return answer.status;
}

const families = Object.keys(GOOD) as ProviderFamily[];

describe.each(families)('%s', (family) => {
  const { path, headers, body } = GOOD[family];

  test('takes a good call', async () => {
    expect(await post(family)).toBe(200);
  });

  test('takes no call without a credential, or with that of another', async () => {
    const others = Object.fromEntries(Object.keys(headers).map((name) => [name, 'Bearer something-else']));
    expect([401, 403]).toContain(await post(family, { headers: { ...version } }));
    expect([401, 403]).toContain(await post(family, { headers: { ...others, ...version } }));
  });

  test('has no other path', async () => {
    expect(await post(family, { path: `/elsewhere${path}` })).toBe(404);
  });

  test('wants messages', async () => {
    const { messages: _, ...rest } = body;
    expect(await post(family, { body: rest })).toBe(400);
  });
});

type Refused = readonly [family: ProviderFamily, what: string, change: Partial<Good>];

/** What a family with closed sets refuses. */
const CLOSED: readonly Refused[] = [
  ...(['Bedrock', 'BedrockMantle', 'Vertex'] as const).flatMap((family): Refused[] => {
    const { headers, body } = GOOD[family];
    return [
      [family, 'tags', { body: { ...body, tags: {} } }],
      [family, 'a field without its beta', { body: { ...body, context_management: {} } }],
      family === 'Bedrock'
        ? [family, 'an unknown beta', { body: { ...body, anthropic_beta: ['not-invented-yet'] } }]
        : [family, 'an unknown beta', { headers: { ...headers, 'anthropic-beta': 'not-invented-yet' } }],
    ];
  }),
  ['Bedrock', 'model', { body: { ...GOOD.Bedrock.body, model: 'x' } }],
  ['Bedrock', 'stream', { body: { ...GOOD.Bedrock.body, stream: true } }],
  ['Bedrock', 'another version', { body: { ...GOOD.Bedrock.body, anthropic_version: '2023-06-01' } }],
  ['Bedrock', 'a new model without a profile', { path: '/model/anthropic.claude-opus-5/invoke' }],
  ['Bedrock', 'a profile in a count', { path: '/model/us.anthropic.claude-opus-4-8/count-tokens' }],
  ['BedrockMantle', 'a profile', { body: { ...GOOD.BedrockMantle.body, model: 'us.anthropic.claude-opus-5' } }],
  ['Vertex', 'model', { body: { ...GOOD.Vertex.body, model: 'x' } }],
  ['Vertex', 'another version', { body: { ...GOOD.Vertex.body, anthropic_version: '2023-06-01' } }],
  ['Foundry', 'an unknown deployment', { body: { ...GOOD.Foundry.body, model: 'gpt-9' } }],
  ['Foundry', 'no version', { headers: { 'api-key': AZURE.key } }],
];

test.each(CLOSED)('%s refuses %s', async (family, _what, change) => {
  expect(await post(family, change)).toBe(400);
});

test('Claude Platform on AWS refuses another workspace', async () => {
  const headers = { ...GOOD.ClaudePlatformAWS.headers, 'anthropic-workspace-id': 'wrkspc_other' };
  expect(await post('ClaudePlatformAWS', { headers })).toBe(403);
});
