// Which names lead to which model at which upstream, and what a name that leads nowhere is told.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { basicResources, CI_KEY, policy, startGateway, withObjects, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { call, errorOf, site, siteResources } from './routing.ts';

let mock: MockAnthropic;
let gateway: TestGateway;

beforeEach(async () => {
  mock = await startMockAnthropic();
});

afterEach(async () => {
  await gateway.close();
  await mock.close();
});

const everything = policy('everyone', { match: { everyone: {} } });

/** A gateway for which every model is allowed, with these models on its one upstream. */
async function start(models: readonly object[], spec: Record<string, unknown> = {}): Promise<void> {
  const resources = siteResources([site('a', mock.url, 0, { models })], spec);
  gateway = await startGateway(withObjects(resources, [everything]));
}

async function askedFor(model: string): Promise<unknown> {
  const answer = await call(gateway, { model });
  expect(answer.status).toBe(200);
  return mock.requests.at(-1)!.json()?.['model'];
}

async function listed(): Promise<string[]> {
  const response = await fetch(`${gateway.url}/v1/models?limit=1000`, { headers: { 'x-api-key': CI_KEY } });
  return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
}

const LONG = 'custom--us.anthropic.claude-sonnet-4-5-20250929-v1';
const ARN = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123';

describe('names of the platform team', () => {
  test('[ROUTE-01] a name that an upstream maps, whatever it looks like, in any case', async () => {
    await start([
      { id: LONG, upstreamId: 'claude-sonnet-4-5-20250929' },
      { id: 'house-model', upstreamId: ARN },
      { id: 'same-on-both-sides' },
    ]);
    expect(await askedFor(LONG)).toBe('claude-sonnet-4-5-20250929');
    expect(await askedFor(LONG.toUpperCase())).toBe('claude-sonnet-4-5-20250929');
    expect(await askedFor('house-model')).toBe(ARN);
    expect(await askedFor('same-on-both-sides')).toBe('same-on-both-sides');
    expect(await listed()).toEqual(expect.arrayContaining([LONG, 'house-model']));
  });

  test('[ROUTE-01] an entry of the Gateway stands for a built-in model, or for one that an upstream maps', async () => {
    await start([{ id: 'house-model', upstreamId: ARN }], {
      models: {
        entries: [
          { id: 'fast', displayName: 'Claude Fast', target: 'us.anthropic.claude-haiku-4-5-20251001-v1:0' },
          { id: 'claude-own', target: 'house-model' },
        ],
      },
    });
    expect(await askedFor('fast')).toBe('claude-haiku-4-5-20251001');
    expect(await askedFor('claude-own')).toBe(ARN);
    expect((await listed()).slice(0, 2)).toEqual(['fast', 'claude-own']);
  });

  test('[ROUTE-01] long names are found by path too', async () => {
    await start([{ id: LONG }, { id: 'a'.repeat(200) }]);
    for (const id of [LONG, 'a'.repeat(200)]) {
      const response = await fetch(`${gateway.url}/v1/models/${id}`, { headers: { 'x-api-key': CI_KEY } });
      expect([response.status, ((await response.json()) as { id: string }).id]).toEqual([200, id]);
    }
  });
});

describe('the built-in catalog', () => {
  const SPELLINGS = [
    'claude-sonnet-4-5',
    'claude-sonnet-4-5-20250929',
    'Claude-Sonnet-4-5',
    'anthropic.claude-sonnet-4-5-20250929-v1:0',
    ...['us', 'eu', 'apac', 'global'].map((geo) => `${geo}.anthropic.claude-sonnet-4-5-20250929-v1:0`),
    'claude-sonnet-4-5@20250929',
    'claude-sonnet-4-5[1m]',
  ];

  test.each(SPELLINGS)('[ROUTE-02] is on by default, under the names of every platform: %s', async (spelling) => {
    await start([]);
    expect(['claude-sonnet-4-5', 'claude-sonnet-4-5-20250929']).toContain(await askedFor(spelling));
  });

  test.each(SPELLINGS)('[ROUTE-02] switched off, only listed models are served: not %s', async (spelling) => {
    await start([{ id: 'claude-house', upstreamId: 'claude-sonnet-5-5' }], {
      models: { builtin: false, entries: [{ id: 'claude-fast', target: 'claude-haiku-4-5' }] },
    });
    const answer = await call(gateway, { model: spelling });
    expect([answer.status, mock.received()]).toEqual([400, 0]);
    expect(await listed()).toEqual(['claude-fast', 'claude-house']);
    expect(await askedFor('claude-fast')).toBe('claude-haiku-4-5-20251001');
    expect(await askedFor('claude-house')).toBe('claude-sonnet-5-5');
  });

  test('[ROUTE-02] switched off, the name behind an entry is not served under itself', async () => {
    await start([], { models: { builtin: false, entries: [{ id: 'claude-fast', target: 'claude-haiku-4-5' }] } });
    expect((await call(gateway, { model: 'claude-haiku-4-5' })).status).toBe(400);
    expect(mock.received()).toBe(0);
  });
});

