// What the real Claude Code asks besides its turns: whether the base URL answers, which models there are, how long a context is.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { execFileSync } from 'node:child_process';
import { installClaudeCode, runClaude } from '../harness/claude-cli.ts';
import { basicResources, CI_KEY, policy, withObjects } from '../harness/resources.ts';
import { isNamespaced, isolate } from '../harness/isolation.ts';
import { startJourney, type Journey } from '../harness/journey.ts';

let claude: string;
let journey: Journey;

beforeAll(async () => {
  claude = await installClaudeCode();
  journey = await startJourney((url) =>
    withObjects(basicResources(url), [
      policy('everyone', { match: { everyone: {} }, models: { allow: ['claude-opus-*', 'claude-haiku-*'] } }),
    ]),
  );
});

afterAll(() => journey?.close());
beforeEach(() => journey.clear());

test.skipIf(!isNamespaced)('nothing but loopback exists where the client runs', () => {
  const script = 'console.log(Object.keys(require("os").networkInterfaces()).join())';
  const [program = '', ...args] = isolate([process.execPath, '-e', script], journey.tap).command;
  expect(execFileSync(program, args, { encoding: 'utf8' }).trim()).toBe('lo');
});

// A client that is told of a proxy does not ask whether the base URL answers.
test.skipIf(!isNamespaced)(
  '[API-08] HEAD /api/hello is answered without a credential, and is no call for the audit',
  async () => {
    const result = await runClaude(claude, {
      args: ['-p', 'hi'],
      environment: { ANTHROPIC_AUTH_TOKEN: CI_KEY, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '' },
      tap: journey.tap,
    });
    expect(result).toMatchObject({ code: 0, stdout: 'Hello from the mock upstream.\n' });
    const hello = journey.exchanges().find(({ request }) => request.startLine === 'HEAD /api/hello HTTP/1.1');
    expect(hello?.response?.startLine).toBe('HTTP/1.1 200 OK');
    expect(hello?.request.headers).not.toHaveProperty('authorization');
    expect(journey.gateway.audit.filter(({ endpoint }) => endpoint === '/api/hello')).toEqual([]);
  },
);

test.each([
  ['AUTH-01', { environment: { ANTHROPIC_AUTH_TOKEN: CI_KEY } }],
  ['AUTH-03', { environment: {}, settings: { apiKeyHelper: `printf %s ${CI_KEY}` } }],
])(
  '[API-04][AUTH-25][%s] model discovery takes over exactly the models the caller may use',
  async (_row, credential) => {
    const result = await runClaude(claude, {
      ...credential,
      args: ['-p', 'hi'],
      environment: {
        ...credential.environment,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '',
        CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY: '1',
      },
      tap: journey.tap,
    });
    expect(result.code).toBe(0);
    const asked = journey.exchanges().find(({ request }) => request.startLine === 'GET /v1/models?limit=1000 HTTP/1.1');
    const { data } = JSON.parse(asked!.response!.body.toString()) as { data: { id: string; display_name: string }[] };
    const cached = JSON.parse(result.kept.get('cache/gateway-models.json')!) as { models: { id: string }[] };
    expect(cached.models).toEqual(data.map(({ id, display_name }) => ({ id, display_name })));
    expect(cached.models.length).toBeGreaterThan(3);
    expect(cached.models.filter(({ id }) => !/^claude-(opus|haiku)-/.test(id))).toEqual([]);
  },
);

test('[API-03][XLAT-01] /context counts through the gateway: many calls at once, each byte by byte, none of them charged', async () => {
  journey.mock.behave(() => ({ kind: 'count', inputTokens: 7000 }));
  const result = await runClaude(claude, {
    args: ['-p', '/context'],
    environment: { ANTHROPIC_AUTH_TOKEN: CI_KEY },
    tap: journey.tap,
  });
  expect(result.code).toBe(0);
  // The provider's figure, which no estimate of the client would hit.
  expect(result.stdout).toMatch(/\| System prompt \| [0-9.]+k \|/);
  expect(result.stdout).toMatch(/\| 7k \|/);
  const calls = await journey.calls();
  expect(calls.length).toBeGreaterThan(5);
  for (const { atClient, atProvider, audit } of calls) {
    expect(atClient.request.startLine).toBe('POST /v1/messages/count_tokens?beta=true HTTP/1.1');
    expect(atProvider!.request.startLine).toBe(atClient.request.startLine);
    expect(atProvider!.request.body.equals(atClient.request.body)).toBe(true);
    expect(atClient.response!.body.toString()).toBe('{"input_tokens":7000}');
    expect(audit).toMatchObject({ endpoint: '/v1/messages/count_tokens', status: 200 });
    expect(audit).not.toHaveProperty('cost_usd');
  }
});
