// Regions, locations, projects and accounts that clients name: held against the caller's policies, and choosing nothing.
import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { NAMESPACE, object, policy, upstream, withObjects, type Resources } from '../harness/gateway.ts';
import { recordOf } from './caller.ts';
import { ask, BEDROCK_MODEL, EVERY_DIALECT, everyDialect, formatOf, VERTEX_MODEL, wordsOf } from './dialects.ts';
import type { Answer } from './http-client.ts';
import { startScene } from './scene.ts';

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
/** Nobody asks for a token with it here. */
const ACCOUNT = JSON.stringify({
  type: 'service_account',
  project_id: 'theirs-1',
  private_key_id: '1',
  private_key: privateKey,
  client_email: 'nobody@theirs-1.iam.gserviceaccount.com',
  client_id: '1',
  token_uri: 'http://127.0.0.1:9/token',
});

/** One upstream in Europe for everyone, and a Vertex project of another team. */
function europe(url: string): Resources {
  const vertex = object('Upstream', 'theirs', {
    provider: 'Vertex',
    baseUrl: 'http://127.0.0.1:9',
    region: 'europe-west1',
    vertex: {
      project: 'theirs-1',
      location: 'europe-west1',
      auth: { type: 'ServiceAccountKey', serviceAccountKey: { name: 'vertex', key: 'account' } },
    },
  });
  const bounded = policy('everyone', {
    match: { everyone: {} },
    models: { allow: ['claude-*'] },
    upstreams: { names: ['anthropic'], regions: ['eu-*', 'europe-*'] },
  });
  return withObjects(
    everyDialect(url, { dialects: EVERY_DIALECT }),
    [upstream('anthropic', url, { region: 'eu-central-1' }), vertex, bounded],
    { [`${NAMESPACE}/vertex`]: { account: ACCOUNT } },
  );
}

const { mock, gateway } = await startScene(europe);

let before = 0;

beforeEach(() => {
  before = mock.received();
});

const vertex = (project: string, location: string): Promise<Answer> => {
  const path = `/v1/projects/${project}/locations/${location}/publishers/anthropic/models/${VERTEX_MODEL}:rawPredict`;
  return ask(gateway, path, formatOf('Vertex').body(false));
};
const bedrock = (id: string): Promise<Answer> =>
  ask(gateway, `/model/${encodeURIComponent(id)}/invoke`, formatOf('Bedrock').body(false));

describe('locations of Vertex', () => {
  test.each(['europe-west1', 'EUROPE-WEST4', 'global'])('[XLAT-18] [AUTHZ-14] %s is served', async (location) => {
    expect((await vertex('anyones', location)).status).toBe(200);
  });

  test.each(['us-east5', 'us', 'asia-southeast1', '*', 'x%2Feurope-west1'])(
    '[XLAT-18] [AUTHZ-14] %s is refused, and the message says what to set',
    async (location) => {
      const answer = await vertex('anyones', location);
      expect(answer.status).toBe(403);
      expect(wordsOf('Vertex', answer)).toMatch(/CLOUD_ML_REGION to global or .*one of eu-\*, europe-\*/);
      expect(await recordOf(gateway, answer)).toMatchObject({ reason: 'region', rule: 'default/everyone' });
      expect(mock.received()).toBe(before);
    },
  );

  test('[XLAT-18] [AUTHZ-14] a count is held to the same', async () => {
    const { countBody } = formatOf('Vertex');
    const path = (location: string) =>
      `/v1/projects/p/locations/${location}/publishers/anthropic/models/count-tokens:rawPredict`;
    expect((await ask(gateway, path('us-east5'), countBody())).status).toBe(403);
    expect((await ask(gateway, path('europe-west1'), countBody())).status).toBe(200);
  });
});

describe('projects of Vertex', () => {
  test('[XLAT-18] [AUTHZ-12] one behind an upstream that the caller may not use is refused, without a word on it', async () => {
    const answer = await vertex('theirs-1', 'europe-west1');
    expect(answer.status).toBe(403);
    expect(wordsOf('Vertex', answer)).toMatch(/your policy does not allow the project/);
    expect(answer.body.toString()).not.toMatch(/theirs/);
    expect(mock.received()).toBe(before);
  });

  test('[XLAT-18] any other decides nothing', async () => {
    expect((await vertex('nobodys', 'europe-west1')).status).toBe(200);
    expect((await vertex('theirs-10', 'europe-west1')).status).toBe(200);
  });
});

describe('regions in ARNs', () => {
  const arn = (region: string, account = '111122223333'): string =>
    `arn:aws:bedrock:${region}:${account}:inference-profile/${BEDROCK_MODEL}`;

  test('[XLAT-16] [AUTHZ-14] within the policy, or nowhere, they are served', async () => {
    for (const id of [arn('eu-west-1'), arn(''), arn('', ''), BEDROCK_MODEL]) {
      expect([id, (await bedrock(id)).status]).toEqual([id, 200]);
    }
  });

  test('[XLAT-16] [AUTHZ-14] outside of it they are refused, in the format of the client', async () => {
    const answer = await bedrock(arn('us-east-1'));
    expect(answer.status).toBe(403);
    expect(answer.headers['x-amzn-errortype']).toBe('AccessDeniedException');
    expect(wordsOf('Bedrock', answer)).toMatch(/region us-east-1: name the model by its id alone/);
    expect(mock.received()).toBe(before);
  });

  test.each([
    arn('us-east-1'),
    `bedrock/${arn('us-east-1')}`,
    encodeURIComponent(arn('us-east-1')),
    `bedrock/us-east-1/${BEDROCK_MODEL}`,
    `Bedrock/invoke/US-EAST-1/${BEDROCK_MODEL}`,
  ])('[AUTHZ-14] so they are as the model of a body: %s', async (model) => {
    for (const path of ['/v1/messages', '/foundry/v1/messages']) {
      const answer = await ask(gateway, path, { ...formatOf('Anthropic').body(false), model });
      expect(answer.status).toBe(403);
    }
    expect(mock.received()).toBe(before);
  });

  test('[AUTHZ-14] and resource names of Vertex', async () => {
    const name = (location: string) => `projects/p/locations/${location}/publishers/anthropic/models/${VERTEX_MODEL}`;
    const body = formatOf('Anthropic').body(false);
    expect((await ask(gateway, '/v1/messages', { ...body, model: name('us-east5') })).status).toBe(403);
    expect((await ask(gateway, '/v1/messages', { ...body, model: name('europe-west1') })).status).toBe(200);
  });
});

test('[AUTHZ-12] the geography of a model id is part of its name: the upstreams of the policy serve it', async () => {
  const answer = await bedrock('us.anthropic.claude-sonnet-4-5-20250929-v1:0');
  expect(answer.status).toBe(200);
  expect(await recordOf(gateway, answer)).toMatchObject({ upstream: 'default/anthropic' });
});
