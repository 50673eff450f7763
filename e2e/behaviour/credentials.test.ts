// Where a credential may stand in a request, which one counts, what happens to the wrong ones, and that none of them gets any further.
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  basicResources,
  CI_KEY,
  importedKey,
  PROVIDER_KEY,
  startGateway,
  withObjects,
  type TestGateway,
} from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { bearer, get, outcomeOf, post, recordOf, refusalOf, type Headers } from './caller.ts';
import { headersWith, send, type Answer } from './http-client.ts';
import { errorOf, messageBody } from './routing.ts';
import { turn } from './claude-code.ts';

const OTHER_KEY = 'sk-pc-other-ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210';
const IMPORTED = 'sk-litellm-7f3Kq9LmZx2Rw8Tn4Vb6Yc1Pd5';
const UNKNOWN = 'sk-pc-nobody-0123456789abcdefghijklmnopqrstuvwxyz';

let mock: MockAnthropic;
let gateway: TestGateway;
let before = 0;

beforeAll(async () => {
  mock = await startMockAnthropic();
  gateway = await startGateway(
    withObjects(basicResources(mock.url), [importedKey('other'), importedKey('moved')], {
      'default/keys': { other: OTHER_KEY, moved: IMPORTED },
    }),
  );
});

beforeEach(() => {
  before = mock.received();
});

afterAll(async () => {
  await gateway.close();
  await mock.close();
});

/** A final 401: right envelope, no retry, nothing sent upstream. */
function expectUnauthenticated(answer: Answer): void {
  expect(outcomeOf(answer)).toBe('401 authentication_error');
  expect(errorOf(answer).type).toBe('error');
  expect(answer.headers['content-type']).toBe('application/json');
  expect(answer.headers['x-should-retry']).toBe('false');
  expect(mock.received()).toBe(before);
}

describe('places', () => {
  test.each([
    ['AUTH-01', 'Bearer', { Authorization: `Bearer ${CI_KEY}` }, 'authorization'],
    ['AUTH-01', 'bearer', { authorization: `bearer ${CI_KEY}` }, 'authorization'],
    ['AUTH-01', 'BEARER, two spaces', { AUTHORIZATION: `BEARER  ${CI_KEY} ` }, 'authorization'],
    ['AUTH-02', 'x-api-key', { 'x-api-key': CI_KEY }, 'x-api-key'],
    ['AUTH-02', 'X-API-KEY', { 'X-API-KEY': CI_KEY }, 'x-api-key'],
    ['AUTH-04', 'anthropic-api-key', { 'Anthropic-Api-Key': CI_KEY }, 'anthropic-api-key'],
    ['AUTH-04', 'ApiKey', { Authorization: `ApiKey ${CI_KEY}` }, 'authorization'],
    ['AUTH-04', 'apikey', { Authorization: `apikey ${CI_KEY}` }, 'authorization'],
  ] as [string, string, Headers, string][])('[%s] %s authenticates', async (_row, _name, headers, source) => {
    const answer = await post(gateway, headers);
    expect(answer.status).toBe(200);
    expect(await recordOf(gateway, answer)).toMatchObject({ key: 'default/ci', credential_source: source });
  });

  test('[AUTH-03] the same value in both places, as apiKeyHelper sends it, is one credential', async () => {
    for (const path of ['/v1/models?limit=1000', '/v1/health']) {
      expect((await get(gateway, path, { ...bearer(CI_KEY), 'x-api-key': CI_KEY })).status).toBe(200);
    }
    expect((await post(gateway, { ...bearer(CI_KEY), 'x-api-key': CI_KEY })).status).toBe(200);
  });

  test.each([
    [{ 'x-api-key': CI_KEY, 'anthropic-api-key': OTHER_KEY, ...bearer(OTHER_KEY) }, 'default/ci', 'x-api-key'],
    [{ ...bearer(OTHER_KEY), 'anthropic-api-key': CI_KEY }, 'default/ci', 'anthropic-api-key'],
    [{ 'x-api-key': ' ', 'anthropic-api-key': '', ...bearer(CI_KEY) }, 'default/ci', 'authorization'],
    [{ 'x-api-key': OTHER_KEY, ...bearer(UNKNOWN) }, 'default/other', 'x-api-key'],
  ] as [Headers, string, string][])(
    '[AUTH-03] different values: the first of x-api-key, anthropic-api-key, Authorization (%#)',
    async (headers, key, source) => {
      const answer = await post(gateway, headers);
      expect(answer.status).toBe(200);
      expect(await recordOf(gateway, answer)).toMatchObject({ key, credential_source: source });
    },
  );

  test('[AUTH-03] a wrong value in the first place is not made good by a right one further down', async () => {
    const answer = await post(gateway, { 'x-api-key': UNKNOWN, ...bearer(CI_KEY) });
    expectUnauthenticated(answer);
    expect(await recordOf(gateway, answer)).toMatchObject({ credential_source: 'x-api-key', reason: 'unknown_key' });
  });

  test('[AUTH-21] a key, a base URL and nothing else make a call', async () => {
    const answer = await send(gateway.url, {
      path: '/v1/messages',
      headers: ['Authorization', `Bearer ${CI_KEY}`],
      body: messageBody(),
    });
    expect(answer.status).toBe(200);
    expect(mock.received()).toBe(before + 1);
  });

  test('[AUTH-09] an imported key of another gateway works unchanged, in either place', async () => {
    for (const headers of [bearer(IMPORTED), { 'x-api-key': IMPORTED }]) {
      expect((await post(gateway, headers)).status).toBe(200);
    }
  });
});

