// What each provider family wants that no other does: paths, ids, headers, bodies. Everything here has passed the checks of a mock that is
// as strict as the provider.
import { afterAll, describe, expect, test } from 'vitest';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { startGateway, withObjects } from '../harness/gateway.ts';
import { AWS, AZURE, GOOGLE } from '../harness/providers/accounts.ts';
import { mockCloudCredentials, mockCloudSecrets, startMockCloud } from '../harness/providers/mock-clouds.ts';
import { recordOf } from './caller.ts';
import { ask, closeCloud, COUNT, openCloud, received, type CloudScene } from './providers-scene.ts';
import { errorOf, MODEL, siteResources } from './routing.ts';

const open: CloudScene[] = [];
afterAll(async () => {
  for (const scene of open) await closeCloud(scene);
});

async function scene(family: ProviderFamily, spec: Record<string, unknown> = {}): Promise<CloudScene> {
  const one = await openCloud(family, { spec });
  open.push(one);
  return one;
}

/** A call that passed every check of the mock. */
async function passed(
  one: CloudScene,
  body: Record<string, unknown> = {},
  headers: Readonly<Record<string, string>> = {},
  more: Parameters<typeof ask>[3] = {},
) {
  const answer = await ask(one, body, headers, more);
  expect([answer.status, one.cloud.refused]).toEqual([200, []]);
  return received(one);
}

const ref = (key: string) => ({ name: 'mock-clouds', key });
const KEYS = { type: 'AccessKey', accessKey: { accessKeyId: ref('aws-id'), secretAccessKey: ref('aws-secret') } };
const BEARER = { type: 'BearerToken', bearerToken: ref('aws-bearer') };

