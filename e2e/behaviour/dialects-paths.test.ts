// Paths of every client format: prefixes, forgiven spellings, ids in every encoding, and what no spelling may do.
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { startGateway } from '../harness/gateway.ts';
import { get, recordOf } from './caller.ts';
import { ask, BEDROCK_MODEL, CANONICAL, everyDialect, FORMATS, formatOf, VERTEX_MODEL } from './dialects.ts';
import { send } from './http-client.ts';
import { startScene } from './scene.ts';

const { mock, gateway } = await startScene((url) => everyDialect(url, { pathPrefixes: ['/team-a', '/team'] }));

let before = 0;

beforeEach(() => {
  before = mock.received();
});

const asked = (): string => (JSON.parse(mock.requests.at(-1)!.body.toString()) as { model: string }).model;
const MODELS = '/publishers/anthropic/models';
const BODIES = {
  Anthropic: formatOf('Anthropic').body(false),
  Bedrock: formatOf('Bedrock').body(false),
  Vertex: formatOf('Vertex').body(false),
  Foundry: formatOf('Foundry').body(false),
  ClaudePlatformAWS: formatOf('ClaudePlatformAWS').body(false),
};

describe('prefixes', () => {
  test.each<[keyof typeof BODIES, string]>([
    ['Anthropic', '/claude/v1/messages'],
    ['Anthropic', '/claude//v1/messages'],
    ['Anthropic', '/claude/v1/v1/messages'],
    ['Anthropic', '//claude/v1/messages'],
    ['Anthropic', '/bedrock/anthropic/v1/messages'],
    ['Anthropic', '/team/v1/messages'],
    ['Anthropic', '/team-a/v1/messages'],
    ['Anthropic', '/team-a/claude/v1/messages'],
    ['Anthropic', '/team-a//v1/v1/messages'],
    ['Bedrock', `/model/${BEDROCK_MODEL}/invoke`],
    ['Bedrock', `//model/${BEDROCK_MODEL}/invoke`],
    ['Bedrock', `/bedrock/model/${BEDROCK_MODEL}/invoke`],
    ['Bedrock', `/bedrock//model/${BEDROCK_MODEL}/invoke`],
    ['Bedrock', `/bedrock/v1/model/${BEDROCK_MODEL}/invoke`],
    ['Bedrock', `/v1/v1/model/${BEDROCK_MODEL}/invoke`],
    ['Bedrock', `/team/bedrock/model/${BEDROCK_MODEL}/invoke/`],
    ['Vertex', `/v1/projects/p/locations/global${MODELS}/${VERTEX_MODEL}:rawPredict`],
    ['Vertex', `/projects/p/locations/global${MODELS}/${VERTEX_MODEL}:rawPredict`],
    ['Vertex', `/vertex/v1/projects/p/locations/global${MODELS}/${VERTEX_MODEL}:rawPredict`],
    ['Vertex', `/vertex/projects/p/locations/global${MODELS}/${VERTEX_MODEL}:rawPredict`],
    ['Vertex', `/vertex/v1//projects/p/locations/global${MODELS}/${VERTEX_MODEL}:rawPredict`],
    ['Vertex', `/vertex/v1/v1/projects/p/locations/global${MODELS}/${VERTEX_MODEL}:rawPredict`],
    ['Vertex', `/team-a/vertex/v1/projects/p/locations/global${MODELS}/${VERTEX_MODEL}:rawPredict`],
    ['Foundry', '/foundry/v1/messages'],
    ['Foundry', '/foundry//v1/messages'],
    ['Foundry', '/foundry/v1/v1/messages'],
    ['Foundry', '/foundry/anthropic/v1/messages'],
    ['Foundry', '/anthropic/v1/messages'],
    ['Foundry', '/team-a/foundry/v1/messages?api-version=2026-01-01&beta=true'],
    ['ClaudePlatformAWS', '/anthropic-aws/v1/messages'],
    ['ClaudePlatformAWS', '/anthropic-aws//v1//v1/messages'],
    ['ClaudePlatformAWS', '/team-a//anthropic-aws/v1/messages'],
  ])('[ROUTE-18] [ROUTE-19] %s: %s', async (dialect, path) => {
    const answer = await ask(gateway, path, BODIES[dialect]);
    expect(answer.status).toBe(200);
    expect(asked()).toBe(CANONICAL);
    expect(await recordOf(gateway, answer)).toMatchObject({ dialect });
  });

  test('[ROUTE-18] the small paths of clients are behind them too', async () => {
    for (const [method, path] of [
      ['HEAD', '/claude/api/hello'],
      ['GET', '/team-a/healthz'],
      ['GET', '/bedrock/inference-profiles?type=SYSTEM_DEFINED'],
    ] as const) {
      expect([path, (await get(gateway, path, {}, method)).status]).toEqual([path, 200]);
    }
    for (const path of ['/claude/v1/models?limit=1000', '/foundry/v1/models', '/anthropic-aws/v1/models']) {
      expect([path, (await ask(gateway, path, undefined, { method: 'GET' })).status]).toEqual([path, 200]);
    }
  });

  test('[ROUTE-18] only what stands before a path is one, once, and nothing reaches past it', async () => {
    for (const path of [
      '/teams/v1/messages',
      '/team-b/v1/messages',
      '/team-a/team-a/v1/messages',
      '/claude/claude/v1/messages',
      '/claudev1/messages',
      '/Claude/v1/messages',
      '/claude/../v1/messages',
      '/%63laude/v1/messages',
      '/claude',
      '/claude?/v1/messages',
      '/foundry/model/x/invoke',
      '/anthropic-aws',
    ]) {
      expect([path, (await ask(gateway, path, BODIES.Anthropic)).status]).toEqual([path, 404]);
    }
    expect(mock.received()).toBe(before);
  });

  test('[ROUTE-18] a prefix of the platform team that is the place of a format serves who is served', async () => {
    const dialects = ['Anthropic', 'ClaudePlatformAWS'];
    const own = await startGateway(everyDialect(mock.url, { dialects, pathPrefixes: ['/foundry', '/anthropic-aws'] }));
    try {
      for (const [path, dialect] of [
        ['/foundry/v1/messages', 'Anthropic'],
        ['/anthropic-aws/v1/messages', 'ClaudePlatformAWS'],
      ] as const) {
        const answer = await ask(own, path, BODIES.Anthropic);
        expect(answer.status).toBe(200);
        expect(await recordOf(own, answer)).toMatchObject({ dialect });
      }
    } finally {
      await own.close();
    }
  });

  test('[ROUTE-19] the query goes along as the format has it', async () => {
    for (const [path, url] of [
      ['/claude/v1/messages?beta=true&x=//v1/v1', '/v1/messages?beta=true&x=//v1/v1'],
      ['/foundry/v1/messages?api-version=1&beta=true', '/v1/messages?beta=true'],
      ['/anthropic-aws/v1/messages?beta=true', '/v1/messages?beta=true'],
      ['/anthropic-aws/v1/messages?x=1', '/v1/messages'],
    ] as const) {
      expect((await ask(gateway, path, BODIES.Anthropic)).status).toBe(200);
      expect(mock.requests.at(-1)!.url).toBe(url);
    }
    expect((await ask(gateway, `/model/${BEDROCK_MODEL}/invoke?x=1`, BODIES.Bedrock)).status).toBe(200);
    expect(mock.requests.at(-1)!.url).toBe('/v1/messages');
  });
});