describe('refusals', () => {
  const hints: [rows: string, name: string, headers: Headers, reason: string, message: RegExp][] = [
    ['AUTH-11', 'nothing', {}, 'missing_credential', /credential is missing: set ANTHROPIC_AUTH_TOKEN/],
    ['AUTH-11', 'empty values', { ...bearer(''), 'x-api-key': '' }, 'empty_credential', /output of apiKeyHelper/],
    ['AUTH-11', 'a bare scheme', { Authorization: 'Bearer' }, 'empty_credential', /credential is empty/],
    ['AUTH-11', 'an unknown key', bearer(UNKNOWN), 'unknown_key', /not valid here/],
    [
      'AUTH-11',
      'a value of another shape',
      bearer('something-else-entirely-1234'),
      'unknown_key',
      /keys start with sk-pc-/,
    ],
    ['AUTH-11', 'a key cut short', bearer(CI_KEY.slice(0, -1)), 'unknown_key', /mistyped/],
    ['AUTH-11', 'a key in another case', bearer(CI_KEY.toUpperCase()), 'unknown_key', /gateway/],
    ['AUTH-11', 'two keys in one header', bearer(`${CI_KEY}, ${OTHER_KEY}`), 'unknown_key', /gateway key/],
    ['AUTH-11', 'a value of 5,000 characters', bearer('a'.repeat(5_000)), 'unknown_key', /not a key of this gateway/],
    [
      'AUTH-06',
      'a JWT of an unknown issuer',
      bearer('eyJhbGciOiJub25lIn0.eyJpc3MiOiJldmlsIn0.'),
      'unknown_token',
      /no issuer this gateway knows/,
    ],
    [
      'AUTH-36',
      'a claude.ai login',
      bearer('sk-ant-oat01-abcdefghijklmnop'),
      'claude_login',
      /claude\.ai login.*set ANTHROPIC_AUTH_TOKEN.*\/logout/,
    ],
    [
      'ERR-15',
      'an AWS signature',
      { Authorization: 'AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/bedrock/aws4_request' },
      'aws_signature',
      /CLAUDE_CODE_SKIP_BEDROCK_AUTH=1/,
    ],
    [
      'ERR-15',
      'a Google token',
      bearer('ya29.a0AfH6SMBxyz0123456789'),
      'google_token',
      /CLAUDE_CODE_SKIP_VERTEX_AUTH=1/,
    ],
    ['ERR-15', 'a key without a scheme', { Authorization: CI_KEY }, 'missing_scheme', /needs a scheme/],
    [
      'ERR-15',
      'a scheme of another kind',
      { Authorization: `Basic ${CI_KEY}` },
      'unknown_scheme',
      /must use the scheme Bearer/,
    ],
    ['ERR-15', 'a key in the header of Azure', { 'api-key': CI_KEY }, 'wrong_header', /not api-key/],
    ['ERR-15', 'a key in the header of Google', { 'X-Goog-Api-Key': CI_KEY }, 'wrong_header', /not x-goog-api-key/],
    [
      'ERR-16',
      'an Anthropic key of their own',
      { 'x-api-key': 'sk-ant-api03-own-0123456789' },
      'provider_key',
      /key of your own, which the gateway does not forward/,
    ],
  ];

  test.each(hints)('[%s] [ERR-02] %s', async (_row, _name, headers, reason, message) => {
    for (const answer of [await post(gateway, headers), await get(gateway, '/v1/models', headers)]) {
      expectUnauthenticated(answer);
      expect(errorOf(answer).error.message).toMatch(message);
      expect(await recordOf(gateway, answer)).toMatchObject({ reason, status: 401, event: 'access.denied' });
    }
  });

  test('[AUTH-36] [ERR-16] a login or key of their own beside a gateway key stays here', async () => {
    const own = 'sk-ant-oat01-own-login-0123456789';
    const answer = await post(gateway, { 'x-api-key': CI_KEY, ...bearer(own), 'anthropic-note': `x ${own}` });
    expect(answer.status).toBe(200);
    expect(mock.requests.at(-1)!.rawHeaders.join('\n')).not.toContain(own);
  });

  test('[ERR-15] a base URL that ends in /v1 works instead of failing', async () => {
    for (const path of ['/v1/v1/messages', '//v1/messages']) {
      expect((await post(gateway, bearer(CI_KEY), messageBody(), path)).status).toBe(200);
    }
  });

  test('a refusal comes before the body: nothing of it need arrive', async () => {
    const answer = await send(gateway.url, {
      path: '/v1/messages',
      headers: ['Authorization', `Bearer ${UNKNOWN}`, 'Transfer-Encoding', 'chunked'],
    });
    expectUnauthenticated(answer);
  });
});

