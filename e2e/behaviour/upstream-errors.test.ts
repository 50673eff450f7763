// What a client is told when an upstream refuses or fails: the provider's words where clients recover by them, a sentence of our own
// otherwise, and never anything that belongs to the platform team's account.
import { describe, expect, test } from 'vitest';
import { PROVIDER_KEY } from '../harness/gateway.ts';
import { startMockAnthropic, type Behaviour } from '../harness/mock-anthropic.ts';
import { headersWith, send } from './http-client.ts';
import { call, errorOf, messageBody } from './routing.ts';
import { startScene } from './scene.ts';

const { mock, gateway } = await startScene();

const envelope = (message: string, more: object = {}): string =>
  JSON.stringify({ type: 'error', error: { type: 'invalid_request_error', message }, ...more });

async function refusedWith(status: number, body: string, headers: Record<string, string> = {}) {
  mock.behave(() => ({ kind: 'status', status, body, headers }));
  return call(gateway);
}

describe('words that clients recover by', () => {
  test.each([
    [400, 'prompt is too long: 210104 tokens > 200000 maximum'],
    [400, 'input length and `max_tokens` exceed context limit: 199000 + 32000 > 200000'],
    [400, 'Input is too long.'],
    [400, 'messages.1.content.0: Expected `thinking`, but found `text`'],
    [400, 'messages.3.content.0: Invalid `signature` in `thinking` block'],
    [400, 'messages.2: system messages are only allowed at the start of the conversation'],
    [400, 'safeguards: Extra inputs are not permitted'],
    [400, 'Unexpected value(s) `context-management-2031-01-01` for the `anthropic-beta` header'],
    [413, 'Request exceeds the maximum size'],
    [404, 'model: claude-nobody'],
    [429, 'Number of request tokens has exceeded your per-minute rate limit'],
    [501, 'count_tokens is not supported'],
    [529, 'Overloaded'],
  ])('[XLAT-13] [XLAT-14] [ERR-18] a %i keeps them, byte for byte: %s', async (status, message) => {
    const body = envelope(message, { request_id: 'req_011CSHoEeqs5C35K2UUqR7Fy', x_future: { a: 1.0 } });
    const answer = await refusedWith(status, body);
    expect(answer.status).toBe(status);
    expect(answer.body.toString()).toBe(body);
    expect(answer.headers['content-type']).toBe('application/json');
    const record = await gateway.record((each) => each['request_id'] === answer.headers['x-request-id']);
    expect(record).toMatchObject({ reason: `upstream_${status}`, upstream_status: status });
  });

  test.each(['gzip', 'br', 'zstd', 'deflate'] as const)(
    '[ERR-18] also when the upstream compresses them: %s',
    async (coding) => {
      const zlib = await import('node:zlib');
      const coders = {
        gzip: zlib.gzipSync,
        br: zlib.brotliCompressSync,
        zstd: zlib.zstdCompressSync,
        deflate: zlib.deflateSync,
      };
      const body = envelope('prompt is too long: 210104 tokens > 200000 maximum');
      mock.behave(() => ({
        kind: 'raw',
        status: 400,
        headers: { 'content-type': 'application/json', 'content-encoding': coding },
        chunks: [coders[coding](body)],
      }));
      const answer = await send(gateway.url, { body: messageBody(), headers: headersWith({}) });
      expect([answer.status, answer.body.toString()]).toEqual([400, body]);
    },
  );

  test('[XLAT-13] safeguards, their beta and their results pass unchanged in both directions', async () => {
    const results =
      '{"type":"message","safeguard_results":[{"type":"dangerous_tool_use","verdict":"allow"}],"usage":{"input_tokens":1,"output_tokens":1}}';
    mock.behave(() => ({
      kind: 'raw',
      status: 200,
      headers: { 'content-type': 'application/json' },
      chunks: [results],
    }));
    const safeguards = [{ type: 'dangerous_tool_use', classifier_context: { v: 1, permission_mode: 'auto' } }];
    const beta = 'claude-code-20250219,dangerous-tool-use-2026-09-03';
    const body = JSON.stringify(messageBody({ safeguards }));
    const answer = await send(gateway.url, { headers: headersWith({ 'anthropic-beta': beta }), body });
    expect(answer.body.toString()).toBe(results);
    expect(mock.requests.at(-1)!.body.toString()).toBe(body);
    expect(mock.requests.at(-1)!.headers['anthropic-beta']).toBe(beta);
  });
});

