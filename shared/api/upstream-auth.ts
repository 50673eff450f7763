// How the gateway says who it is to a provider: one union for each family of credentials. Values are in Secrets, or are made from the
// identity of the pod; none is ever written here.
import { z } from 'zod';
import { exactMember, standbyOf } from './exact-member.ts';
import { awsAuthMembers, needsAwsKeys } from './upstream-auth-aws.ts';
import { secretKeyRef } from './scalars.ts';
import { withRules } from './rules.ts';
import { tokenFile } from './token-file.ts';

const identifier = (description: string) =>
  z
    .string()
    .min(1)
    .max(128)
    .regex(/^[A-Za-z0-9][-._A-Za-z0-9]*$/, 'must be letters, digits, dots, hyphens and underscores')
    .describe(description);

const apiKey = secretKeyRef('The API key, with type: APIKey.').optional();
const bearerToken = secretKeyRef('The token, with type: BearerToken.').optional();
const standby = secretKeyRef(
  'A second value of the same kind, sent once the provider refused the first: keeps calls going while the key is rotated.',
).optional();

const described = 'How the gateway authenticates to the provider.';

export const anthropicAuth = withRules(
  z
    .strictObject({
      type: z
        .enum(['APIKey', 'BearerToken', 'WorkloadIdentity', 'Headers'])
        .describe(
          'APIKey: x-api-key. BearerToken: Authorization. WorkloadIdentity: the token of the pod is exchanged. Headers: only spec.headers.',
        ),
      apiKey,
      bearerToken,
      standby,
      workloadIdentity: z
        .strictObject({
          federationRuleId: identifier('Federation rule of the organization that trusts the token.'),
          organizationId: identifier('Organization the rule belongs to.'),
          tokenFile,
          workspaceId: identifier("Workspace to act in; the rule's own when left out.").optional(),
          serviceAccountId: identifier("Service account to act as; the rule's own when left out.").optional(),
        })
        .describe('Anthropic workload identity federation, with type: WorkloadIdentity.')
        .optional(),
    })
    .describe(described),
  [
    exactMember('type', {
      APIKey: 'apiKey',
      BearerToken: 'bearerToken',
      WorkloadIdentity: 'workloadIdentity',
      Headers: undefined,
    }),
    standbyOf('APIKey', 'BearerToken'),
  ],
);

export const compatibleAuth = withRules(
  z
    .strictObject({
      type: z
        .enum(['APIKey', 'BearerToken', 'Headers'])
        .describe('APIKey: x-api-key. BearerToken: Authorization. Headers: only spec.headers.'),
      apiKey,
      bearerToken,
      standby,
    })
    .describe(described),
  [
    exactMember('type', { APIKey: 'apiKey', BearerToken: 'bearerToken', Headers: undefined }),
    standbyOf('APIKey', 'BearerToken'),
  ],
);

export const bedrockAuth = withRules(
  z
    .strictObject({
      type: z
        .enum(['Default', 'AccessKey', 'BearerToken', 'WebIdentity'])
        .describe(
          'Default: what the pod has (IRSA, Pod Identity, container, instance, environment). AccessKey: keys of a user. BearerToken: a Bedrock API key. WebIdentity: a role for a token.',
        ),
      ...awsAuthMembers,
      bearerToken,
      standby,
    })
    .describe(described),
  [
    exactMember('type', {
      Default: undefined,
      AccessKey: 'accessKey',
      BearerToken: 'bearerToken',
      WebIdentity: 'webIdentity',
    }),
    standbyOf('BearerToken'),
    needsAwsKeys('BearerToken'),
  ],
);

export const claudePlatformAuth = withRules(
  z
    .strictObject({
      type: z
        .enum(['APIKey', 'Default', 'AccessKey', 'WebIdentity'])
        .describe(
          'APIKey: x-api-key. Default: what the pod has (IRSA, Pod Identity, container, instance, environment). AccessKey: keys of a user. WebIdentity: a role for a token.',
        ),
      ...awsAuthMembers,
      apiKey,
      standby,
    })
    .describe(described),
  [
    exactMember('type', {
      APIKey: 'apiKey',
      Default: undefined,
      AccessKey: 'accessKey',
      WebIdentity: 'webIdentity',
    }),
    standbyOf('APIKey'),
    needsAwsKeys('APIKey'),
  ],
);

export const vertexAuth = withRules(
  z
    .strictObject({
      type: z
        .enum(['Default', 'ServiceAccountKey', 'WorkloadIdentity'])
        .describe(
          'Default: application default credentials of the pod. ServiceAccountKey: a key file. WorkloadIdentity: the token of the pod is exchanged.',
        ),
      serviceAccountKey: secretKeyRef('The key file as JSON, with type: ServiceAccountKey.').optional(),
      workloadIdentity: z
        .strictObject({
          audience: z
            .string()
            .min(1)
            .max(512)
            .regex(/^\S+$/, 'must not contain spaces')
            .describe(
              'Provider of the workload identity pool: //iam.googleapis.com/projects/…/workloadIdentityPools/…/providers/….',
            ),
          tokenFile,
          serviceAccount: z
            .string()
            .min(3)
            .max(256)
            .regex(/^[^\s@/]+@[^\s@/]+$/, 'must be the e-mail address of a service account')
            .describe('Service account to act as; the federated identity itself when left out.')
            .optional(),
        })
        .describe('Google workload identity federation, with type: WorkloadIdentity.')
        .optional(),
    })
    .describe(described),
  [
    exactMember('type', {
      Default: undefined,
      ServiceAccountKey: 'serviceAccountKey',
      WorkloadIdentity: 'workloadIdentity',
    }),
  ],
);

const httpsAddress = (description: string) =>
  z
    .string()
    .min(10)
    .max(256)
    .regex(/^https:\/\/[^\s\\?#@]*[^\s\\/?#@]$/, 'must be an https URL without query, user or slash at the end')
    .describe(description);

export const foundryAuth = withRules(
  z
    .strictObject({
      type: z
        .enum(['APIKey', 'WorkloadIdentity', 'ManagedIdentity'])
        .describe(
          'APIKey: api-key. WorkloadIdentity: the token of the pod is exchanged for one of Entra ID. ManagedIdentity: the identity of the machine.',
        ),
      apiKey,
      standby,
      workloadIdentity: z
        .strictObject({
          tenantId: identifier('Entra ID tenant.'),
          clientId: identifier('Application or managed identity that trusts the token.'),
          tokenFile,
          authority: httpsAddress(
            'Entra ID of a sovereign cloud; https://login.microsoftonline.com when left out.',
          ).optional(),
        })
        .describe('Entra ID workload identity, with type: WorkloadIdentity.')
        .optional(),
      managedIdentity: z
        .strictObject({
          clientId: identifier('A user-assigned identity; that of the system when left out.').optional(),
        })
        .describe('Entra ID managed identity, with type: ManagedIdentity.')
        .optional(),
      audience: httpsAddress(
        'Resource that tokens are for; https://ai.azure.com when left out. Sovereign clouds have their own.',
      ).optional(),
    })
    .describe(described),
  [
    exactMember('type', {
      APIKey: 'apiKey',
      WorkloadIdentity: 'workloadIdentity',
      ManagedIdentity: 'managedIdentity',
    }),
    standbyOf('APIKey'),
    {
      cel: "!has(self.audience) || self.type != 'APIKey'",
      holds: ({ audience, type }) => audience === undefined || type !== 'APIKey',
      message: 'audience is that of a token; type APIKey has none',
      field: 'audience',
    },
  ],
);
