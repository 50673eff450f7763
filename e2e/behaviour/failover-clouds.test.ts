// Clouds that put a quota or a missing model under a status of another meaning: the next upstream is asked as for any 429 or 404.
import { afterEach, describe, expect, test } from 'vitest';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { basicResources, startGateway, withObjects, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import {
  mockCloudCredentials,
  mockCloudSecrets,
  startMockCloud,
  type MockCloud,
} from '../harness/providers/mock-clouds.ts';
import { call, metric } from './routing.ts';

let cloud: MockCloud;
let second: MockAnthropic;
let gateway: TestGateway;

afterEach(async () => {
  await gateway.close();
  await cloud.close();
  await second.close();
});

async function start(family: ProviderFamily, failoverOn?: readonly string[]): Promise<void> {
  [cloud, second] = [await startMockCloud(family), await startMockAnthropic()];
  const routing = failoverOn === undefined ? {} : { routing: { failoverOn } };
  const base = basicResources(second.url, routing);
  const first = cloud.upstream({ priority: 0, breaker: { consecutiveFailures: 1 } });
  gateway = await startGateway(withObjects(base, [first], mockCloudSecrets()), {
    openCredentials: mockCloudCredentials(),
  });
}

const JSON_TYPE = { 'content-type': 'application/json' };
const refuse = (status: number, body: object): void =>
  cloud.behave(() => ({ kind: 'raw', status, headers: JSON_TYPE, chunks: [JSON.stringify(body)] }));

const QUOTAS: readonly [ProviderFamily, number, object][] = [
  ['Bedrock', 400, { message: 'Your account exceeded its quota for tokens per day' }],
  ['ClaudePlatformAWS', 400, { message: 'Too many tokens, please wait before trying again.' }],
  ['Vertex', 403, { error: { code: 403, status: 'RESOURCE_EXHAUSTED', message: 'Quota exceeded for requests' } }],
];

describe.each(QUOTAS)('a quota of %s under a %i', (family, status, body) => {
  test('[ROUTE-06] goes on to the next upstream, and is no failure of this one', async () => {
    await start(family);
    refuse(status, body);
    for (const _ of [1, 2]) {
      const answer = await call(gateway);
      expect(answer.status).toBe(200);
      const id = answer.headers['x-request-id'];
      expect(await gateway.record((each) => each['request_id'] === id)).toMatchObject({
        attempts: 2,
        upstream: 'default/anthropic',
      });
    }
    // A breaker that opens at one failure let the second call through: nobody took the quota for one.
    expect(cloud.requests).toHaveLength(2);
    const upstream = `default/${family.toLowerCase()}`;
    expect(await metric(gateway, 'upstream_attempts_total', { upstream, result: '429' })).toBe(2);
  });

  test('is told as a 429 where the platform team wants no other upstream asked', async () => {
    await start(family, ['5xx', '403']);
    refuse(status, body);
    expect((await call(gateway)).status).toBe(429);
    expect(second.requests).toEqual([]);
  });
});

test('[ROUTE-06] a model that Bedrock does not know is looked for elsewhere', async () => {
  await start('Bedrock');
  refuse(400, { message: 'The provided model identifier is invalid.' });
  expect((await call(gateway)).status).toBe(200);
  expect(second.requests).toHaveLength(1);
});

test.each(['messages.0.content: Input should be a valid list', 'tools.0.name: `my quota` does not match the pattern'])(
  'what is wrong with the request stays with the caller: %s',
  async (message) => {
    await start('Bedrock');
    refuse(400, { message });
    expect((await call(gateway)).status).toBe(400);
    expect(second.requests).toEqual([]);
  },
);
