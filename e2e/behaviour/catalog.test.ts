// Models, prices and betas of the platform team's own, on a running gateway: in force with a reload, kept when the next ones are broken.
import { expect, test } from 'vitest';
import { basicResources, object, policy, startGateway, withObjects, type Resources } from '../harness/gateway.ts';
import { startMockAnthropic } from '../harness/mock-anthropic.ts';
import { send } from './http-client.ts';
import { turn } from './claude-code.ts';

const MODEL = { id: 'claude-opus-9', aliases: ['claude-opus-9-latest'], displayName: 'Claude Opus 9', family: 'opus' };
const RATES = { input: '7', output: '35', cacheRead: '0.7', cacheWrite5m: '8.75', cacheWrite1h: '14' };
const prices = (rates: object): string => JSON.stringify({ models: [{ id: MODEL.id, rates: [{ tiers: [rates] }] }] });
const models = JSON.stringify([MODEL]);

test('[XLAT-20] [SPEND-19] a model and its price from a ConfigMap serve after a reload; broken tables leave the last good ones', async () => {
  const mock = await startMockAnthropic();
  const plain = withObjects(basicResources(mock.url), [policy('everyone', { match: { everyone: {} } })]);
  const named = withObjects(plain, [
    object('Gateway', 'claude', { publicUrl: 'http://127.0.0.1:1', catalog: { configMapRef: { name: 'tables' } } }),
  ]);
  const withTables = (data: Record<string, string>): Resources => ({
    ...named,
    configMaps: { 'default/tables': data },
  });
  const gateway = await startGateway(plain);
  try {
    const none = { cache_read_input_tokens: 0, cache_creation_input_tokens: 0, cache_creation: undefined };
    const usage = { input_tokens: 1_000_000, output_tokens: 0, ...none };
    mock.behave(() => ({ kind: 'text', usage }));
    const call = async () => {
      const answer = await send(gateway.url, { body: turn({ model: 'claude-opus-9-latest', stream: false }) });
      const record = await gateway.record(({ request_id }) => request_id === answer.headers['x-request-id']);
      return [answer.status, record['model'], record['priced'], record['cost_usd']];
    };
    expect((await call())[0]).toBe(400);

    gateway.reload(withTables({ 'models.json': models, 'prices.json': prices(RATES) }));
    const sevenDollars = [200, 'claude-opus-9', 'list', '7.00'];
    expect(await call()).toEqual(sevenDollars);

    gateway.reload(withTables({ 'models.json': models, 'prices.json': prices({ ...RATES, input: 'free' }) }));
    expect(await call()).toEqual(sevenDollars);
    gateway.reload(named);
    expect(await call()).toEqual(sevenDollars);

    gateway.reload(withTables({ 'models.json': models, 'prices.json': prices({ ...RATES, input: '8' }) }));
    expect(await call()).toEqual([200, 'claude-opus-9', 'list', '8.00']);
    gateway.reload(plain);
    expect((await call())[0]).toBe(400);
  } finally {
    await gateway.close();
    await mock.close();
  }
});

test('[XLAT-23] a beta that the table drops is not sent on, until an overlay keeps it: counted and named in the audit record', async () => {
  const mock = await startMockAnthropic();
  const tables = (outcome: 'keep' | 'drop'): Resources => ({
    ...basicResources(mock.url, { catalog: { configMapRef: { name: 'tables' } } }),
    configMaps: {
      'default/tables': {
        'betas.json': JSON.stringify({ betas: [{ beta: 'dreams-2027-01-01', families: { Anthropic: outcome } }] }),
      },
    },
  });
  const gateway = await startGateway(tables('drop'));
  try {
    const call = async () => {
      const headers = [
        'x-api-key',
        'sk-pc-ci-0123456789abcdefghijklmnopqrstuvwxyzABCD',
        'content-type',
        'application/json',
      ];
      const answer = await send(gateway.url, {
        headers: [...headers, 'anthropic-beta', 'dreams-2027-01-01,other-2027-01-01'],
        body: turn({ stream: false }),
      });
      const record = await gateway.record(({ request_id }) => request_id === answer.headers['x-request-id']);
      return { dropped: record['dropped_betas'], sent: mock.requests.at(-1)!.headers['anthropic-beta'] };
    };
    expect(await call()).toEqual({ dropped: ['dreams-2027-01-01'], sent: 'other-2027-01-01' });
    const metrics = await (await fetch(gateway.metricsUrl)).text();
    expect(metrics).toContain('portcullis_betas_dropped_total{family="Anthropic"} 1');
    gateway.reload(tables('keep'));
    expect(await call()).toEqual({ dropped: undefined, sent: 'dreams-2027-01-01,other-2027-01-01' });
  } finally {
    await gateway.close();
    await mock.close();
  }
});

test('[SPEND-16] a model without a price is charged at the unknown tier, and each such call is counted', async () => {
  const mock = await startMockAnthropic();
  const base = basicResources(mock.url);
  const gateway = await startGateway(
    withObjects(base, [
      policy('everyone', { match: { everyone: {} } }),
      object('Upstream', 'anthropic', {
        provider: 'Anthropic',
        baseUrl: mock.url,
        anthropic: { auth: { type: 'APIKey', apiKey: { name: 'anthropic', key: 'token' } } },
        models: [{ id: 'house-model', upstreamId: 'house-1' }],
      }),
    ]),
  );
  try {
    const answer = await send(gateway.url, { body: turn({ model: 'house-model', stream: false }) });
    const record = await gateway.record(({ request_id }) => request_id === answer.headers['x-request-id']);
    expect(record['priced']).toBe('unknown');
    expect(Number(record['cost_usd'])).toBeGreaterThan(0);
    await send(gateway.url, { body: turn({ stream: false }) });
    const metrics = await (await fetch(gateway.metricsUrl)).text();
    expect(metrics.match(/^portcullis_unpriced_calls_total.*/gm)).toEqual([
      'portcullis_unpriced_calls_total{model="house-model",upstream="default/anthropic"} 1',
    ]);
  } finally {
    await gateway.close();
    await mock.close();
  }
});
