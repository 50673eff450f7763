// What a call costs: which price applies, what each class of tokens adds, and that nothing is free by accident. Amounts are worked out by
// hand beside each case.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basicResources, policy, startGateway, upstream, withObjects, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { turn } from './claude-code.ts';
import { send } from './http-client.ts';

let mock: MockAnthropic;
let gateway: TestGateway;

beforeAll(async () => {
  mock = await startMockAnthropic();
  gateway = await startGateway(resources({}));
});

afterAll(async () => {
  await gateway.close();
  await mock.close();
});

interface Setup {
  readonly pricing?: object;
  readonly entries?: object[];
  readonly models?: object[];
}

function resources({ pricing = {}, entries = [], models = [] }: Setup) {
  return withObjects(basicResources(mock.url, { pricing, models: { entries } }), [
    upstream('anthropic', mock.url, { models }),
    policy('everyone', { match: { everyone: {} } }),
  ]);
}

/** Everything at once: 1000 in, 500 out, 10,000 read from the cache, 2000 and 3000 written to it, two searches. */
const EVERYTHING = {
  input_tokens: 1000,
  output_tokens: 500,
  cache_read_input_tokens: 10_000,
  cache_creation_input_tokens: 5000,
  cache_creation: { ephemeral_5m_input_tokens: 2000, ephemeral_1h_input_tokens: 3000 },
  server_tool_use: { web_search_requests: 2 },
};

async function charged(model: string, usage: object, stream = true) {
  mock.behave(() => ({ kind: 'text', usage }));
  const answer = await send(gateway.url, { body: turn({ model, stream }) });
  expect(answer.status).toBe(200);
  return gateway.record(({ request_id }) => request_id === answer.headers['x-request-id']);
}

describe('classes', () => {
  const none = {
    input_tokens: 0,
    output_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation_input_tokens: 0,
    cache_creation: undefined,
  };

  // Opus 5.5: input 4, output 20, read 0.20, 5-minute write 5, 1-hour write 8; fast ×2; in the US ×1.1; a search 0.01.
  test.each<[string, object, string]>([
    ['input', { input_tokens: 1000 }, '0.004'],
    ['output', { output_tokens: 1000 }, '0.02'],
    ['cache read', { cache_read_input_tokens: 1000 }, '0.0002'],
    ['5-minute cache write', { cache_creation_input_tokens: 1000 }, '0.005'],
    [
      '1-hour cache write',
      { cache_creation_input_tokens: 1000, cache_creation: { ephemeral_1h_input_tokens: 1000 } },
      '0.008',
    ],
    ['web search', { server_tool_use: { web_search_requests: 3 } }, '0.03'],
    ['fast mode', { output_tokens: 1000, speed: 'fast' }, '0.04'],
    ['fast mode asked for, standard served', { output_tokens: 1000, speed: 'standard' }, '0.02'],
    ['kept in the US', { output_tokens: 1000, inference_geo: 'us' }, '0.022'],
    [
      'searches are neither fast nor anywhere',
      { server_tool_use: { web_search_requests: 1 }, speed: 'fast', inference_geo: 'us' },
      '0.01',
    ],
    ['everything', EVERYTHING, '0.07'],
    ['everything, fast', { ...EVERYTHING, speed: 'fast' }, '0.12'],
    ['one token of cache', { cache_read_input_tokens: 1 }, '0.0000002'],
  ])('[SPEND-18] %s, streamed or not', async (_name, usage, cost) => {
    gateway.reload(resources({}));
    for (const stream of [true, false]) {
      const record = await charged('claude-opus-5-5', { ...none, ...usage }, stream);
      expect(record).toMatchObject({ cost_usd: cost, priced: 'list' });
    }
  });
});

