// Every kind of credential, through to a provider that checks it: what the gateway exchanges first, and what then goes with the call.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { ANTHROPIC, AWS, AZURE, GOOGLE, LEAKS } from '../harness/providers/accounts.ts';
import { tokenEndpoints, type TokenEndpoints } from '../harness/providers/token-endpoints.ts';
import { recordOf } from './caller.ts';
import { ask, closeCloud, openCloud, received, type CloudScene } from './providers-scene.ts';

beforeEach(() => {
  // The AWS SDK's chain looks at the environment by itself.
  for (const name of Object.keys(process.env).filter((name) => name.startsWith('AWS_'))) vi.stubEnv(name, undefined);
  return () => vi.unstubAllEnvs();
});

let scene: CloudScene;
afterEach(() => closeCloud(scene));

async function passed(family: ProviderFamily, spec: Record<string, unknown>, tokens: TokenEndpoints) {
  scene = await openCloud(family, { spec, openCredentials: tokens.open });
  const answer = await ask(scene);
  expect([answer.status, scene.cloud.refused]).toEqual([200, []]);
  const record = await recordOf(scene.gateway, answer);
  expect(record).toMatchObject({ upstream_credential: expect.stringMatching(/\w/) as string });
  const written = scene.gateway.written.join();
  for (const secret of [...LEAKS, AWS.sessionToken, 'projected-token']) expect(written).not.toContain(secret);
  return received(scene).request;
}

const ref = (key: string) => ({ name: 'mock-clouds', key });
const TOKEN_FILE = '/var/run/secrets/tokens/token';
const { region, workspaceId } = AWS;
const webIdentity = { roleArn: `arn:aws:iam::${AWS.account}:role/gateway`, tokenFile: TOKEN_FILE };
const accessKey = { accessKeyId: ref('aws-id'), secretAccessKey: ref('aws-secret') };

describe('AWS', () => {
  const families: readonly [ProviderFamily, string, Record<string, unknown>, service: string][] = [
    ['Bedrock', 'bedrock', { region }, 'bedrock'],
    ['BedrockMantle', 'bedrockMantle', { region }, 'bedrock-mantle'],
    ['ClaudePlatformAWS', 'claudePlatformAWS', { region, workspaceId }, 'aws-external-anthropic'],
  ];

  test.each(families)(
    '[PROV-06] [PROV-13] %s by web identity: a projected token for a session',
    async (family, member, settings, service) => {
      const tokens = tokenEndpoints();
      const auth = { type: 'WebIdentity', webIdentity };
      const { headers } = await passed(family, { [member]: { ...settings, auth } }, tokens);
      expect(headers.authorization).toContain(`/${region}/${service}/aws4_request`);
      expect(headers['x-amz-security-token']).toBe(AWS.sessionToken);
      expect(tokens.files).toEqual([TOKEN_FILE]);
      expect(Object.fromEntries(new URLSearchParams(tokens.asked[0]!.body))).toMatchObject({
        Action: 'AssumeRoleWithWebIdentity',
        RoleArn: webIdentity.roleArn,
        WebIdentityToken: 'projected-token',
      });
    },
  );

  test('[PROV-08] a role with its external id, in a session that names the caller', async () => {
    const tokens = tokenEndpoints();
    const assumeRole = {
      roleArn: 'arn:aws:iam::444455556666:role/claude',
      externalId: 'ext-42',
      sessionName: 'pc-{user}',
    };
    const auth = { type: 'AccessKey', accessKey, assumeRole };
    const { headers } = await passed('Bedrock', { bedrock: { region, auth } }, tokens);
    expect(headers['x-amz-security-token']).toBe(AWS.sessionToken);
    expect(Object.fromEntries(new URLSearchParams(tokens.asked.at(-1)!.body))).toMatchObject({
      Action: 'AssumeRole',
      RoleArn: assumeRole.roleArn,
      ExternalId: 'ext-42',
      RoleSessionName: expect.stringMatching(/^pc-default-ci/) as string,
    });
  });

  test('[PROV-06] what the environment holds', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', AWS.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', AWS.secretAccessKey);
    const tokens = tokenEndpoints();
    const { headers } = await passed('Bedrock', { bedrock: { region, auth: { type: 'Default' } } }, tokens);
    expect(headers.authorization).toContain(`Credential=${AWS.accessKeyId}/`);
    expect(tokens.asked).toEqual([]);
  });
});

describe('Google', () => {
  const at = (auth: Record<string, unknown>) => ({ vertex: { project: GOOGLE.project, location: 'global', auth } });

  test.each([
    [
      'a service account key',
      { type: 'ServiceAccountKey', serviceAccountKey: ref('google') },
      'oauth2.googleapis.com/token',
    ],
    [
      'workload identity',
      {
        type: 'WorkloadIdentity',
        workloadIdentity: {
          audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k',
          tokenFile: TOKEN_FILE,
        },
      },
      'sts.googleapis.com/v1/token',
    ],
  ])('[PROV-10] %s for an access token', async (_name, auth, endpoint) => {
    const tokens = tokenEndpoints();
    const { headers } = await passed('Vertex', at(auth), tokens);
    expect(headers.authorization).toBe(`Bearer ${GOOGLE.token}`);
    expect(tokens.asked[0]!.url).toBe(endpoint);
  });

  test('[PROV-10] the machine’s own identity', async () => {
    const tokens = tokenEndpoints();
    const { headers } = await passed('Vertex', at({ type: 'Default' }), tokens);
    expect(headers.authorization).toBe(`Bearer ${GOOGLE.token}`);
    expect(tokens.asked[0]!.url).toMatch(/^metadata\.google\.internal\//);
  });
});

describe('Microsoft', () => {
  const workloadIdentity = { tenantId: 'tenant-1', clientId: 'client-1', tokenFile: TOKEN_FILE };

  test.each([
    [
      'workload identity',
      { type: 'WorkloadIdentity', workloadIdentity },
      'login.microsoftonline.com/tenant-1/oauth2/v2.0/token',
    ],
    [
      'managed identity',
      { type: 'ManagedIdentity', managedIdentity: {} },
      '169.254.169.254/metadata/identity/oauth2/token',
    ],
  ])('[PROV-12] %s for an access token', async (_name, auth, endpoint) => {
    const tokens = tokenEndpoints();
    const { headers } = await passed('Foundry', { foundry: { auth } }, tokens);
    expect([headers.authorization, headers['api-key']]).toEqual([`Bearer ${AZURE.key}`, undefined]);
    expect(tokens.asked[0]!.url).toBe(endpoint);
  });
});

describe('Anthropic', () => {
  test('[PROV-14] workload identity federation: a projected token for an OAuth bearer', async () => {
    const tokens = tokenEndpoints();
    const workloadIdentity = {
      federationRuleId: 'fdrl_1',
      organizationId: '00000000-0000-4000-8000-00000000c0de',
      tokenFile: TOKEN_FILE,
    };
    const auth = { type: 'WorkloadIdentity', workloadIdentity };
    const { headers } = await passed('Anthropic', { anthropic: { auth } }, tokens);
    expect(headers.authorization).toBe(`Bearer ${ANTHROPIC.token}`);
    expect(headers['anthropic-beta']).toContain('oauth-');
    expect(JSON.parse(tokens.asked[0]!.body)).toMatchObject({
      assertion: 'projected-token',
      federation_rule_id: 'fdrl_1',
    });
  });
});
