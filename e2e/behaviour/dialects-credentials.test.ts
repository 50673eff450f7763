// Credentials in every client format: where a key may stand, what users of the cloud's own credentials are told, and what is answered to
// clients that send none.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Dialect } from '#shared/bundle/bundle.ts';
import { CI_KEY, PROVIDER_KEY } from '../harness/gateway.ts';
import { get, recordOf } from './caller.ts';
import { ask, BEDROCK_MODEL, everyDialect, FORMATS, formatOf, wordsOf } from './dialects.ts';
import { send, type Answer } from './http-client.ts';
import { metric } from './routing.ts';
import { startScene } from './scene.ts';

const { mock, gateway } = await startScene(everyDialect);

let before = 0;

beforeEach(() => {
  before = mock.received();
});

/** A message with these headers only. */
function withHeaders(dialect: Dialect, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const format = formatOf(dialect);
  const lines = ['Content-Type', 'application/json', ...Object.entries(headers).flat()];
  return send(gateway.url, { path: format.plain, headers: lines, body: format.body(false) });
}

const SIGV4 =
  'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261121/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7';
const GOOGLE = 'ya29.a0AfB_byC0123456789abcdefghij';
const JWT = 'eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodHRwczovL2V4YW1wbGUifQ.c2lnbmF0dXJl';

describe.each(FORMATS)('$dialect', ({ dialect }) => {
  test.each<[string, Record<string, string>, string]>([
    ['Bearer', { Authorization: `Bearer ${CI_KEY}` }, 'authorization'],
    ['x-api-key', { 'x-api-key': CI_KEY }, 'x-api-key'],
    ['both, with the same value', { Authorization: `Bearer ${CI_KEY}`, 'x-api-key': CI_KEY }, 'x-api-key'],
    // As ANTHROPIC_CUSTOM_HEADERS adds it to what the client signs all the same.
    ['x-api-key beside an AWS signature', { Authorization: SIGV4, 'x-api-key': CI_KEY }, 'x-api-key'],
    ['x-api-key beside a Google token', { Authorization: `Bearer ${GOOGLE}`, 'x-api-key': CI_KEY }, 'x-api-key'],
  ])('[AUTH-28] [AUTH-29] [AUTH-30] a key in %s', async (_name, headers, source) => {
    const answer = await withHeaders(dialect, headers);
    expect(answer.status).toBe(200);
    expect(await recordOf(gateway, answer)).toMatchObject({ credential_source: source, key: 'default/ci' });
    const sent = mock.requests.at(-1)!.rawHeaders.join('\n');
    for (const secret of [CI_KEY, 'Signature=', GOOGLE]) expect(sent).not.toContain(secret);
    expect(sent).toContain(PROVIDER_KEY);
  });

  test('[AUTH-30] api-key counts where SDKs of Azure have it, and nowhere else', async () => {
    const answer = await withHeaders(dialect, { 'api-key': CI_KEY });
    const said = answer.status === 200 ? 'served' : wordsOf(dialect, answer);
    expect(said).toMatch(dialect === 'Foundry' ? /^served$/ : /not api-key/);
  });

  test('[ERR-15] an Anthropic key of the user is told apart', async () => {
    const answer = await withHeaders(dialect, { 'x-api-key': 'sk-ant-api03-of-the-user-0123456789' });
    expect(answer.status).toBe(401);
    expect(wordsOf(dialect, answer)).toMatch(/an Anthropic key of your own/);
  });
});

const SKIP: Readonly<Record<string, RegExp>> = {
  Anthropic: /CLAUDE_CODE_SKIP_(?:BEDROCK|VERTEX)_AUTH=1/,
  Bedrock: /CLAUDE_CODE_SKIP_BEDROCK_AUTH=1/,
  Vertex: /CLAUDE_CODE_SKIP_VERTEX_AUTH=1/,
  Foundry: /CLAUDE_CODE_SKIP_FOUNDRY_AUTH=1/,
  ClaudePlatformAWS: /CLAUDE_CODE_SKIP_ANTHROPIC_AWS_AUTH=1/,
};

describe('credentials of a cloud', () => {
  test.each<[Dialect, string, string, string]>([
    ['Bedrock', 'an AWS signature', SIGV4, 'aws_signature'],
    ['ClaudePlatformAWS', 'an AWS signature', SIGV4, 'aws_signature'],
    ['Anthropic', 'an AWS signature', SIGV4, 'aws_signature'],
    ['Bedrock', 'an AWS API key', 'Bearer bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t', 'aws_api_key'],
    ['Vertex', 'a Google token', `Bearer ${GOOGLE}`, 'google_token'],
    ['Vertex', 'a Google identity token', `Bearer ${JWT}`, 'unknown_token'],
    ['Anthropic', 'a Google token', `Bearer ${GOOGLE}`, 'google_token'],
    ['Foundry', 'an Entra token', `Bearer ${JWT}`, 'unknown_token'],
  ])(
    '[AUTH-28] [AUTH-29] [AUTH-30] [ERR-15] %s: %s is 401 and names the flag',
    async (dialect, _name, value, reason) => {
      const answer = await withHeaders(dialect, { Authorization: value });
      expect(answer.status).toBe(401);
      expect(wordsOf(dialect, answer)).toMatch(SKIP[dialect]!);
      expect(wordsOf(dialect, answer)).not.toContain(value.slice(-20));
      expect(answer.headers['x-should-retry']).toBe('false');
      expect(await recordOf(gateway, answer)).toMatchObject({ reason, event: 'access.denied' });
      expect(mock.received()).toBe(before);
    },
  );

  test.each<Dialect>(['Bedrock', 'Vertex', 'Foundry', 'ClaudePlatformAWS'])(
    '[ERR-15] %s: without any, users are told the variables of their own client',
    async (dialect) => {
      const words = wordsOf(dialect, await withHeaders(dialect, {}));
      expect(words).toMatch(dialect === 'Foundry' ? /ANTHROPIC_FOUNDRY_API_KEY/ : SKIP[dialect]!);
    },
  );
});

