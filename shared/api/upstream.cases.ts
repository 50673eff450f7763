// Specs of Upstreams that keep or break the rules of their provider. See rules.cases.ts.
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { PROVIDER_SPECS, apiKey, entra, federation, keys, member, pool, ref, roleArn } from './provider-case.ts';
import { bounds, row, values, type Changes, type Row } from './rule-case.ts';
import { AUTH_ROWS } from './upstream-auth.cases.ts';

const accessKey = { type: 'AccessKey', accessKey: keys };

const identity = (baseUrl: string): Changes => ({
  ...PROVIDER_SPECS.AnthropicCompatible,
  'anthropicCompatible.forwardUserIdentity': true,
  'anthropicCompatible.auth': apiKey,
  baseUrl,
});

export const UPSTREAM_ROWS: readonly Row[] = [
  row(
    'Upstream',
    [],
    'exactly the member named after the provider must be set: anthropic for Anthropic, anthropicCompatible for AnthropicCompatible, bedrock for Bedrock, bedrockMantle for BedrockMantle, claudePlatformAWS for ClaudePlatformAWS, foundry for Foundry, vertex for Vertex',
    Object.values(PROVIDER_SPECS),
    [
      { anthropic: undefined },
      { provider: 'Bedrock' },
      { bedrock: { region: 'us-east-1', auth: { type: 'Default' } } },
      { ...PROVIDER_SPECS.Vertex, provider: 'Foundry' },
    ],
  ),
  ...(['anthropic', 'anthropicCompatible'] as const).map((at) => {
    const spec = at === 'anthropic' ? {} : PROVIDER_SPECS.AnthropicCompatible;
    const headers = [{ name: 'x-tenant', valueFrom: ref }];
    const none = { ...spec, [`${at}.auth`]: { type: 'Headers' } };
    return row(
      'Upstream',
      ['headers'],
      'auth type Headers needs at least one entry in headers',
      [{ ...none, headers }],
      [none, { ...none, headers: [] }],
    );
  }),
  ...AUTH_ROWS,
  row(
    'Upstream',
    ['baseUrl'],
    'provider AnthropicCompatible has no public endpoint: baseUrl is needed',
    [],
    [{ ...PROVIDER_SPECS.AnthropicCompatible, baseUrl: undefined }],
  ),
  row(
    'Upstream',
    ['foundry'],
    'provider Foundry needs either foundry.resource or baseUrl, not both',
    [
      {
        ...PROVIDER_SPECS.Foundry,
        'foundry.resource': undefined,
        baseUrl: 'https://corp-ai.services.ai.azure.us/anthropic',
      },
    ],
    [
      { ...PROVIDER_SPECS.Foundry, baseUrl: 'https://corp-ai.services.ai.azure.us/anthropic' },
      { ...PROVIDER_SPECS.Foundry, foundry: { auth: apiKey } },
    ],
  ),
  row(
    'Upstream',
    ['anthropicCompatible'],
    'forwardUserIdentity is for a gateway of your own; the Anthropic API is not told who is calling',
    [
      identity('https://llm.corp.internal'),
      identity('https://api.anthropic.com.corp.internal/x'),
      identity('https://corp/api.anthropic.com'),
    ],
    [
      identity('https://api.anthropic.com'),
      identity('https://API.Anthropic.com:443/v1'),
      identity('https://anthropic.com./'),
      identity('http://api-staging.anthropic.com/'),
    ],
  ),
  ...['capabilities.betas.rename', 'models.0.betas.rename'].map((at) => {
    const message = 'must not have a name of more than 128 characters';
    const rename = (name: string) => ({ betas: { rename: { [name]: 'effort-2025-11-24' } } });
    if (at.startsWith('capabilities')) {
      const changes = (name: string): Changes => ({ capabilities: rename(name) });
      return row('Upstream', at.split('.'), message, [changes('effort-*')], [changes('x'.repeat(129))]);
    }
    const changes = (name: string): Changes => ({ models: [{ id: 'claude-opus-5-5', ...rename(name) }] });
    return row(
      'Upstream',
      ['models', 0, 'betas', 'rename'],
      message,
      [changes('effort-*')],
      [changes('x'.repeat(129))],
    );
  }),
  bounds('Upstream', 'validation.interval', ['59s', '1m', '168h', '169h']),
  bounds('Upstream', 'maxCredentialAge', ['59m', '1h', '87600h', '87601h']),
];

