// The real Claude Code has a turn with a tool through the built program, once for each way to hand it a key. Compared byte by byte: what
// it sent with what the provider got, and what the provider answered with what it got.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { installClaudeCode, runClaude, type ClaudeOptions, type ClaudeResult } from '../harness/claude-cli.ts';
import { basicResources, CI_KEY, importedKey, PROVIDER_KEY, withObjects } from '../harness/resources.ts';
import { jsonOf, startJourney, type Journey, type JourneyCall } from '../harness/journey.ts';

const OTHER_KEY = 'sk-pc-other-0123456789abcdefghijklmnopqrstuvwxyzABCD';
/** Only the tool can have brought this to the provider. */
const SECRET_WORD = 'quince-7391';

let claude: string;
let journey: Journey;

beforeAll(async () => {
  claude = await installClaudeCode();
  journey = await startJourney((url) =>
    withObjects(
      basicResources(url),
      [
        importedKey('ci', { owner: { type: 'User', name: 'dev@corp.example' } }, { labels: { team: 'build' } }),
        importedKey('other'),
      ],
      { 'default/keys': { other: OTHER_KEY } },
    ),
  );
  journey.mock.behave(() => ({
    kind: 'tool',
    name: 'Bash',
    input: { command: 'cat word.txt', description: 'Reads the word' },
    finalText: 'I have read the word.',
    headers: { 'x-amzn-requestid': 'cloud-request-1' },
  }));
});

afterAll(() => journey?.close());
beforeEach(() => journey.clear());

type Credential = Pick<ClaudeOptions, 'environment' | 'settings'>;

function turn(credential: Credential): Promise<ClaudeResult> {
  return runClaude(claude, {
    ...credential,
    args: ['-p', 'Which word is in word.txt?', '--output-format', 'json', '--allowedTools', 'Bash(cat:*)'],
    tap: journey.tap,
    files: { 'word.txt': SECRET_WORD },
  });
}

const helper = `printf '%s\\n' ${CI_KEY}`;

