// The audit record of a call: who, what, through which upstream, how long, how much; never what was said.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  basicResources,
  CI_KEY,
  importedKey,
  startGateway,
  withObjects,
  type TestGateway,
} from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { SESSION, turn, turnHeaders } from './claude-code.ts';
import { headersWith, send, type Answer } from './http-client.ts';

const DEV_KEY = 'sk-pc-dev-0123456789abcdefghijklmnopqrstuvwxyzABC';

let mock: MockAnthropic;
let gateway: TestGateway;

const resources = (spec: Record<string, unknown> = {}) =>
  withObjects(
    basicResources(mock.url, { models: { entries: [{ id: 'house-best', target: 'claude-opus-5-5' }] }, ...spec }),
    [importedKey('dev', { owner: { type: 'User', name: 'dev@example.com' } })],
    { 'default/keys': { dev: DEV_KEY } },
  );

beforeAll(async () => {
  mock = await startMockAnthropic();
  gateway = await startGateway(resources());
});

afterAll(async () => {
  await gateway.close();
  await mock.close();
});

const recordOf = ({ headers }: Answer) => gateway.record(({ request_id }) => request_id === headers['x-request-id']);

describe('an inference', () => {
  test('[AUDIT-03] [AUDIT-04] [PROV-32] names the caller, the models, the upstream, both ids, times, tokens and cost', async () => {
    mock.behave(() => ({
      kind: 'events',
      count: 3,
      gapMs: 30,
      delayMs: 50,
      headers: { 'request-id': 'req_up', 'x-amzn-requestid': 'cloud_1' },
    }));
    const before = Date.now();
    const answer = await send(gateway.url, {
      headers: turnHeaders(DEV_KEY),
      body: turn({ model: 'house-best' }),
    });
    const record = await recordOf(answer);
    expect(record).toEqual({
      event: 'call',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
      request_id: answer.headers['x-request-id'],
      client_ip: '127.0.0.1',
      user_id: 'dev@example.com',
      email: 'dev@example.com',
      owner_type: 'User',
      key: 'default/dev',
      key_prefix: DEV_KEY.slice(0, (record['key_prefix'] as string).length),
      auth_method: 'virtual_key',
      credential_source: 'authorization',
      dialect: 'Anthropic',
      method: 'POST',
      endpoint: '/v1/messages',
      status: 200,
      rule: 'default/everyone',
      rate_limited: false,
      response_time_ms: expect.any(Number) as number,
      first_byte_ms: expect.any(Number) as number,
      requested_model: 'house-best',
      model: 'claude-opus-5-5',
      served_model: 'claude-opus-5-5',
      upstream: 'default/anthropic',
      upstream_credential: expect.stringMatching(/^[0-9a-f]{16}$/),
      upstream_status: 200,
      upstream_request_id: 'req_up',
      cloud_request_id: 'cloud_1',
      attempts: 1,
      stream: true,
      outcome: 'complete',
      // 12 in, 3 out, 2048 read, 256 written.
      tokens_used: 2319,
      usage: {
        inputTokens: 12,
        outputTokens: 3,
        cacheReadTokens: 2048,
        cacheWrite5mTokens: 256,
        cacheWrite1hTokens: 0,
        webSearchRequests: 0,
      },
      // 12×4 + 3×20 + 2048×0.2 + 256×5 per million.
      cost_usd: '0.0017976',
      priced: 'list',
      session_id: SESSION,
      agent_id: 'agent-7',
      parent_agent_id: 'agent-1',
      revision: expect.stringMatching(/^test-/) as string,
    });
    expect((record['key_prefix'] as string).length).toBeLessThan(16);
    expect(Date.parse(record['timestamp'] as string)).toBeGreaterThanOrEqual(before);
    expect(record['first_byte_ms']).toBeGreaterThanOrEqual(45);
    expect((record['response_time_ms'] as number) - (record['first_byte_ms'] as number)).toBeGreaterThanOrEqual(45);
  });

  test('[AUDIT-03] of a service names the owner and its team, and no e-mail address', async () => {
    mock.behave(() => ({ kind: 'text' }));
    const record = await recordOf(await send(gateway.url, { headers: turnHeaders(CI_KEY), body: turn() }));
    expect(record).toMatchObject({ user_id: 'ci', owner_type: 'Service', team: 'build', key: 'default/ci' });
    expect(record).not.toHaveProperty('email');
  });

  test.each<[string, number, number, boolean]>([
    ['a rate limit of the upstream', 429, 429, true],
    ['a refusal of the upstream', 400, 400, false],
    ['a failure of the upstream', 500, 502, false],
  ])('[AUDIT-03] [AUDIT-04] %s', async (_name, upstreamStatus, status, limited) => {
    mock.behave(() => ({ kind: 'status', status: upstreamStatus }));
    const record = await recordOf(await send(gateway.url, { body: turn() }));
    expect(record).toMatchObject({
      event: 'call',
      status,
      rate_limited: limited,
      upstream: 'default/anthropic',
      model: 'claude-sonnet-4-6',
      attempts: 1,
    });
    expect(record['reason']).toMatch(/^upstream/);
    expect(record).not.toHaveProperty('cost_usd');
  });

  test('[AUDIT-03] an upstream that refuses our credential is no denial of the caller', async () => {
    mock.behave(() => ({ kind: 'status', status: 401 }));
    expect(await recordOf(await send(gateway.url, { body: turn() }))).toMatchObject({
      event: 'call',
      status: 403,
      reason: 'upstream_auth',
    });
  });
});