describe('names that lead nowhere', () => {
  test('[ROUTE-27] unknown, denied and unrouted are all 400, with messages and audit reasons of their own', async () => {
    const elsewhere = site('b', mock.url, 1, { models: [{ id: 'claude-far' }] });
    const resources = withObjects(siteResources([site('a', mock.url, 0), elsewhere]), [
      policy('everyone', {
        match: { everyone: {} },
        models: { allow: ['claude-*'], deny: ['claude-opus-*'] },
        upstreams: { names: ['a'] },
      }),
    ]);
    gateway = await startGateway(resources);
    const told: string[] = [];
    for (const [model, reason] of [
      ['claude-nobody-knows', 'unknown_model'],
      ['claude-opus-5-5', 'denied_model'],
      ['us.anthropic.claude-opus-4-8', 'denied_model'],
      ['claude-far', 'unrouted_model'],
    ] as const) {
      for (const path of ['/v1/messages', '/v1/messages/count_tokens']) {
        const answer = await call(gateway, { model }, { path });
        expect(answer.status).toBe(400);
        expect(errorOf(answer).error.type).toBe('invalid_request_error');
        expect(answer.headers['x-should-retry']).toBe('false');
        told.push(errorOf(answer).error.message.replace(model, 'M'));
        const record = await gateway.record((each) => each['request_id'] === answer.headers['x-request-id']);
        expect(record).toMatchObject({ reason, status: 400, requested_model: model });
      }
    }
    expect(new Set(told).size).toBe(3);
    expect(mock.received()).toBe(0);
  });

  test('[ROUTE-27] names made to hurt are shown shortened and harmless', async () => {
    gateway = await startGateway(basicResources(mock.url));
    for (const model of [`x\r\nSet-Cookie: a=b`, '<script>', 'x'.repeat(100_000), '../../etc', '\u0000', '__proto__']) {
      const answer = await call(gateway, { model });
      expect(answer.status).toBe(400);
      const { message } = errorOf(answer).error;
      expect(message.length).toBeLessThan(300);
      // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
      expect(message).not.toMatch(/[\u0000-\u001f]/);
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
  });

  test('[ERR-04] counting where nobody can is 404, so that clients estimate instead of paying for counts', async () => {
    const resources = siteResources([site('a', mock.url, 0, { capabilities: { countTokens: false } })]);
    gateway = await startGateway(resources);
    const answer = await call(gateway, {}, { path: '/v1/messages/count_tokens' });
    expect([answer.status, errorOf(answer).error.type]).toEqual([404, 'not_found_error']);
    expect(mock.received()).toBe(0);
    expect((await call(gateway)).status).toBe(200);
  });

  test('[ERR-04] [ROUTE-04] where only some can count, those are asked', async () => {
    const other = await startMockAnthropic();
    gateway = await startGateway(
      siteResources([site('a', mock.url, 0, { capabilities: { countTokens: false } }), site('b', other.url, 1)]),
    );
    const answer = await call(gateway, {}, { path: '/v1/messages/count_tokens' });
    expect(JSON.parse(answer.body.toString())).toEqual({ input_tokens: expect.any(Number) as number });
    expect([mock.received(), other.received()]).toEqual([0, 1]);
    await other.close();
  });
});