describe('Bedrock', () => {
  const inference = (mode: string, region = 'us-east-1') => ({ bedrock: { region, inference: mode, auth: KEYS } });

  test.each([
    ['Geo', 'claude-opus-4-6', 'us.anthropic.claude-opus-4-6-v1'],
    ['Geo', 'claude-haiku-4-5', 'us.anthropic.claude-haiku-4-5-20251001-v1%3A0'],
    ['Global', 'claude-opus-5-5', 'global.anthropic.claude-opus-5-5'],
    ['InRegion', 'claude-opus-4-20250514', 'anthropic.claude-opus-4-20250514-v1%3A0'],
  ])('[PROV-05] [XLAT-05] inference %s calls %s as %s, signed', async (mode, model, id) => {
    const one = await scene('Bedrock', inference(mode));
    const { request, body } = await passed(one, { model });
    expect(request.url).toBe(`/model/${id}/invoke`);
    expect(request.headers.authorization).toContain(`Credential=${AWS.accessKeyId}/`);
    expect(request.headers.accept).toBe('application/json');
    expect(Object.keys(body)).toEqual(['anthropic_version', 'max_tokens', 'messages']);
    await passed(one, { model, stream: true });
    expect(received(one).request.url).toBe(`/model/${id}/invoke-with-response-stream`);
    expect(received(one).request.headers.accept).toBe('application/vnd.amazon.eventstream');
  });

  test('[PROV-07] a Bedrock API key goes as a bearer token', async () => {
    const { request } = await passed(await scene('Bedrock', { bedrock: { region: 'us-east-1', auth: BEARER } }));
    expect(request.headers.authorization).toBe(`Bearer ${AWS.bearerKey}`);
  });

  const ARN = `arn:aws:bedrock:us-east-1:${AWS.account}:application-inference-profile/a1b2c3d4e5f6`;

  test('[PROV-33] [XLAT-08] an application inference profile is called by its ARN, and counted by its model', async () => {
    const one = await scene('Bedrock', { models: [{ id: 'claude-sonnet-5-5', upstreamId: ARN }] });
    const { request } = await passed(one);
    expect(request.url).toBe(`/model/${encodeURIComponent(ARN)}/invoke`);
    await passed(one, {}, {}, COUNT);
    expect(received(one).request.url).toBe('/model/anthropic.claude-sonnet-5-5/count-tokens');
  });

  test('[XLAT-08] counting asks for the foundation model, with betas for counting alone', async () => {
    const one = await scene('Bedrock');
    const betas = 'claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27';
    const call = { context_management: { edits: [] }, thinking: { type: 'enabled', budget_tokens: 4096 }, tools: [] };
    const { request } = await passed(one, call, { 'anthropic-beta': betas }, COUNT);
    expect(request.url).toBe(`/model/anthropic.${MODEL}/count-tokens`);
    const { input } = request.json() as { input: { invokeModel: { body: string } } };
    const inner: unknown = JSON.parse(Buffer.from(input.invokeModel.body, 'base64').toString());
    expect(inner).toEqual({
      anthropic_version: 'bedrock-2023-05-31',
      anthropic_beta: ['claude-code-20250219'],
      messages: [{ role: 'user', content: 'hi' }],
      thinking: { type: 'enabled', budget_tokens: 4096 },
      max_tokens: 4097,
    });
  });

  test.each(['claude-opus-5', 'claude-sonnet-5'])('[XLAT-08] [XLAT-26] %s is not counted there: 404', async (model) => {
    const one = await scene('Bedrock');
    const answer = await ask(one, { model }, {}, COUNT);
    expect([answer.status, errorOf(answer).error.type, one.cloud.received()]).toEqual([404, 'not_found_error', 0]);
  });

  test.each([
    ['Input is too long for requested model.', 'capability_rejected: prompt_too_long'],
    ['Input is too long.', 'Input is too long.'],
  ])('[XLAT-15] %s', async (message, told) => {
    const one = await scene('Bedrock');
    one.cloud.behave(() => ({ kind: 'status', status: 400, message, native: true }));
    const answer = await ask(one);
    expect([answer.status, errorOf(answer).error]).toEqual([400, { type: 'invalid_request_error', message: told }]);
  });

  test.each([
    [{ kind: 'status', status: 424, message: 'model error', native: true }],
    [{ kind: 'status', status: 408, message: 'model timeout', native: true }],
  ] as const)('a model that fails there leads to the next upstream: %j', async (behaviour) => {
    const [bedrock, other] = [await startMockCloud('Bedrock', () => behaviour), await startMockCloud('Anthropic')];
    const objects = [bedrock.upstream({ priority: 0 }), other.upstream({ priority: 1 })];
    const resources = withObjects(siteResources([]), objects, mockCloudSecrets());
    const gateway = await startGateway(resources, { openCredentials: mockCloudCredentials() });
    expect((await ask({ gateway, cloud: bedrock })).status).toBe(200);
    expect([bedrock.received(), other.received()]).toEqual([1, 1]);
    await gateway.close();
    await Promise.all([bedrock.close(), other.close()]);
  });
});

describe('a later version of the API', () => {
  const later = { 'anthropic-version': '2026-10-21' };

  test.each([
    ['claude-opus-5-5', '2026-10-21'],
    ['claude-opus-4-6', 'bedrock-2023-05-31'],
  ])('[XLAT-05] on Bedrock %s is called under %s', async (model, version) => {
    expect((await passed(await scene('Bedrock'), { model }, later)).body['anthropic_version']).toBe(version);
  });

  test('[XLAT-09] goes to Vertex beside the dialect string', async () => {
    const { request, body } = await passed(await scene('Vertex'), {}, later);
    expect([body['anthropic_version'], request.headers['anthropic-version']]).toEqual([
      'vertex-2023-10-16',
      '2026-10-21',
    ]);
  });
});

