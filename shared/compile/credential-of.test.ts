// Who the gateway is to an upstream: every kind of credential of every provider, and who may use which.
import { describe, expect, test } from 'vitest';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { compile } from './compile.ts';
import { golden } from './testing.ts';
import { compiled, entryOf } from './testing-upstream.ts';

describe('credentials', () => {
  test('[PROV-05] [PROV-08] a key pair with its session token, and a role assumed with them', () => {
    const at = 'upstreams/default/bedrock-keys/auth';
    expect(entryOf('bedrock-keys').credential).toEqual({
      type: 'AWS',
      region: 'eu-west-1',
      service: 'bedrock',
      identity: {
        type: 'AccessKey',
        accessKeyId: `${at}/accessKeyId`,
        secretAccessKey: `${at}/secretAccessKey`,
        sessionToken: `${at}/sessionToken`,
      },
      assumeRole: {
        roleArn: 'arn:aws:iam::111122223333:role/claude',
        externalId: 'corp',
        sessionName: 'portcullis-{user}',
      },
    });
  });

  test('[PROV-05] half a pair in the Secret takes the upstream out, and the condition names the half', () => {
    const keys = { accessKeyId: { name: 's', key: 'k' }, secretAccessKey: { name: 's', key: 'gone' } };
    const { entry, status } = compiled('Bedrock', { 'bedrock.auth': { type: 'AccessKey', accessKey: keys } });
    expect(entry).toBeUndefined();
    expect(status.conditions[1]).toMatchObject({
      status: 'False',
      reason: 'RefNotFound',
      message:
        'spec.bedrock.auth.accessKey.secretAccessKey: Secret s has no key gone; add it; no call goes to this upstream until then',
    });
  });

  test.each<[string, string, object]>([
    ['[PROV-06] ambient', 'bedrock-global', { type: 'AWS', service: 'bedrock', identity: { type: 'Default' } }],
    ['[PROV-07] a Bedrock API key', 'bedrock-vpc', { type: 'Fixed', header: 'authorization', scheme: 'Bearer ' }],
    ['[PROV-13] signed', 'platform-signed', { type: 'AWS', service: 'aws-external-anthropic' }],
    ['[PROV-13] by key', 'platform-key', { type: 'Fixed', header: 'x-api-key' }],
    ['Mantle', 'mantle', { type: 'AWS', service: 'bedrock-mantle', assumeRole: { sessionName: 'shared' } }],
    ['[PROV-10] ambient', 'vertex-eu', { type: 'Google', identity: { type: 'Default' } }],
    ['[PROV-10] federated', 'vertex-region', { type: 'Google', identity: { type: 'WorkloadIdentity' } }],
    ['[PROV-12] by key', 'foundry-key', { type: 'Fixed', header: 'api-key' }],
    [
      '[PROV-12] by Entra ID of a sovereign cloud',
      'foundry-workload',
      { type: 'Entra', audience: 'https://ai.azure.us', identity: { authority: 'https://login.microsoftonline.us' } },
    ],
    ['[PROV-12] by the machine', 'foundry-machine', { type: 'Entra', identity: { type: 'ManagedIdentity' } }],
    [
      '[PROV-14] federated',
      'anthropic',
      { type: 'AnthropicFederation', federationRuleId: 'fdrl_1', organizationId: 'org-1', workspaceId: 'wrkspc_1' },
    ],
  ])('%s: %s', (_, name, credential) => {
    expect(entryOf(name).credential).toMatchObject(credential);
  });

  test('[PROV-13] the workspace goes along', () => {
    expect(entryOf('platform-key').claudePlatformAws).toEqual({ workspaceId: 'wrkspc_2' });
  });

  test('[PROV-35] a second value stands by, under a reference of its own', () => {
    const { credential } = entryOf('compatible');
    expect(credential).toMatchObject({ standby: 'upstreams/default/compatible/auth/standby' });
    const { values: held } = compile(golden('providers')).gateways.get('default/claude')!.credentials;
    expect(held['upstreams/default/compatible/auth']?.reveal()).toBe('first-value-of-the-golden-files');
    expect(held['upstreams/default/compatible/auth/standby']?.reveal()).toBe('second-value-of-the-golden-files');
  });
});

describe("the identity of the Gateway's pods", () => {
  const web = { roleArn: 'arn:aws:iam::111122223333:role/x', tokenFile: '/var/run/secrets/token' };
  test.each<[ProviderFamily, object]>([
    ['Bedrock', {}],
    ['Bedrock', { 'bedrock.auth': { type: 'WebIdentity', webIdentity: web } }],
    ['BedrockMantle', {}],
    ['ClaudePlatformAWS', {}],
    ['Vertex', {}],
    ['Foundry', { 'foundry.auth': { type: 'ManagedIdentity', managedIdentity: {} } }],
    [
      'Anthropic',
      {
        'anthropic.auth': {
          type: 'WorkloadIdentity',
          workloadIdentity: { federationRuleId: 'f', organizationId: 'o', tokenFile: '/var/run/secrets/token' },
        },
      },
    ],
  ])('is not for a tenant, who could have its tokens sent anywhere: %s %j', (family, changes) => {
    const { accepted, entry } = compiled(family, changes, 'tenant');
    expect(accepted).toMatchObject({ status: 'False', reason: 'NotAllowedByGateway' });
    expect(accepted?.message).toContain("is the identity of the Gateway's own pods");
    expect(entry).toBeUndefined();
    expect(compiled(family, changes).accepted).toMatchObject({ status: 'True' });
  });

  test('a tenant with a Secret of its own is served', () => {
    const auth = { type: 'BearerToken', bearerToken: { name: 's', key: 'k' } };
    expect(compiled('Bedrock', { 'bedrock.auth': auth }, 'tenant').accepted).toMatchObject({ status: 'True' });
  });
});