describe('ids in Bedrock paths', () => {
  const arn = `arn:aws:bedrock:us-east-1:111122223333:inference-profile/${BEDROCK_MODEL}`;

  test.each([
    BEDROCK_MODEL,
    encodeURIComponent(BEDROCK_MODEL),
    'anthropic.claude-sonnet-4-5-20250929-v1:0',
    'global.anthropic.claude-sonnet-4-5-20250929-v1%3A0',
    arn.replaceAll('/', '%2F'),
    encodeURIComponent(arn),
    encodeURIComponent(arn).toLowerCase(),
    arn,
    CANONICAL,
  ])('[XLAT-16] %s', async (id) => {
    const answer = await ask(gateway, `/model/${id}/invoke`, BODIES.Bedrock);
    expect(answer.status).toBe(200);
    expect(asked()).toBe(CANONICAL);
  });

  test.each([
    ['%252e%252e', 400],
    [encodeURIComponent(encodeURIComponent(arn)), 400],
    ['%zz', 400],
    ['%00', 400],
    ['claude%0a', 400],
    ['..%2f..%2fv1%2fmessages', 400],
    ['../../v1/messages', 404],
    ['a/b', 404],
    ['', 404],
    ['x'.repeat(400), 400],
  ])('[XLAT-16] %s names nothing: %i', async (id, status) => {
    expect((await ask(gateway, `/model/${id}/invoke`, BODIES.Bedrock)).status).toBe(status);
    expect(mock.received()).toBe(before);
  });

  test.each(['converse', 'converse-stream', 'async-invoke', 'INVOKE', 'invoke/x', ''])(
    '[XLAT-16] /model/{id}/%s is not offered, and what is stands in the answer',
    async (action) => {
      const answer = await ask(gateway, `/model/${BEDROCK_MODEL}/${action}`, BODIES.Bedrock);
      expect(answer.status).toBe(404);
      expect(answer.body.toString()).toContain('invoke-with-response-stream');
    },
  );
});

