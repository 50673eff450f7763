// What an Upstream of each provider becomes: address, region, names of models; and what is refused of it.
import { describe, expect, test } from 'vitest';
import { changed } from '#shared/api/rule-case.ts';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { compile } from './compile.ts';
import { gateway, inputOf, object } from './testing.ts';
import { compiled, entryOf, gatewayRef } from './testing-upstream.ts';

test('[XLAT-11] the Messages API of Bedrock’s runtime is spoken as on Mantle, with names and signature of the runtime', () => {
  const changes = { 'bedrock.region': 'eu-west-1', 'bedrock.api': 'Messages', models: [{ id: 'claude-sonnet-4-6' }] };
  expect(compiled('Bedrock', changes).entry).toMatchObject({
    provider: 'BedrockMantle',
    bedrock: { region: 'eu-west-1', inference: 'Geo' },
    region: 'eu-west-1',
    models: [{ id: 'claude-sonnet-4-6', upstreamId: 'eu.anthropic.claude-sonnet-4-6' }],
  });
});

describe('[PROV-02] the public endpoint of a family', () => {
  test.each<[ProviderFamily, object, string]>([
    ['Anthropic', {}, 'https://api.anthropic.com'],
    ['Bedrock', { 'bedrock.region': 'us-east-1' }, 'https://bedrock-runtime.us-east-1.amazonaws.com'],
    [
      'Bedrock',
      { 'bedrock.region': 'cn-north-1', 'bedrock.inference': 'InRegion' },
      'https://bedrock-runtime.cn-north-1.amazonaws.com.cn',
    ],
    [
      'Bedrock',
      { 'bedrock.region': 'us-east-1', 'bedrock.api': 'Messages' },
      'https://bedrock-runtime.us-east-1.amazonaws.com',
    ],
    ['BedrockMantle', { 'bedrockMantle.region': 'eu-west-1' }, 'https://bedrock-mantle.eu-west-1.api.aws'],
    [
      'ClaudePlatformAWS',
      { 'claudePlatformAWS.region': 'us-west-2' },
      'https://aws-external-anthropic.us-west-2.api.aws',
    ],
    ['Vertex', { 'vertex.location': 'global' }, 'https://aiplatform.googleapis.com'],
    ['Vertex', { 'vertex.location': 'us' }, 'https://aiplatform.us.rep.googleapis.com'],
    ['Vertex', { 'vertex.location': 'eu' }, 'https://aiplatform.eu.rep.googleapis.com'],
    ['Vertex', { 'vertex.location': 'europe-west1' }, 'https://europe-west1-aiplatform.googleapis.com'],
    ['Foundry', { 'foundry.resource': 'corp-ai' }, 'https://corp-ai.services.ai.azure.com/anthropic'],
  ])('%s %j is %s', (family, changes, url) => {
    expect(compiled(family, changes).entry?.baseUrl).toBe(url);
  });

  test.each<[string, ProviderFamily, string, object]>([
    ['[PROV-09] FIPS', 'Bedrock', 'https://bedrock-runtime-fips.us-east-1.amazonaws.com', {}],
    ['[PROV-10] Private Service Connect', 'Vertex', 'https://aiplatform-corp.p.googleapis.com', {}],
    ['[PROV-12] sovereign', 'Foundry', 'https://x.services.ai.azure.us/anthropic', { 'foundry.resource': undefined }],
  ])('%s: baseUrl takes its place', (_, family, baseUrl, changes) => {
    expect(compiled(family, { baseUrl, ...changes }).entry).toMatchObject({ baseUrl, provider: family });
  });
});

describe('where an upstream computes', () => {
  test.each<[ProviderFamily, object, string | undefined]>([
    ['Anthropic', {}, undefined],
    ['Anthropic', { region: 'us' }, 'us'],
    ['Bedrock', {}, 'us-east-1'],
    ['Bedrock', { region: 'us-east-1' }, 'us-east-1'],
    ['Bedrock', { 'bedrock.inference': 'Global' }, 'global'],
    ['BedrockMantle', {}, 'us-east-1'],
    ['ClaudePlatformAWS', {}, 'us-east-1'],
    ['Vertex', {}, 'eu'],
    ['Vertex', { 'vertex.location': 'global' }, 'global'],
    ['Foundry', { region: 'us' }, 'us'],
  ])('[AUTHZ-14] %s %j is %j', (family, changes, region) => {
    expect(compiled(family, changes).entry?.region).toBe(region);
  });

  test.each<[ProviderFamily, object, string]>([
    [
      'Bedrock',
      { region: 'eu-west-1' },
      'spec.region: is us-east-1 by the settings of the provider, not eu-west-1; leave it out',
    ],
    [
      'Vertex',
      { 'vertex.location': 'global', region: 'eu' },
      'spec.region: is global by the settings of the provider, not eu; leave it out',
    ],
    [
      'Bedrock',
      { 'bedrock.region': 'sa-east-1' },
      'spec.bedrock.inference: no geography is known for region sa-east-1; say Global or InRegion',
    ],
    [
      'Bedrock',
      { 'bedrock.region': 'us-gov-west-1', 'bedrock.inference': 'Global' },
      'spec.bedrock.inference: the global profiles cannot be called from region us-gov-west-1; say Geo or InRegion',
    ],
    ...[
      'global.anthropic.claude-opus-5-5',
      'Global.anthropic.claude-opus-5-5',
      'arn:aws:bedrock:us-east-1:111122223333:inference-profile/global.anthropic.claude-opus-5-5',
      'arn:aws:bedrock:us-east-1:111122223333:inference-profile%2Fglobal.anthropic.claude-opus-5-5',
    ].map((upstreamId): [ProviderFamily, object, string] => [
      'Bedrock',
      { models: [{ id: 'claude-opus-5-5', upstreamId }] },
      'spec.models[0].upstreamId: a global profile computes anywhere, and Policies count this upstream as its region; use another id, or an Upstream with bedrock.inference Global',
    ]),
    [
      'Bedrock',
      {
        'bedrock.inference': 'InRegion',
        models: [{ id: 'claude-opus-5-5', upstreamId: 'us.anthropic.claude-opus-5-5' }],
      },
      'spec.models[0].upstreamId: profile us. computes outside of the region, and this upstream stays in it; use another id, or an Upstream with bedrock.inference Geo',
    ],
  ])('[AUTHZ-14] %s %j is refused', (family, changes, message) => {
    const { accepted, entry } = compiled(family, changes);
    expect(accepted).toMatchObject({ status: 'False', reason: 'Invalid', message });
    expect(entry).toBeUndefined();
  });

  test('[PROV-33] a profile of the account is taken as it is, and so are the profiles of the geography', () => {
    const models = [
      {
        id: 'claude-sonnet-5-5',
        upstreamId: 'arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc',
      },
      { id: 'claude-opus-5-5', upstreamId: 'us.anthropic.claude-opus-5-5' },
    ];
    expect(compiled('Bedrock', { models }).entry?.models).toEqual(models);
  });
});

