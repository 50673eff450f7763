// Upstreams of every provider, as cases of rules want them: the least that each needs, and a row that changes one member of it.
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { row, type Changes, type Row } from './rule-case.ts';

export const ref = { name: 's', key: 'k' };
export const tokenFile = '/var/run/secrets/tokens/provider';
export const roleArn = 'arn:aws:iam::111122223333:role/claude';
export const keys = { accessKeyId: ref, secretAccessKey: ref };
export const federation = { federationRuleId: 'fdrl_1', organizationId: 'org-1', tokenFile };
export const pool = {
  audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
  tokenFile,
};
export const entra = { tenantId: 't', clientId: 'c', tokenFile };

export const apiKey = { type: 'APIKey', apiKey: ref };

/** The least that each provider needs, as members of an Upstream. */
export const PROVIDER_SPECS: Readonly<Record<ProviderFamily, Changes>> = {
  Anthropic: {},
  AnthropicCompatible: provider('AnthropicCompatible', {
    anthropicCompatible: { auth: { type: 'APIKey', apiKey: ref } },
    baseUrl: 'https://llm.corp.internal',
  }),
  Bedrock: provider('Bedrock', { bedrock: { region: 'us-east-1', auth: { type: 'Default' } } }),
  BedrockMantle: provider('BedrockMantle', { bedrockMantle: { region: 'us-east-1', auth: { type: 'Default' } } }),
  ClaudePlatformAWS: provider('ClaudePlatformAWS', {
    claudePlatformAWS: { region: 'us-east-1', workspaceId: 'wrkspc_1', auth: { type: 'Default' } },
  }),
  Foundry: provider('Foundry', { foundry: { resource: 'corp-ai', auth: { type: 'APIKey', apiKey: ref } } }),
  Vertex: provider('Vertex', { vertex: { project: 'corp-ai', location: 'eu', auth: { type: 'Default' } } }),
};

function provider(name: ProviderFamily, members: Changes): Changes {
  return { provider: name, anthropic: undefined, ...members };
}

/** A member of a provider whose own value is what the rule is about. */
export function member(
  family: ProviderFamily,
  path: readonly string[],
  message: string | undefined,
  good: readonly unknown[],
  bad: readonly unknown[],
  at = path.join('.'),
): Row {
  const changes = (value: unknown): Changes => ({ ...PROVIDER_SPECS[family], [at]: value });
  return row('Upstream', path, message, good.map(changes), bad.map(changes));
}