describe('order', () => {
  const price = { input: '1', output: '2' };
  // 1000×1 + 500×2 + 10,000×0.1 + 2000×1.25 + 3000×2 per million, and two searches.
  const overridden = '0.0315';
  // The unknown tier: 1000×5 + 500×25 + 10,000×0.5 + 2000×6.25 + 3000×10 per million, and two searches.
  const unknown = '0.085';

  test.each<[string, string, Setup, string, string]>([
    ['list price', 'claude-opus-5-5', {}, 'list', '0.07'],
    ['list price × multiplier', 'claude-opus-5-5', { pricing: { multiplier: '0.9' } }, 'list', '0.063'],
    [
      'a price of the Gateway, to which no multiplier applies',
      'claude-opus-5-5',
      { pricing: { multiplier: '0.5', overrides: [{ model: 'claude-opus-5-5', price }] } },
      'override',
      overridden,
    ],
    [
      'a price of the Gateway in another spelling of the model',
      'claude-opus-5-5',
      { pricing: { overrides: [{ model: 'us.anthropic.claude-opus-5-5', price }] } },
      'override',
      overridden,
    ],
    [
      'a price of the Gateway for this upstream',
      'claude-opus-5-5',
      { pricing: { overrides: [{ upstream: 'anthropic', model: 'claude-opus-5-5', price }] } },
      'override',
      overridden,
    ],
    [
      'a price of the Gateway for another upstream',
      'claude-opus-5-5',
      { pricing: { overrides: [{ upstream: 'elsewhere', model: 'claude-opus-5-5', price }] } },
      'list',
      '0.07',
    ],
    [
      'a price of the Upstream before one of the Gateway',
      'claude-opus-5-5',
      {
        pricing: { overrides: [{ model: 'claude-opus-5-5', price: { input: '90', output: '90' } }] },
        models: [{ id: 'claude-opus-5-5', price }],
      },
      'override',
      overridden,
    ],
    [
      'the id the upstream was asked for before the id the client sent',
      'claude-haiku-4-5-20251001',
      { models: [{ id: 'claude-haiku-4-5-20251001', upstreamId: 'claude-opus-5-5' }] },
      'list',
      '0.07',
    ],
    [
      'the model behind a deployment name',
      'claude-opus-5-5',
      { models: [{ id: 'claude-opus-5-5', upstreamId: 'our-deployment-7' }] },
      'mapped',
      '0.07',
    ],
    [
      'a name of the platform team costs what it stands for',
      'house-best',
      { entries: [{ id: 'house-best', target: 'claude-opus-5-5' }] },
      'list',
      '0.07',
    ],
    ['a model nobody priced', 'llama-x', { models: [{ id: 'llama-x', upstreamId: 'llama-70b' }] }, 'unknown', unknown],
    [
      'a model nobody priced × multiplier',
      'llama-x',
      { pricing: { multiplier: '2' }, models: [{ id: 'llama-x' }] },
      'unknown',
      '0.17',
    ],
    [
      'a model of our own with a price of the Upstream',
      'llama-x',
      { models: [{ id: 'llama-x', upstreamId: 'llama-70b', price }] },
      'override',
      overridden,
    ],
  ])('[SPEND-16] %s', async (_name, model, setup, priced, cost) => {
    gateway.reload(resources(setup));
    expect(await charged(model, EVERYTHING)).toMatchObject({ priced, cost_usd: cost });
  });

  test('[SPEND-16] an answer without a word about usage is still charged for the text that was seen', async () => {
    gateway.reload(resources({}));
    const delta = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'x'.repeat(4000) } };
    mock.behave(() => ({
      kind: 'raw',
      status: 200,
      headers: { 'content-type': 'text/event-stream' },
      chunks: [`event: content_block_delta\ndata: ${JSON.stringify(delta)}\n\n`],
    }));
    const answer = await send(gateway.url, { body: turn({ model: 'claude-opus-5-5' }) });
    expect(await gateway.record(({ request_id }) => request_id === answer.headers['x-request-id'])).toMatchObject({
      usage: { outputTokens: 1000 },
      usage_estimated: true,
      cost_usd: '0.02',
    });
  });
});
