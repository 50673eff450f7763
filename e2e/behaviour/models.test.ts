// Rules on models as clients meet them: the list, the refusal, and every other way to write a denied one.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  basicResources,
  CI_KEY,
  importedKey,
  policy,
  startGateway,
  upstream,
  withObjects,
  type Resources,
  type TestGateway,
} from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { bearer, get, outcomeOf, post, recordOf, refusalOf } from './caller.ts';
import { errorOf, messageBody } from './routing.ts';

const LIMITED = 'sk-pc-limited-0123456789abcdefghijklmnopqrstuvwxyz';
const READER = 'sk-pc-reader-0123456789abcdefghijklmnopqrstuvwxyz';
const PATHS = ['/v1/messages', '/v1/messages/count_tokens'];

let mock: MockAnthropic;
let gateway: TestGateway;
let before = 0;

const ENTRIES = [
  { id: 'claude-best', displayName: 'Best', description: 'The big one', target: 'claude-opus-4-5' },
  { id: 'Claude-Quick', target: 'us.anthropic.claude-haiku-4-5-20251001-v1:0' },
];

function resources(models: Record<string, unknown>): Resources {
  return withObjects(
    basicResources(mock.url, { models: { entries: ENTRIES } }),
    [
      policy('everyone', { match: { everyone: {} }, models, denyMessage: 'Ask #ai-platform.' }),
      importedKey('limited', { models: { allow: ['claude-haiku-4-5'] } }),
      importedKey('reader', { scopes: ['read'] }),
      upstream('anthropic', mock.url, { models: [{ id: 'corp-special', upstreamId: 'claude-opus-4-5-20251101' }] }),
    ],
    { 'default/keys': { limited: LIMITED, reader: READER } },
  );
}

beforeAll(async () => {
  mock = await startMockAnthropic();
  gateway = await startGateway(resources({ allow: ['claude-*', 'corp-*'], deny: ['claude-opus-4-5'] }));
});

beforeEach(() => {
  before = mock.received();
});

afterAll(async () => {
  await gateway.close();
  await mock.close();
});

const ask = (model: unknown, path = '/v1/messages', key = CI_KEY) =>
  post(gateway, bearer(key), messageBody({ model }), path);

async function listed(key: string, query = ''): Promise<string[]> {
  const answer = await get(gateway, `/v1/models${query}`, bearer(key));
  expect(answer.status).toBe(200);
  return (JSON.parse(answer.body.toString()) as { data: { id: string }[] }).data.map(({ id }) => id);
}