/** A path that depends on where the process runs. */
function tokenFileRow(
  family: ProviderFamily,
  at: string,
  type: 'WorkloadIdentity' | 'WebIdentity',
  settings: Readonly<Record<string, string>>,
): Row {
  const name = type === 'WebIdentity' ? 'webIdentity' : 'workloadIdentity';
  return member(family, [at, 'auth', name, 'tokenFile'], undefined, [], [{ type, [name]: settings }], `${at}.auth`);
}

/** What the schema itself refuses: values where references belong, half a key pair, places that are none. */
export const PROVIDER_ROWS: readonly Row[] = [
  member('Anthropic', ['anthropic', 'auth', 'apiKey'], undefined, [], ['sk-ant-api03-pasted']),
  member('Foundry', ['foundry', 'auth', 'apiKey'], undefined, [], ['pasted']),
  member(
    'Bedrock',
    ['bedrock', 'auth', 'accessKey', 'secretAccessKey'],
    undefined,
    [accessKey, { type: 'AccessKey', accessKey: { ...keys, sessionToken: ref } }],
    [
      { type: 'AccessKey', accessKey: { accessKeyId: ref } },
      { type: 'AccessKey', accessKey: { accessKeyId: ref, sessionToken: ref } },
      { type: 'AccessKey', accessKey: { accessKeyId: ref, secretAccessKey: 'pasted' } },
    ],
    'bedrock.auth',
  ),
  member(
    'Bedrock',
    ['bedrock', 'auth', 'accessKey', 'accessKeyId'],
    undefined,
    [],
    [
      { type: 'AccessKey', accessKey: { secretAccessKey: ref } },
      { type: 'AccessKey', accessKey: { sessionToken: ref } },
    ],
    'bedrock.auth',
  ),
  member(
    'Bedrock',
    ['bedrock', 'region'],
    undefined,
    ['us-gov-west-1', 'eu-central-1', 'eusc-de-east-1', 'cn-north-1'],
    ['us', 'us-east', 'us-east-1.evil.corp', 'EU-WEST-1'],
  ),
  member('Bedrock', ['bedrock', 'inference'], undefined, ['Geo', 'Global', 'InRegion'], ['eu']),
  member(
    'Vertex',
    ['vertex', 'location'],
    undefined,
    ['global', 'us', 'eu', 'europe-west1', 'us-east5'],
    ['us-east5/../x', 'US', 'eu.evil'],
  ),
  member('Vertex', ['vertex', 'project'], undefined, ['corp-ai', 'corp.com:ai', '123456'], ['a/b', 'A', '']),
  member('Foundry', ['foundry', 'resource'], undefined, ['corp-ai', 'CorpAI1'], ['corp.ai', 'a/b', '-a']),
  member('Foundry', ['foundry', 'zone'], undefined, ['US'], ['EU']),
  tokenFileRow('Anthropic', 'anthropic', 'WorkloadIdentity', { ...federation, tokenFile: 'token' }),
  tokenFileRow('Bedrock', 'bedrock', 'WebIdentity', { roleArn, tokenFile: './token' }),
  tokenFileRow('Vertex', 'vertex', 'WorkloadIdentity', { ...pool, tokenFile: '~/token' }),
  tokenFileRow('Foundry', 'foundry', 'WorkloadIdentity', { ...entra, tokenFile: '' }),
  member(
    'Bedrock',
    ['bedrock', 'auth', 'assumeRole', 'sessionName'],
    undefined,
    [{ type: 'Default', assumeRole: { roleArn, sessionName: '{user}@corp' } }],
    [{ type: 'Default', assumeRole: { roleArn, sessionName: '{team}' } }],
    'bedrock.auth',
  ),
  values('Upstream', 'tls.minVersion', undefined, ['TLSv1.2', 'TLSv1.3'], ['TLSv1.1']),
  row(
    'Upstream',
    ['tls', 'clientCertificate', 'keyRef'],
    undefined,
    [{ tls: { caRef: ref, clientCertificate: { certificateRef: ref, keyRef: ref } } }],
    [
      { tls: { clientCertificate: { certificateRef: ref } } },
      { tls: { clientCertificate: { certificateRef: ref, keyRef: 'pasted' } } },
    ],
  ),
  values('Upstream', 'capabilities.extendedCacheTtl', undefined, [true, false], ['no']),
  row(
    'Upstream',
    ['capabilities', 'betas', 'deny', 0],
    undefined,
    [{ 'capabilities.betas': { allow: ['context-1m-2025-08-07'], deny: ['compact-*', '*'] } }],
    [{ 'capabilities.betas': { deny: ['a,b'] } }, { 'capabilities.betas': { deny: ['*-a'] } }],
  ),
];