describe.each<[string, string, Credential, string, string[]]>([
  [
    'AUTH-01',
    'ANTHROPIC_AUTH_TOKEN',
    { environment: { ANTHROPIC_AUTH_TOKEN: CI_KEY } },
    'authorization',
    ['Authorization'],
  ],
  ['AUTH-02', 'ANTHROPIC_API_KEY', { environment: { ANTHROPIC_API_KEY: CI_KEY } }, 'x-api-key', ['X-Api-Key']],
  [
    'AUTH-03',
    'apiKeyHelper',
    { environment: {}, settings: { apiKeyHelper: helper } },
    'x-api-key',
    ['Authorization', 'X-Api-Key'],
  ],
])('[%s] a turn with a key by %s', (_row, _way, credential, source, sentIn) => {
  let result: ClaudeResult;
  let calls: JourneyCall[];

  beforeAll(async () => {
    journey.clear();
    result = await turn(credential);
    calls = await journey.calls();
  });

  test('[AUTH-21] the answer arrives, with nothing but a base URL and one variable', () => {
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(result.stdout)).toMatchObject({ result: 'I have read the word.', is_error: false, num_turns: 2 });
    expect(calls).toHaveLength(2);
    for (const { audit } of calls) expect(audit).toMatchObject({ key: 'default/ci', credential_source: source });
  });

  test('the key came in the headers of this way, and in no header to the provider', () => {
    for (const { atClient, atProvider } of calls) {
      const carrying = namesOf(atClient.request.rawHeaders, CI_KEY);
      expect(carrying.map((name) => name.toLowerCase()).sort()).toEqual(sentIn.map((name) => name.toLowerCase()));
      expect(namesOf(atProvider!.request.rawHeaders, CI_KEY)).toEqual([]);
      expect(atProvider!.request.headers['x-api-key']).toBe(PROVIDER_KEY);
      expect(atProvider!.request.headers['authorization']).toBeUndefined();
      expect(namesOf(atClient.response!.rawHeaders, PROVIDER_KEY)).toEqual([]);
    }
  });

  test('[XLAT-01][API-01] request bodies and the query reach the provider byte by byte', () => {
    for (const { atClient, atProvider } of calls) {
      expect(atClient.request.startLine).toBe('POST /v1/messages?beta=true HTTP/1.1');
      expect(atProvider!.request.startLine).toBe(atClient.request.startLine);
      expect(atClient.request.body.length).toBeGreaterThan(10_000);
      expect(atProvider!.request.body.equals(atClient.request.body)).toBe(true);
    }
  });

  test('[XLAT-01][API-02] the event stream reaches the client byte by byte', () => {
    for (const { atClient, atProvider } of calls) {
      expect(atClient.response).toMatchObject({ startLine: 'HTTP/1.1 200 OK', complete: true });
      expect(atClient.response!.headers).toMatchObject({
        'content-type': 'text/event-stream; charset=utf-8',
        'x-accel-buffering': 'no',
      });
      expect(atClient.response!.body.toString()).toContain('event: message_stop');
      expect(atClient.response!.body.equals(atProvider!.response!.body)).toBe(true);
    }
  });

  test('[XLAT-01][XLAT-02] every beta and every other anthropic- or x-stainless- header passes as it is', () => {
    for (const { atClient, atProvider } of calls) {
      const sent = Object.entries(atClient.request.headers).filter(([name]) => /^(anthropic|x-stainless)-/.test(name));
      expect(atProvider!.request.headers).toMatchObject(Object.fromEntries(sent));
      expect(atProvider!.request.headers['anthropic-beta']).toMatch(/^claude-code-.+,.+/);
      expect(atProvider!.request.headers['user-agent']).toBe(atClient.request.headers['user-agent']);
    }
  });

  test('[XLAT-02][XLAT-03] system is untouched, its attribution first and alone, and so are fields nobody here knows', () => {
    const body = jsonOf(calls[0]!.atProvider!);
    const [first] = body['system'] as { text: string }[];
    expect(first!.text).toMatch(/^x-anthropic-billing-header: cc_version=[^\n]+;$/);
    expect(body).toMatchObject({ thinking: {}, context_management: {}, output_config: {}, metadata: {}, stream: true });
  });

  test('the tool ran here and its result went to the provider', () => {
    expect(calls[0]!.atProvider!.request.body.toString()).not.toContain(SECRET_WORD);
    expect(JSON.stringify((jsonOf(calls[1]!.atProvider!)['messages'] as object[]).at(-1))).toContain(SECRET_WORD);
  });

  test('[AUDIT-03] the audit record says who, what, through whom and how much, as the client itself counts it', () => {
    const report = JSON.parse(result.stdout) as { session_id: string; total_cost_usd: number };
    for (const { audit, atClient } of calls) {
      expect(audit).toMatchObject({
        event: 'call',
        user_id: 'dev@corp.example',
        email: 'dev@corp.example',
        team: 'build',
        endpoint: '/v1/messages',
        requested_model: jsonOf(atClient)['model'],
        served_model: jsonOf(atClient)['model'],
        upstream: 'default/anthropic',
        cloud_request_id: 'cloud-request-1',
        status: 200,
        outcome: 'complete',
        stream: true,
        usage: { inputTokens: 12, outputTokens: 9, cacheReadTokens: 2048, cacheWrite5mTokens: 256 },
        tokens_used: 12 + 9 + 2048 + 256,
        session_id: report.session_id,
      });
      expect(audit['upstream_request_id']).toMatch(/^req_/);
      expect(audit['response_time_ms']).toBeGreaterThan(0);
    }
    const cost = calls.reduce((sum, { audit }) => sum + Number(audit['cost_usd']), 0);
    expect(cost).toBeGreaterThan(0);
    expect(cost).toBeCloseTo(report.total_cost_usd, 9);
  });

  test('nothing written for people or for audit holds a key', () => {
    const written = JSON.stringify(journey.gateway.audit) + journey.gateway.said();
    expect(written).not.toContain(CI_KEY);
    expect(written).not.toContain(PROVIDER_KEY);
  });
});

test('[AUTH-03] with two different values x-api-key decides, and the record says so', async () => {
  const result = await turn({ environment: { ANTHROPIC_AUTH_TOKEN: CI_KEY, ANTHROPIC_API_KEY: OTHER_KEY } });
  expect(result.code).toBe(0);
  for (const { atClient, audit } of await journey.calls()) {
    expect(atClient.request.headers).toMatchObject({ authorization: `Bearer ${CI_KEY}`, 'x-api-key': OTHER_KEY });
    expect(audit).toMatchObject({ key: 'default/other', credential_source: 'x-api-key' });
  }
});

function namesOf(rawHeaders: readonly string[], secret: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 0 && rawHeaders[index + 1]!.includes(secret));
}