describe('paths', () => {
  const open = ['GET /healthz', 'HEAD /healthz', 'GET /readyz', 'GET /health', 'HEAD /api/hello'];
  test.each(open)('[AUTH-27] %s needs no credential', async (line) => {
    const [method, path] = line.split(' ') as [string, string];
    expect((await get(gateway, path, {}, method)).status).toBe(200);
  });

  const closed = [
    'GET /',
    'GET /v1/models',
    'GET /v1/models/claude-opus-5-5',
    'GET /v1/health',
    'GET /metrics',
    'GET /protocol',
    'GET /api/hello',
    'POST /api/hello',
    'POST /v1/messages',
    'POST /v1/messages/count_tokens',
    'POST /v1/messages/batches',
    'GET /v1/files',
    'OPTIONS /v1/messages',
    'DELETE /healthz',
    'POST /healthz',
    'GET /healthz/',
    'GET /HEALTHZ',
    'GET /healthz/../v1/models',
    'GET /healthz%2f..%2fv1/models',
    'GET /%68ealthz',
    'GET /healthz;x',
    'GET /unknown',
    'GET /%zz',
    'PROPFIND /v1/models',
    'GET http://other.test/v1/models',
    'GET /v1/models?/healthz',
    'GET /.well-known/openid-configuration',
  ];
  test.each(closed)('[AUTH-27] %s is 401 without one', async (line) => {
    const [method, path] = line.split(' ') as [string, string];
    expectUnauthenticated(await get(gateway, path, {}, method));
  });

  test.each(['/v1/models', '/v1/health'])(
    '[AUTH-25] [AUTH-26] %s tells a valid credential from an invalid one',
    async (path) => {
      for (const headers of [bearer(CI_KEY), { 'x-api-key': CI_KEY }]) {
        expect((await get(gateway, path, headers)).status).toBe(200);
      }
      for (const headers of [{}, bearer(UNKNOWN), { 'x-api-key': UNKNOWN }, { 'x-api-key': PROVIDER_KEY }]) {
        expectUnauthenticated(await get(gateway, path, headers));
      }
    },
  );
});

describe('no secret but a key is a credential, and a key administers nothing', () => {
  const pepper = 'pepper'.repeat(8);
  test.each([
    ["the provider's key", PROVIDER_KEY],
    ['the pepper', pepper],
    ['the stored hash of a key', createHmac('sha256', pepper).update(CI_KEY).digest('hex')],
    ['the name of a key', 'default/ci'],
    ['the shown prefix of a key', 'sk-pc-ci'],
    ['the request id of a call', '00000000-0000-4000-8000-000000000000'],
  ])('[AUTH-38] %s', async (_name, value) => {
    expectUnauthenticated(await post(gateway, bearer(value)));
    expectUnauthenticated(await post(gateway, { 'x-api-key': value }));
  });

  test('[AUTH-38] an inference key gets no success on paths of administration, whatever the method', async () => {
    const paths = [
      '/v1/organizations/spend_limits',
      '/v1/organizations/spend_limits/effective',
      '/v1/organizations/api_keys',
      '/admin',
      '/admin/keys',
      '/v1/keys',
      '/key/generate',
      '/key/info',
      '/user/new',
      '/model/new',
      '/config',
      '/config/update',
      '/metrics',
      '/debug',
      '/debug/pprof/',
      '/reload',
      '/shutdown',
      '/user/bootstrap',
      '/managed/settings',
      '/v1/virtual_keys',
    ];
    for (const path of paths) {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        const answer = await get(gateway, path, { 'x-api-key': CI_KEY }, method);
        expect([path, answer.status]).toEqual([path, 404]);
      }
    }
  });
});