/** Things of the platform team's account that providers put into errors. */
const PLANTED = {
  arn: 'arn:aws:sts::123456789012:assumed-role/gw-prod/i-0abc',
  account: '123456789012',
  project: 'projects/corp-llm-prod-417',
  serviceAccount: 'gateway@corp-llm-prod-417.iam.gserviceaccount.com',
  organisation: '7c1f3a52-9d0e-4b61-8a77-0f2e5d9c4b13',
  anthropicKey: 'sk-ant-api03-another-key-of-ours-9876543210',
  awsKey: 'AKIAIOSFODNN7EXAMPLE',
  credential: PROVIDER_KEY,
};
const SECRETS = Object.values(PLANTED);
const words = `User ${PLANTED.arn} of account ${PLANTED.account} on ${PLANTED.project} by ${PLANTED.serviceAccount} in organization ${PLANTED.organisation} with ${PLANTED.anthropicKey}, ${PLANTED.awsKey}`;

const BODIES: readonly (readonly [name: string, type: string, body: string])[] = [
  ['an HTML page', 'text/html', `<html><body><h1>403 Forbidden</h1>${words}</body></html>`],
  ['AWS JSON', 'application/json', JSON.stringify({ __type: 'AccessDeniedException', Message: words })],
  [
    'Google JSON',
    'application/json',
    JSON.stringify({ error: { code: 403, message: words, status: 'PERMISSION_DENIED' } }),
  ],
  ['plain text', 'text/plain', `upstream connect error: ${words}`],
  ['broken JSON', 'application/json', `{"type":"error","error":{"type":"api_error","message":"${words}"`],
  ['JSON null', 'application/json', 'null'],
  ['nothing', 'application/json', ''],
  ['an envelope called HTML', 'text/html', envelope(words)],
  ['an envelope with account ids', 'application/json', envelope(words)],
  [
    'an envelope with account ids beside the message',
    'application/json',
    envelope('no', { account: 123456789012, debug: words }),
  ],
  ['an envelope with our credential', 'application/json', envelope(`bad key ${PROVIDER_KEY}`)],
  ['a stack trace', 'text/plain', `TypeError: x\n    at Object.<anonymous> (/srv/app/provider.js:10:5)\n${words}`],
];

/** Status and type of the answer, by the upstream's status. */
const TOLD: Readonly<Record<number, readonly [status: number, type: string]>> = {
  400: [400, 'invalid_request_error'],
  401: [403, 'permission_error'],
  403: [403, 'permission_error'],
  404: [404, 'not_found_error'],
  408: [408, 'timeout_error'],
  409: [409, 'invalid_request_error'],
  413: [413, 'request_too_large'],
  422: [422, 'invalid_request_error'],
  429: [429, 'rate_limit_error'],
  500: [502, 'api_error'],
  501: [501, 'not_supported'],
  503: [502, 'api_error'],
  529: [529, 'overloaded_error'],
};