describe('ids in Vertex paths', () => {
  const at = (rest: string): string => `/v1/projects/p/locations/us-east5${rest}`;

  test.each([VERTEX_MODEL, encodeURIComponent(VERTEX_MODEL), CANONICAL, 'claude-sonnet-4-5'])(
    '[XLAT-18] %s',
    async (id) => {
      expect((await ask(gateway, at(`${MODELS}/${id}:rawPredict`), BODIES.Vertex)).status).toBe(200);
      expect((await ask(gateway, at(`${MODELS}/${id}%3ArawPredict`), BODIES.Vertex)).status).toBe(200);
      expect(asked()).toBe(id === 'claude-sonnet-4-5' ? id : CANONICAL);
    },
  );

  test.each([
    [at(`${MODELS}/${VERTEX_MODEL}:predict`), 404],
    [at(`${MODELS}/${VERTEX_MODEL}:streamrawpredict`), 404],
    [at(`${MODELS}/${VERTEX_MODEL}`), 404],
    [at(`${MODELS}/:rawPredict`), 404],
    [at(`${MODELS}/a/b:rawPredict`), 404],
    [at('/publishers/google/models/gemini:rawPredict'), 404],
    [at('/endpoints/1:rawPredict'), 404],
    ['/v1/projects/p/locations/', 404],
    ['/v1/projects//locations/l/publishers/anthropic/models/m:rawPredict', 404],
    [at(`${MODELS}/..%2f..%2fx:rawPredict`), 400],
    [at(`${MODELS}/%2525:rawPredict`), 400],
    [`/v1/projects/%2500/locations/l${MODELS}/${VERTEX_MODEL}:rawPredict`, 400],
  ])('[XLAT-18] %s: %i', async (path, status) => {
    expect((await ask(gateway, path, BODIES.Vertex)).status).toBe(status);
    expect(mock.received()).toBe(before);
  });
});

test('[XLAT-19] whatever is made of a path, the answer is JSON and no upstream is asked without a key', async () => {
  const piece = fc.constantFrom(
    '/', '//', '/v1', '/model', '/projects', '/p', '/locations', '/l', MODELS, `/${VERTEX_MODEL}`, ':rawPredict',
    `/${BEDROCK_MODEL}`, '/invoke', '/count-tokens', '/bedrock', '/vertex', '/foundry', '/anthropic', '/anthropic-aws', '/claude',
    '/messages', '/..', '/%2e%2e', '%2f', '%', '?', '#', ':', '/inference-profiles', '/team-a', '\\', ';',
  ); // prettier-ignore
  const path = fc.array(piece, { minLength: 1, maxLength: 9 }).map((pieces) => `/${pieces.join('')}`);
  await fc.assert(
    fc.asyncProperty(path, fc.constantFrom('GET', 'POST', 'PUT'), async (each, method) => {
      const answer = await send(gateway.url, { method, path: each.replaceAll('#', ''), headers: [], body: '{}' });
      expect([200, 400, 401, 404]).toContain(answer.status);
      expect(answer.headers['content-type']).toBe('application/json');
      JSON.parse(answer.body.toString());
      expect(answer.status === 200 && method !== 'GET').toBe(false);
    }),
    { numRuns: 400 },
  );
  expect(mock.received()).toBe(before);
});

test('[API-11] no path of any format is answered with a redirect', async () => {
  for (const { plain, stream, count } of FORMATS) {
    for (const path of [plain, stream, count, `${plain}/`, `/${plain}`]) {
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        const answer = await ask(gateway, path, '{}', { method });
        expect(answer.status >= 300 && answer.status < 400).toBe(false);
        expect(answer.headers.location).toBeUndefined();
      }
    }
  }
});