describe('the 1-hour prompt cache', () => {
  const cached = { type: 'ephemeral', ttl: '1h' };
  const body = {
    system: [{ type: 'text', text: 's', cache_control: cached }],
    messages: [{ role: 'user', content: [{ type: 'text', text: 'hi', cache_control: cached }] }],
  };
  const usage = {
    input_tokens: 0,
    output_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation_input_tokens: 1000,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 1000 },
  };

  test.each<ProviderFamily>(['Bedrock', 'Vertex', 'Foundry', 'Anthropic'])(
    '[XLAT-12] %s gets it, and it is charged at its own rate',
    async (family) => {
      const one = await scene(family);
      one.cloud.behave(() => ({ kind: 'text', usage }));
      const answer = await ask(one, body);
      expect(received(one).body).toMatchObject(body);
      // Sonnet 5.5 writes it at 4 dollars a million; Bedrock's geography adds a tenth.
      const cost = family === 'Bedrock' ? '0.0044' : '0.004';
      expect(await recordOf(one.gateway, answer)).toMatchObject({ cost_usd: cost });
    },
  );

  test.each<ProviderFamily>(['Bedrock', 'Vertex', 'Foundry', 'Anthropic'])(
    '[XLAT-12] %s without it gets the 5-minute one',
    async (family) => {
      const one = await scene(family, { capabilities: { extendedCacheTtl: false } });
      const sent = (await passed(one, body)).request.body.toString();
      expect(sent).not.toContain('"ttl"');
      expect(sent.split('"cache_control":{"type":"ephemeral"}')).toHaveLength(3);
    },
  );
});

describe('Mantle', () => {
  test('[XLAT-11] is the Messages API behind a path, with ids of its own', async () => {
    const one = await scene('BedrockMantle');
    const { request, body } = await passed(one, { model: 'claude-haiku-4-5', stream: true });
    expect([request.url, body['model']]).toEqual(['/anthropic/v1/messages', 'anthropic.claude-haiku-4-5']);
    await passed(one, { model: 'claude-opus-5' }, {}, COUNT);
    expect(received(one).request.url).toBe('/anthropic/v1/messages/count_tokens');
  });
});

describe('Claude Platform on AWS', () => {
  test.each([
    ['signed', KEYS, 'authorization', /^AWS4-HMAC-SHA256 .*aws-external-anthropic/],
    ['by key', { type: 'APIKey', apiKey: ref('aws-bearer') }, 'x-api-key', new RegExp(AWS.bearerKey)],
  ])('[PROV-13] [XLAT-10] %s, for the configured workspace and no other', async (_name, auth, header, value) => {
    const { region, workspaceId } = AWS;
    const one = await scene('ClaudePlatformAWS', { claudePlatformAWS: { region, workspaceId, auth } });
    const { request } = await passed(one, {}, { 'anthropic-workspace-id': 'wrkspc_of_the_client' });
    expect(request.headers['anthropic-workspace-id']).toBe(AWS.workspaceId);
    expect(request.headers[header]).toMatch(value);
  });
});

describe('Vertex', () => {
  const at = (location: string) => ({
    vertex: {
      project: GOOGLE.project,
      location,
      auth: { type: 'ServiceAccountKey', serviceAccountKey: ref('google') },
    },
  });
  const models = (location: string) =>
    `/v1/projects/${GOOGLE.project}/locations/${location}/publishers/anthropic/models`;

  test.each([
    ['us-east5', 'claude-haiku-4-5', 'claude-haiku-4-5@20251001'],
    ['global', 'claude-opus-5-5', 'claude-opus-5-5'],
    ['eu', 'us.anthropic.claude-opus-5-5', 'claude-opus-5-5'],
  ])('[PROV-10] [XLAT-09] [XLAT-20] at %s, %s is %s', async (location, model, id) => {
    const one = await scene('Vertex', at(location));
    const { request, body } = await passed(one, { model });
    expect(request.url).toBe(`${models(location)}/${id}:rawPredict`);
    expect(Object.keys(body)).toEqual(['anthropic_version', 'max_tokens', 'messages']);
    await passed(one, { model, stream: true });
    expect(received(one).request.url).toBe(`${models(location)}/${id}:streamRawPredict`);
    await passed(one, { model }, {}, COUNT);
    expect(received(one).request.url).toBe(`${models(location)}/count-tokens:rawPredict`);
    expect(received(one).body['model']).toBe(id);
  });

  test('a model that a region does not have is not asked for there', async () => {
    const one = await scene('Vertex', at('us-east5'));
    expect((await ask(one, { model: 'claude-opus-5-5' })).status).toBe(400);
    expect(one.cloud.received()).toBe(0);
  });

  test('[XLAT-15] a payload beyond the limit is said in the sentence clients act on', async () => {
    const one = await scene('Vertex');
    const message = 'Request payload size exceeds the limit: 31457280 bytes.';
    one.cloud.behave(() => ({ kind: 'status', status: 400, message, native: true }));
    const answer = await ask(one);
    expect([answer.status, errorOf(answer).error.message]).toEqual([400, 'Input is too long.']);
  });
});

