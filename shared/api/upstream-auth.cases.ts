// Specs that keep or break the rules of how an Upstream authenticates. See rules.cases.ts.
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { apiKey, entra, federation, keys, member, pool, ref, roleArn, tokenFile } from './provider-case.ts';
import type { Row } from './rule-case.ts';

/** The union of ways to authenticate; the standby value of one that has it, and of one that has not. */
function auth(
  family: ProviderFamily,
  at: string,
  kinds: string,
  good: readonly Readonly<Record<string, unknown>>[],
  bad: readonly Readonly<Record<string, unknown>>[],
  standby?: { readonly kinds: string; readonly type: object; readonly other: object },
): Row[] {
  const union = `exactly the member named by type must be set: ${kinds}`;
  const rows = [member(family, [at, 'auth'], union, good, bad)];
  if (standby === undefined) return rows;
  const message = `standby is a second value for type ${standby.kinds}; no other type has one`;
  const [held, lost] = [standby.type, standby.other].map((type) => [{ ...type, standby: ref }]);
  return [...rows, member(family, [at, 'auth', 'standby'], message, held!, lost!, `${at}.auth`)];
}

const bearer = { type: 'BearerToken', bearerToken: ref };
const accessKey = { type: 'AccessKey', accessKey: keys };
const web = { type: 'WebIdentity', webIdentity: { roleArn, tokenFile } };
const bedrockKinds =
  'none for Default, accessKey for AccessKey, bearerToken for BearerToken, webIdentity for WebIdentity';

const bedrockRows = (family: 'Bedrock' | 'BedrockMantle', at: string): Row[] => [
  ...auth(
    family,
    at,
    bedrockKinds,
    [{ type: 'Default' }, accessKey, bearer, web],
    [
      { type: 'AccessKey' },
      { type: 'Default', bearerToken: ref },
      { ...accessKey, bearerToken: ref },
      { type: 'WebIdentity' },
    ],
    { kinds: 'BearerToken', type: bearer, other: accessKey },
  ),
  member(
    family,
    [at, 'auth', 'assumeRole'],
    'assumeRole begins with AWS keys; type BearerToken has none',
    [
      { type: 'Default', assumeRole: { roleArn } },
      { ...accessKey, assumeRole: { roleArn, externalId: 'corp:1', sessionName: 'gw-{user}' } },
      { ...web, assumeRole: { roleArn } },
    ],
    [{ ...bearer, assumeRole: { roleArn } }],
    `${at}.auth`,
  ),
];

export const AUTH_ROWS: readonly Row[] = [
  ...auth(
    'Anthropic',
    'anthropic',
    'apiKey for APIKey, bearerToken for BearerToken, workloadIdentity for WorkloadIdentity, none for Headers',
    [apiKey, bearer, { type: 'WorkloadIdentity', workloadIdentity: federation }],
    [
      { type: 'APIKey' },
      { type: 'BearerToken', apiKey: ref },
      { ...apiKey, bearerToken: ref },
      { type: 'Headers', apiKey: ref },
      { type: 'WorkloadIdentity' },
    ],
    { kinds: 'APIKey or BearerToken', type: bearer, other: { type: 'WorkloadIdentity', workloadIdentity: federation } },
  ),
  ...auth(
    'AnthropicCompatible',
    'anthropicCompatible',
    'apiKey for APIKey, bearerToken for BearerToken, none for Headers',
    [apiKey, bearer],
    [{ type: 'APIKey' }, { type: 'Headers', bearerToken: ref }],
    { kinds: 'APIKey or BearerToken', type: apiKey, other: { type: 'Headers' } },
  ),
  ...bedrockRows('Bedrock', 'bedrock'),
  ...bedrockRows('BedrockMantle', 'bedrockMantle'),
  ...auth(
    'ClaudePlatformAWS',
    'claudePlatformAWS',
    'apiKey for APIKey, none for Default, accessKey for AccessKey, webIdentity for WebIdentity',
    [apiKey, { type: 'Default' }, accessKey, web],
    [{ type: 'APIKey' }, { type: 'Default', apiKey: ref }],
    { kinds: 'APIKey', type: apiKey, other: { type: 'Default' } },
  ),
  member(
    'ClaudePlatformAWS',
    ['claudePlatformAWS', 'auth', 'assumeRole'],
    'assumeRole begins with AWS keys; type APIKey has none',
    [{ type: 'Default', assumeRole: { roleArn } }],
    [{ ...apiKey, assumeRole: { roleArn } }],
    'claudePlatformAWS.auth',
  ),
  ...auth(
    'Vertex',
    'vertex',
    'none for Default, serviceAccountKey for ServiceAccountKey, workloadIdentity for WorkloadIdentity',
    [
      { type: 'Default' },
      { type: 'ServiceAccountKey', serviceAccountKey: ref },
      { type: 'WorkloadIdentity', workloadIdentity: pool },
      {
        type: 'WorkloadIdentity',
        workloadIdentity: { ...pool, serviceAccount: 'claude@corp-ai.iam.gserviceaccount.com' },
      },
    ],
    [{ type: 'ServiceAccountKey' }, { type: 'Default', serviceAccountKey: ref }],
  ),
  ...auth(
    'Foundry',
    'foundry',
    'apiKey for APIKey, workloadIdentity for WorkloadIdentity, managedIdentity for ManagedIdentity',
    [
      apiKey,
      { type: 'WorkloadIdentity', workloadIdentity: entra },
      { type: 'ManagedIdentity', managedIdentity: {} },
      { type: 'ManagedIdentity', managedIdentity: { clientId: 'c' } },
    ],
    [{ type: 'ManagedIdentity' }, { type: 'APIKey', managedIdentity: {} }],
    { kinds: 'APIKey', type: apiKey, other: { type: 'ManagedIdentity', managedIdentity: {} } },
  ),
  member(
    'Foundry',
    ['foundry', 'auth', 'audience'],
    'audience is that of a token; type APIKey has none',
    [{ type: 'ManagedIdentity', managedIdentity: {}, audience: 'https://ai.azure.us' }],
    [{ ...apiKey, audience: 'https://ai.azure.us' }],
    'foundry.auth',
  ),
];