describe('what Claude Code asks of Bedrock without a credential', () => {
  const profileArn = `arn:aws:bedrock:us-east-1:111122223333:inference-profile/${BEDROCK_MODEL}`;

  test('[XLAT-17] the list of profiles: facts of the catalog, the same for everyone, at once', async () => {
    const started = performance.now();
    const anyone = await get(gateway, '/inference-profiles?type=SYSTEM_DEFINED');
    expect(performance.now() - started).toBeLessThan(3_000);
    const known = await get(gateway, '/bedrock/inference-profiles', { 'x-api-key': CI_KEY });
    expect([anyone.status, known.status]).toEqual([200, 200]);
    expect(known.body.equals(anyone.body)).toBe(true);
    const { inferenceProfileSummaries: profiles } = JSON.parse(anyone.body.toString()) as {
      inferenceProfileSummaries: { inferenceProfileId: string; status: string; models: { modelArn: string }[] }[];
    };
    const ids = profiles.map(({ inferenceProfileId }) => inferenceProfileId);
    expect(ids).toContain('global.anthropic.claude-sonnet-4-5-20250929-v1:0');
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => id.startsWith('global.anthropic.claude-'))).toBe(true);
    expect(mock.received()).toBe(before);
  });

  test.each([
    BEDROCK_MODEL,
    encodeURIComponent(BEDROCK_MODEL),
    encodeURIComponent(profileArn),
    profileArn.replaceAll('/', '%2F'),
  ])('[XLAT-17] the profile %s leads to its model', async (id) => {
    const answer = await get(gateway, `/inference-profiles/${id}`);
    expect(answer.status).toBe(200);
    const profile = JSON.parse(answer.body.toString()) as {
      inferenceProfileId: string;
      models: { modelArn: string }[];
    };
    expect(profile).toMatchObject({ inferenceProfileId: BEDROCK_MODEL, status: 'ACTIVE', type: 'SYSTEM_DEFINED' });
    expect(profile.models[0]!.modelArn.split('/').at(-1)).toBe('anthropic.claude-sonnet-4-5-20250929-v1:0');
    expect(answer.body.toString()).not.toContain('111122223333');
    expect(mock.received()).toBe(before);
  });

  test.each([
    'nobody',
    'us.anthropic.claude-invented-9',
    encodeURIComponent('arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123'),
    '..%2F..%2Fv1%2Fmodels',
    '%252e',
    '',
  ])('[XLAT-17] of the profile %j nothing is known', async (id) => {
    const answer = await get(gateway, `/inference-profiles/${id}`);
    expect([400, 404]).toContain(answer.status);
    expect(wordsOf('Bedrock', answer)).toMatch(/not found|not validly encoded/);
    expect(answer.headers['x-should-retry']).toBe('false');
  });

  test('[AUTH-28] a count is not found, in a way that nobody retries and nobody pays for', async () => {
    const { count, countBody } = formatOf('Bedrock');
    const answer = await send(gateway.url, { path: count, headers: [], body: countBody() });
    expect(answer.status).toBe(404);
    expect(answer.headers).toMatchObject({
      'x-amzn-errortype': 'ResourceNotFoundException',
      'x-should-retry': 'false',
    });
    expect(mock.received()).toBe(before);
    // With a wrong one it is a wrong one.
    const wrong = await send(gateway.url, { path: count, headers: ['x-api-key', `${CI_KEY}x`], body: countBody() });
    expect(wrong.status).toBe(401);
    expect((await ask(gateway, count, countBody())).status).toBe(200);
  });

  test.each([
    ['POST', '/inference-profiles'],
    ['DELETE', `/inference-profiles/${BEDROCK_MODEL}`],
    ['GET', `/model/${BEDROCK_MODEL}/invoke`],
    ['POST', `/model/${BEDROCK_MODEL}/invoke`],
    ['GET', '/inference-profilesx'],
    ['GET', '/v1/projects/p/locations/l/publishers/anthropic/models/m'],
  ])('[AUTH-27] %s %s needs one', async (method, path) => {
    expect((await get(gateway, path, {}, method)).status).toBe(401);
  });

  test('anonymous answers are recorded, and counted under a name of their own', async () => {
    const count = await metric(gateway, 'requests_total', { endpoint: 'inference_profiles' });
    const record = await recordOf(gateway, await get(gateway, '/inference-profiles'));
    expect(record).toMatchObject({ event: 'call', auth_method: 'none', dialect: 'Bedrock', status: 200 });
    expect(await metric(gateway, 'requests_total', { endpoint: 'inference_profiles' })).toBe(count + 1);
  });
});