describe('a denied model', () => {
  test.each(PATHS)(
    '[AUTHZ-01] [ERR-01] [AUTHZ-21] at %s: 400, told whom to ask, the rule in the record, nothing upstream',
    async (path) => {
      const answer = await ask('claude-opus-4-5', path);
      expect(refusalOf(answer)).toBe(
        '400 invalid_request_error: model claude-opus-4-5 is not allowed for you. Ask #ai-platform.',
      );
      expect(answer.headers['x-should-retry']).toBe('false');
      expect(mock.received()).toBe(before);
      expect(await recordOf(gateway, answer)).toMatchObject({
        reason: 'denied_model',
        rule: 'default/everyone',
        requested_model: 'claude-opus-4-5',
        key: 'default/ci',
      });
    },
  );

  test.each([
    'claude-opus-4-5-20251101',
    'Claude-Opus-4-5',
    'CLAUDE-OPUS-4-5-20251101',
    'claude-opus-4-5[1m]',
    'claude-opus-4-5-20251101[1M]',
    'claude-opus-4-5@20251101',
    'claude-opus-4-5@default',
    'anthropic/claude-opus-4-5',
    'anthropic.claude-opus-4-5-20251101-v1:0',
    'anthropic.claude-opus-4-5-20251101-v1',
    'us.anthropic.claude-opus-4-5-20251101-v1:0',
    'global.anthropic.claude-opus-4-5-20251101-v1:0[1m]',
    'bedrock/eu.anthropic.claude-opus-4-5-20251101-v1:0',
    'arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-4-5-20251101-v1:0',
    'arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-5-20251101-v1:0',
    'arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fanthropic.claude-opus-4-5-20251101-v1%3A0',
    'projects/p/locations/global/publishers/anthropic/models/claude-opus-4-5@20251101',
    'vertex_ai/claude-opus-4-5@20251101',
    'claude-best',
    'CLAUDE-BEST',
    'claude-best[1m]',
    'corp-special',
    'Corp-Special[1m]',
  ])('[AUTHZ-03] written as %s', async (model) => {
    for (const path of PATHS) {
      const answer = await ask(model, path);
      expect([answer.status, (await recordOf(gateway, answer))['reason']]).toEqual([400, 'denied_model']);
    }
    expect(mock.received()).toBe(before);
    expect((await get(gateway, `/v1/models/${encodeURIComponent(model)}`, bearer(CI_KEY))).status).toBe(404);
  });

  test.each([
    'opus',
    'claude-opus',
    ' claude-opus-4-5',
    'claude-opus-4-5 ',
    'claude-opus-4-5\u0000',
    'claude-opus-4-5\n',
    'claude\u2010opus-4-5',
    'claude-ορus-4-5',
    'claude-opus-4-5%5B1m%5D%20',
    'claude-opus-4-5[1m][1m]',
    'anthropic.anthropic.claude-opus-4-5',
    'us.us.anthropic.claude-opus-4-5-20251101-v1:0',
    'arn%253Aaws',
    './claude-opus-4-5',
    '__proto__',
    'constructor',
    '*',
    'claude-*',
  ])('[AUTHZ-03] something like it, %j, is no model at all', async (model) => {
    const answer = await ask(model);
    expect([answer.status, (await recordOf(gateway, answer))['reason']]).toEqual([400, 'unknown_model']);
    expect(mock.received()).toBe(before);
  });

  test.each([
    [
      'twice, the denied one last',
      '{"model":"claude-haiku-4-5","model":"claude-opus-4-5","max_tokens":1,"messages":[]}',
    ],
    [
      'twice, the denied one first',
      '{"model":"claude-opus-4-5","max_tokens":1,"messages":[],"model":"claude-haiku-4-5"}',
    ],
    [
      'under an escaped key',
      '{"model":"claude-haiku-4-5","mod\\u0065l":"claude-opus-4-5","max_tokens":1,"messages":[]}',
    ],
    [
      'under a key in another case',
      '{"model":"claude-haiku-4-5","Model":"claude-opus-4-5","max_tokens":1,"messages":[]}',
    ],
    ['with escapes in its name', '{"model":"claude-\\u006fpus-4-5","max_tokens":1,"messages":[]}'],
  ])('[AUTHZ-03] smuggled in %s', async (_name, body) => {
    expect((await post(gateway, bearer(CI_KEY), body)).status).toBe(400);
    expect(mock.received()).toBe(before);
  });

  test.each([
    '/model/us.anthropic.claude-opus-4-5-20251101-v1:0/invoke',
    '/v1/projects/p/locations/global/publishers/anthropic/models/claude-opus-4-5@20251101:rawPredict',
    '/v1/messages/claude-opus-4-5',
  ])('[AUTHZ-03] in the path of another platform, %s: this gateway has no such door', async (path) => {
    expect((await post(gateway, bearer(CI_KEY), messageBody(), path)).status).toBe(404);
    expect(mock.received()).toBe(before);
  });

  test('[AUTHZ-03] the same ways lead to a model that is allowed, by the name its upstream knows', async () => {
    for (const model of [
      'CLAUDE-HAIKU-4-5[1m]',
      'us.anthropic.claude-haiku-4-5-20251001-v1:0',
      'claude-quick',
      'Claude-Quick[1M]',
    ]) {
      expect([model, (await ask(model)).status]).toEqual([model, 200]);
      expect(mock.requests.at(-1)!.json()?.['model']).toBe('claude-haiku-4-5-20251001');
    }
  });
});