describe('names of models that a manifest lists without one', () => {
  test.each<[ProviderFamily, object, string]>([
    ['Bedrock', { 'bedrock.region': 'eu-west-1' }, 'eu.anthropic.claude-opus-4-6-v1'],
    ['Bedrock', { 'bedrock.inference': 'Global' }, 'global.anthropic.claude-opus-4-6-v1'],
    ['Bedrock', { 'bedrock.inference': 'InRegion' }, 'anthropic.claude-opus-4-6-v1'],
    ['Vertex', {}, 'claude-opus-4-6'],
    ['Foundry', {}, 'claude-opus-4-6'],
    ['ClaudePlatformAWS', {}, 'claude-opus-4-6'],
  ])('%s %j: %s', (family, changes, upstreamId) => {
    const models = [{ id: 'claude-opus-4-6', price: { input: '4', output: '20' } }];
    expect(compiled(family, { ...changes, models }).entry?.models).toMatchObject([
      { id: 'claude-opus-4-6', upstreamId },
    ]);
  });

  test('a model that is not offered at the location is left out with a warning; a name given is taken', () => {
    const at = { 'vertex.location': 'us-east5' };
    const absent = compiled('Vertex', { ...at, models: [{ id: 'claude-opus-5-5' }] });
    expect(absent.entry?.models).toEqual([]);
    expect(absent.status.warnings).toEqual([
      'spec.models[0]: claude-opus-5-5 is not offered by this provider there, as far as is known; if it is, say its name in upstreamId',
    ]);
    const given = compiled('Vertex', { ...at, models: [{ id: 'claude-opus-5-5', upstreamId: 'claude-opus-5-5' }] });
    expect(given.entry?.models).toEqual([{ id: 'claude-opus-5-5', upstreamId: 'claude-opus-5-5' }]);
    expect(given.status.warnings).toEqual([]);
  });
});

describe('what a family is told beside its address', () => {
  test('[XLAT-23] betas of the upstream and of single models', () => {
    const { betas, models, extendedCacheTtl } = entryOf('bedrock-keys');
    expect(betas).toEqual({
      allow: ['own-preview-2026-01-01'],
      deny: ['fast-mode-*'],
      rename: { 'advanced-tool-use-2025-11-20': 'tool-search-tool-2025-10-19' },
    });
    expect(models.map((model) => model.betas)).toEqual([
      undefined,
      { allow: ['context-1m-2025-08-07'], deny: ['compact-*'] },
    ]);
    expect(extendedCacheTtl).toBe(false);
  });

  test('[PROV-29] identity goes along only where the manifest says so', () => {
    expect(compiled('AnthropicCompatible').entry).not.toHaveProperty('forwardsIdentity');
    const forwards = { 'anthropicCompatible.forwardUserIdentity': true };
    expect(compiled('AnthropicCompatible', forwards).entry).toMatchObject({ forwardsIdentity: true });
    const refused = compiled('AnthropicCompatible', { ...forwards, baseUrl: 'https://api.anthropic.com' });
    expect(refused.accepted).toMatchObject({
      status: 'False',
      message:
        'spec.anthropicCompatible: forwardUserIdentity is for a gateway of your own; the Anthropic API is not told who is calling',
    });
  });

  test('[PROV-12] the data zone of Foundry', () => {
    expect(compiled('Foundry', { 'foundry.zone': 'US' }).entry?.foundry).toEqual({ zone: 'us' });
    expect(compiled('Foundry').entry?.foundry).toEqual({});
  });

  test('probes: every hour when nothing is said, at another pace, on demand, never', () => {
    expect(compiled('Bedrock').entry?.probe).toEqual({ interval: 3_600_000 });
    expect(entryOf('anthropic-rotating').probe).toEqual({
      interval: 600_000,
      model: 'claude-haiku-5-5',
      trigger: '2026-11-21',
    });
    expect(entryOf('anthropic')).not.toHaveProperty('probe');
    const spec = changed('Upstream', { gatewayRef });
    const asked = object('Upstream', 'p/up', spec, { annotations: { 'portcullis.dev/probe': 'x'.repeat(200_000) } });
    const output = compile(inputOf([gateway(), asked], { 'p/anthropic': { token: 'v' } }));
    expect(output.gateways.get('p/gw')!.bundle.upstreams[0]?.probe?.trigger).toHaveLength(64);
  });
});