describe('Foundry', () => {
  test('[PROV-12] [PROV-03] [XLAT-10] by api-key, models by the names of their deployments', async () => {
    const one = await scene('Foundry', { models: [{ id: MODEL, upstreamId: 'team-sonnet' }] });
    const { request, body } = await passed(one, {}, { 'anthropic-workspace-id': 'wrkspc_of_the_client' });
    expect([request.url, request.headers['api-key']]).toEqual(['/anthropic/v1/messages', AZURE.key]);
    expect(body['model']).toBe('team-sonnet');
    expect(request.headers).not.toHaveProperty('anthropic-workspace-id');
    await passed(one, { model: 'claude-haiku-4-5-20251001' }, {}, COUNT);
    expect(received(one).body['model']).toBe('claude-haiku-4-5');
  });
});

describe('another gateway', () => {
  const spec = (forwardUserIdentity: boolean) => ({
    anthropicCompatible: { forwardUserIdentity, auth: { type: 'APIKey', apiKey: ref('anthropic') } },
  });
  const NAMES = ['x-litellm-end-user-id', 'x-claude-gateway-user-id', 'x-claude-gateway-user-email'];
  const FORGED = Object.fromEntries(NAMES.map((name) => [name, 'somebody-else']));

  test('[PROV-29] hears who the caller is where the platform team says so', async () => {
    const { request } = await passed(await scene('AnthropicCompatible', spec(true)), {}, FORGED);
    expect(NAMES.map((name) => request.headers[name])).toEqual(['ci', 'default/ci', undefined]);
  });

  test('[PROV-29] and otherwise neither the truth nor what the caller claims', async () => {
    const { request } = await passed(await scene('AnthropicCompatible', spec(false)), {}, FORGED);
    expect(NAMES.filter((name) => name in request.headers)).toEqual([]);
  });
});

test('[PROV-22] [PROV-23] from Bedrock to Vertex to Anthropic: the client sends the same and gets the same', async () => {
  const families: readonly ProviderFamily[] = ['Bedrock', 'Vertex', 'Anthropic'];
  const clouds = await Promise.all(families.map((family) => startMockCloud(family, () => ({ kind: 'text' }))));
  const resources = (i: number) =>
    withObjects(siteResources([]), [clouds[i]!.upstream({}, 'main')], mockCloudSecrets());
  const gateway = await startGateway(resources(0), { openCredentials: mockCloudCredentials() });
  const answers: unknown[] = [];
  for (const [i, cloud] of clouds.entries()) {
    gateway.reload(resources(i));
    const answer = await ask({ gateway, cloud }, { model: 'claude-opus-5-5' });
    answers.push(JSON.parse(answer.body.toString()));
    expect(cloud.received()).toBe(1);
  }
  expect(answers[1]).toEqual(answers[0]);
  expect(answers[2]).toEqual(answers[0]);
  await gateway.close();
  await Promise.all(clouds.map((cloud) => cloud.close()));
});