describe('a model that is none', () => {
  test.each([
    [undefined, 'model is required'],
    ['', 'model is required'],
    [null, 'model must be a string'],
    [7, 'model must be a string'],
    [true, 'model must be a string'],
    [['claude-haiku-4-5'], 'model must be a string'],
    [{ id: 'claude-haiku-4-5' }, 'model must be a string'],
  ])('[AUTHZ-04] [ERR-01] %j: %s', async (model, message) => {
    for (const path of PATHS) {
      expect(refusalOf(await ask(model, path))).toBe(`400 invalid_request_error: ${message}`);
    }
    expect(mock.received()).toBe(before);
  });

  test.each(['', '{', '[]', '"x"', 'null', '{"model":"claude-haiku-4-5"', '\u0000', '<html>'])(
    '[ERR-01] a body that is %j',
    async (body) => {
      const answer = await post(gateway, bearer(CI_KEY), body);
      expect(outcomeOf(answer)).toBe('400 invalid_request_error');
      expect(mock.received()).toBe(before);
    },
  );

  test('a name that is quoted back is short and without control characters', async () => {
    const { message } = errorOf(await ask(`x\u001b[31m\n${'y'.repeat(5_000)}`)).error;
    expect(message.length).toBeLessThan(300);
    expect(message).toMatch(/^[\x20-\x7e…]+$/);
  });
});

describe('GET /v1/models', () => {
  test('[API-04] all on one page whatever the limit, in the shape clients read, by either header', async () => {
    for (const headers of [bearer(CI_KEY), { 'x-api-key': CI_KEY }]) {
      const answer = await get(gateway, '/v1/models?limit=1000', headers);
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toBe('application/json');
      const page = JSON.parse(answer.body.toString()) as Record<string, unknown> & { data: Record<string, unknown>[] };
      expect(page).toMatchObject({ has_more: false, first_id: 'claude-quick', last_id: page.data.at(-1)!['id'] });
      for (const model of page.data) {
        expect(model).toMatchObject({ type: 'model', id: expect.any(String), display_name: expect.any(String) });
        expect(Number.isNaN(Date.parse(String(model['created_at'])))).toBe(false);
      }
      expect(page.data.find(({ id }) => id === 'claude-sonnet-5-5')).toMatchObject({ max_input_tokens: 1_000_000 });
    }
    expect(await listed(CI_KEY, '?limit=1')).toEqual(await listed(CI_KEY));
  });

  test('[AUTHZ-02] without what the policy denies, under whatever name', async () => {
    const ids = await listed(CI_KEY);
    expect(ids).toContain('claude-haiku-4-5-20251001');
    expect(ids).toContain('claude-opus-5-5');
    for (const denied of ['claude-opus-4-5-20251101', 'claude-best', 'corp-special']) expect(ids).not.toContain(denied);
  });

  test('[AUTHZ-02] each caller sees its own, and everything in it can be called', async () => {
    expect(await listed(LIMITED)).toEqual(['claude-quick', 'claude-haiku-4-5-20251001']);
    for (const key of [CI_KEY, LIMITED]) {
      for (const model of await listed(key)) {
        expect([model, (await ask(model, '/v1/messages', key)).status]).toEqual([model, 200]);
        expect((await get(gateway, `/v1/models/${model}`, bearer(key))).status).toBe(200);
      }
    }
  });

  test('[AUTHZ-10] the list of a key is a limit within its policies', async () => {
    const denied = await ask('claude-sonnet-5-5', '/v1/messages', LIMITED);
    expect(outcomeOf(denied)).toBe('400 invalid_request_error');
    expect(await recordOf(gateway, denied)).toMatchObject({ reason: 'denied_model', rule: 'default/limited' });
    expect((await ask('claude-haiku-4-5', '/v1/messages', LIMITED)).status).toBe(200);
    gateway.reload(resources({ allow: ['claude-*'], deny: ['claude-haiku-4-5'] }));
    expect((await ask('claude-haiku-4-5', '/v1/messages', LIMITED)).status).toBe(400);
    expect(await listed(LIMITED)).toEqual([]);
    gateway.reload(resources({ allow: ['claude-*', 'corp-*'], deny: ['claude-opus-4-5'] }));
  });

  test('[AUTHZ-02] a change of policy is seen by the next call', async () => {
    gateway.reload(resources({ allow: ['claude-best'] }));
    expect(await listed(CI_KEY)).toEqual(['claude-best']);
    expect((await ask('claude-best')).status).toBe(200);
    expect((await ask('claude-haiku-4-5')).status).toBe(400);
    gateway.reload(resources({ allow: ['claude-*', 'corp-*'], deny: ['claude-opus-4-5'] }));
  });
});