describe('a refusal', () => {
  test('[AUDIT-04] of an unknown caller has address, method, endpoint, status and reason', async () => {
    const answer = await send(gateway.url, {
      headers: headersWith({ authorization: 'Bearer nobody-at-all' }),
      body: '{}',
    });
    const record = await recordOf(answer);
    expect(record).toMatchObject({
      event: 'access.denied',
      client_ip: '127.0.0.1',
      auth_method: 'none',
      method: 'POST',
      endpoint: '/v1/messages',
      status: 401,
      reason: 'unknown_key',
      rate_limited: false,
    });
    for (const field of ['user_id', 'key', 'model', 'upstream', 'usage']) expect(record).not.toHaveProperty(field);
  });

  test('[AUDIT-04] of a model names the caller and the rule', async () => {
    expect(await recordOf(await send(gateway.url, { body: turn({ model: 'gpt-9' }) }))).toMatchObject({
      status: 400,
      user_id: 'ci',
      requested_model: 'gpt-9',
      reason: 'unknown_model',
    });
  });

  test('[AUDIT-04] text of the client is shortened', async () => {
    const long = 'm'.repeat(5000);
    const answer = await send(gateway.url, {
      headers: headersWith({ 'x-claude-code-session-id': long }),
      body: turn({ model: long }),
    });
    const record = await recordOf(answer);
    expect((record['requested_model'] as string).length).toBe(128);
    expect((record['session_id'] as string).length).toBe(128);
  });
});

test('[AUDIT-03] every call has exactly one record, whatever its end; probes have none', async () => {
  mock.behave(() => ({ kind: 'text' }));
  await send(gateway.url, { method: 'HEAD', path: '/api/hello' });
  const before = gateway.audit.length;
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      i % 3 === 0 ? send(gateway.url, { body: '{' }) : send(gateway.url, { body: turn({ stream: i % 3 === 1 }) }),
    ),
  );
  await Promise.all(answers.map(recordOf));
  expect(gateway.audit.length - before).toBe(60);
  await send(gateway.url, { method: 'GET', path: '/healthz', headers: [] });
  expect(gateway.audit.length - before).toBe(60);
});

test('[AUDIT-06] nothing that was asked or answered is written anywhere, neither on success nor on failure', async () => {
  const prompt = 'prompt-marker-b7c1';
  const completion = 'completion-marker-4fd2';
  const body = turn({ messages: [{ role: 'user', content: prompt }], system: prompt, tags: { t: prompt } });
  gateway.reload(resources({ logging: { level: 'debug' } }));
  mock.behave(() => ({ kind: 'text', text: completion }));
  const answers = [
    await send(gateway.url, { body }),
    await send(gateway.url, { body: { ...body, stream: false } }),
    await send(gateway.url, { body: { ...body, model: 'gpt-9' } }),
    await send(gateway.url, { body: `${JSON.stringify(body)}${prompt}` }),
    await send(gateway.url, { headers: headersWith({ authorization: 'Bearer no' }), body }),
  ];
  mock.behave(() => ({ kind: 'status', status: 400, message: completion }));
  answers.push(await send(gateway.url, { body }));
  mock.behave(() => ({ kind: 'cut', afterEvents: 6, text: completion }));
  answers.push(await send(gateway.url, { body }));
  await Promise.all(answers.map(recordOf));
  const written = gateway.written.join('\n');
  expect(written).not.toContain(prompt);
  expect(written).not.toContain(completion);
});

test.each(['debug', 'info', 'warn', 'error'])(
  '[AUDIT-10] log level %s is in force from the start and after a reload, and audit does not depend on it',
  async (level) => {
    mock.behave(() => ({ kind: 'text' }));
    const own = await startGateway(resources({ logging: { level } }));
    try {
      expect(own.log.level).toBe(level);
      const { headers } = await send(own.url, { body: turn() });
      await own.record(({ request_id }) => request_id === headers['x-request-id']);
      const denied = await send(own.url, { headers: headersWith({ authorization: undefined }), body: turn() });
      await own.record(({ request_id }) => request_id === denied.headers['x-request-id']);
      own.reload(resources({ logging: { level: level === 'warn' ? 'debug' : 'warn' } }));
      expect(own.log.level).toBe(level === 'warn' ? 'debug' : 'warn');
    } finally {
      await own.close();
    }
  },
);