describe('the credential goes no further', () => {
  test('[AUTH-32] it is removed from every place, and other headers that hold it are dropped', async () => {
    const headers = headersWith({
      Authorization: `Bearer ${CI_KEY}`,
      'x-api-key': CI_KEY,
      'anthropic-api-key': CI_KEY,
      Cookie: `session=${CI_KEY}`,
      'x-portcullis-key': CI_KEY,
      'Proxy-Authorization': `Bearer ${CI_KEY}`,
      'anthropic-note': `key=${CI_KEY};`,
      'x-stainless-note': CI_KEY,
      'User-Agent': `tool/${CI_KEY}`,
    });
    const answer = await send(gateway.url, {
      path: `/v1/messages?beta=true&key=${CI_KEY}`,
      headers,
      body: turn({ stream: false }),
    });
    expect(answer.status).toBe(200);
    const last = mock.requests.at(-1)!;
    expect(`${last.url}\n${last.rawHeaders.join('\n')}`).not.toContain(CI_KEY);
    expect(last.headers['x-api-key']).toBe(PROVIDER_KEY);
    expect(Object.keys(last.headers)).not.toEqual(expect.arrayContaining(['authorization']));
    expect(last.headers.cookie).toBeUndefined();
    expect(last.headers['anthropic-version']).toBe('2023-06-01');
  });

  test('[AUTH-32] neither does a second one that did not count', async () => {
    const headers = {
      'x-api-key': CI_KEY,
      ...bearer(OTHER_KEY),
      'anthropic-note': OTHER_KEY,
      'anthropic-api-key': IMPORTED,
      'x-stainless-note': `a ${IMPORTED}`,
    };
    expect((await post(gateway, headers, messageBody(), `/v1/messages?also=${OTHER_KEY}`)).status).toBe(200);
    const last = mock.requests.at(-1)!;
    const sent = `${last.url}\n${last.rawHeaders.join('\n')}`;
    for (const key of [CI_KEY, OTHER_KEY, IMPORTED]) expect(sent).not.toContain(key);
  });

  test('a short value in a place that does not count takes no other header with it', async () => {
    const answer = await post(gateway, { 'x-api-key': CI_KEY, ...bearer('2'), 'anthropic-version': '2023-06-01' });
    expect(answer.status).toBe(200);
    expect(mock.requests.at(-1)!.headers['anthropic-version']).toBe('2023-06-01');
  });

  test('[AUDIT-08] no record, log line, metric or refusal repeats a credential, at level debug', async () => {
    gateway.log.level = 'debug';
    const secrets = [
      CI_KEY,
      OTHER_KEY,
      UNKNOWN,
      PROVIDER_KEY,
      'sk-ant-oat01-planted-login-0123456789',
      'planted-cookie-0123456789',
    ];
    const answers: Answer[] = [];
    for (const secret of secrets) {
      const everywhere = {
        ...bearer(secret),
        'x-claude-code-session-id': secret,
        'x-client-request-id': secret.replaceAll(/[^\w-]/g, ''),
        Cookie: `s=${secret}`,
        'User-Agent': secret,
      };
      answers.push(await post(gateway, everywhere, messageBody({ model: secret }), `/v1/messages?key=${secret}`));
      answers.push(await get(gateway, `/v1/models/${secret}`, everywhere));
      answers.push(await get(gateway, `/${secret}`, everywhere));
      // The second place: a credential that did not count is one all the same.
      answers.push(
        await post(gateway, { ...everywhere, 'x-api-key': CI_KEY }, messageBody({ model: secret }), `/${secret}`),
      );
    }
    for (const answer of answers) await recordOf(gateway, answer);
    const metrics = await (await fetch(gateway.metricsUrl)).text();
    const said = answers.map(({ body, headers }) => body.toString() + JSON.stringify(headers)).join('\n');
    const all = [...gateway.written, metrics, said].join('\n');
    for (const secret of secrets) expect(all).not.toContain(secret);
  });
});

test('[AUTH-11] refusals are worded for the person: one sentence each, no stack, no internals', async () => {
  expect(refusalOf(await post(gateway, bearer(UNKNOWN)))).toBe(
    '401 authentication_error: this gateway key is not valid here: it may belong to another gateway, be deleted or be mistyped',
  );
});