describe('words that stay here', () => {
  const cases = Object.keys(TOLD).flatMap((status) =>
    BODIES.map(([name, type, body]) => [Number(status), name, type, body] as const),
  );

  test.each(cases)('[XLAT-14] [ERR-12] [PROV-21] a %i with %s', async (status, _name, type, body) => {
    const headers = {
      'content-type': type,
      'x-amzn-requestid': 'a1b2',
      'retry-after': PROVIDER_KEY,
      'x-account': PLANTED.arn,
      location: 'https://console.example/',
      'set-cookie': 'a=b',
      server: 'awselb/2.0',
    };
    const answer = await refusedWith(status, body, headers);
    const [toldStatus, toldType] = TOLD[status]!;
    expect(answer.status).toBe(toldStatus);
    const error = errorOf(answer);
    expect(error.type).toBe('error');
    expect(error.error.type).toBe(toldType);
    expect(error.request_id).toBe(answer.headers['x-request-id']);
    expect(error.error.message.length).toBeGreaterThan(1);
    const whole = `${answer.body.toString()} ${JSON.stringify(answer.headers)}`;
    for (const secret of SECRETS) expect(whole).not.toContain(secret);
    expect(whole).not.toMatch(/<html|Object\.<anonymous>|awselb|console\.example|__type/);
    expect(answer.headers['content-type']).toBe('application/json');
  });

  test('[PROV-21] none of it is in logs, audit or metrics either', async () => {
    await gateway.record(({ upstream_status: status }) => status === 529);
    const metrics = await (await fetch(gateway.metricsUrl)).text();
    for (const text of [...gateway.written, metrics]) {
      for (const secret of SECRETS) expect(text).not.toContain(secret);
    }
  });

  test('[XLAT-14] an envelope loses the account ids and keeps the sense', async () => {
    const message = `tools.0: model ${PLANTED.arn} takes no tools (organization ${PLANTED.organisation})`;
    const answer = await refusedWith(400, envelope(message));
    expect(errorOf(answer)).toEqual({
      type: 'error',
      request_id: answer.headers['x-request-id'],
      error: {
        type: 'invalid_request_error',
        message: 'tools.0: model [redacted] takes no tools (organization [redacted])',
      },
    });
  });
});

describe('credentials of the gateway', () => {
  test.each([401, 403])(
    '[ERR-08] an upstream %i is a 403 that names the gateway, with no invitation to sign in',
    async (status) => {
      const answer = await refusedWith(status, envelope('invalid x-api-key'));
      expect(answer.status).toBe(403);
      expect(errorOf(answer).error.type).toBe('permission_error');
      expect(errorOf(answer).error.message).toMatch(/upstream authentication failed at the gateway.*platform team/);
      expect(answer.headers['x-should-retry']).toBe('false');
      expect(answer.headers['www-authenticate']).toBeUndefined();
      const record = await gateway.record((each) => each['request_id'] === answer.headers['x-request-id']);
      expect(record).toMatchObject({ status: 403, reason: 'upstream_auth', upstream: 'default/anthropic' });
    },
  );
});

describe('retry advice', () => {
  const permanent = [400, 401, 403, 404, 413, 422, 501];
  const passing = [408, 429, 500, 502, 503, 504, 529];
  const advice = async (behaviour: Behaviour) => {
    mock.behave(() => behaviour);
    return (await call(gateway)).headers['x-should-retry'];
  };

  test.each(permanent)('[ERR-17] [API-18] a %i of the upstream is permanent, in either wording', async (status) => {
    expect(await advice({ kind: 'status', status })).toBe('false');
    expect(await advice({ kind: 'status', status, body: 'x', headers: { 'content-type': 'text/plain' } })).toBe(
      'false',
    );
  });

  test.each(passing)('[ERR-17] a %i of the upstream may be tried again, in either wording', async (status) => {
    expect(await advice({ kind: 'status', status })).toBeUndefined();
    expect(
      await advice({ kind: 'status', status, body: 'x', headers: { 'content-type': 'text/plain' } }),
    ).toBeUndefined();
  });

  test.each([
    ['12', '12'],
    [undefined, '1'],
    ['Wed, 21 Oct 2026 07:28:00 GMT', '1'],
    ['soon', '1'],
  ])('[ERR-06] Retry-After of a 429 and 529: %s becomes %s', async (given, sent) => {
    for (const status of [429, 529]) {
      mock.behave(() => ({ kind: 'status', status, headers: { 'retry-after': given } }));
      expect((await call(gateway)).headers['retry-after']).toBe(sent);
    }
  });
});

describe('redirects of an upstream', () => {
  test.each([300, 301, 302, 303, 304, 307, 308])('[API-11] a %i is a 502, and Location stays here', async (status) => {
    const other = await startMockAnthropic();
    mock.behave(() => ({ kind: 'redirect', status, location: `${other.url}/v1/messages` }));
    const answer = await call(gateway);
    expect(answer.status).toBe(502);
    expect(answer.headers.location).toBeUndefined();
    expect(answer.body.toString()).not.toContain(other.url);
    expect(other.received()).toBe(0);
    await other.close();
  });
});
