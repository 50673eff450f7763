/** The accounts that the mock clouds belong to: credentials they take, and names that must never reach a client. */

/** Region, workspace and keys on AWS. */
export const AWS = {
  region: 'us-east-1',
  accessKeyId: 'AKIAMOCKMOCKMOCKMOCK',
  secretAccessKey: 'mock/secret/access/key/0123456789abcdef',
  /** Of sessions that STS opens, under the same keys. */
  sessionToken: 'mock-session-token-0123456789abcdef',
  /** Of Bedrock, Mantle and Claude Platform on AWS alike. */
  bearerKey: 'bedrock-api-key-mock-0123456789abcdef',
  workspaceId: 'wrkspc_01MockWorkspace',
  account: '111122223333',
} as const;

export const GOOGLE = {
  project: 'acme-prod-4711',
  location: 'us-east5',
  token: 'ya29.mock-access-token-0123456789',
} as const;

export const AZURE = { resource: 'acme-foundry', key: 'azure-key-mock-0123456789abcdef' } as const;

export const ANTHROPIC = {
  key: 'sk-ant-api03-mock-cloud-0123456789',
  token: 'sk-ant-oat01-mock-cloud-0123456789',
} as const;

/** What providers write into their errors about the holder of the account. */
export const PLANTED = {
  arn: `arn:aws:bedrock:us-east-1:${AWS.account}:application-inference-profile/a1b2c3d4e5f6`,
  account: AWS.account,
  accessKey: AWS.accessKeyId,
  project: `projects/${GOOGLE.project}/locations/us-east5`,
  serviceAccount: `claude@${GOOGLE.project}.iam.gserviceaccount.com`,
  subscription: '6f1d2c3b-0a1b-4c2d-8e3f-9a8b7c6d5e4f',
  resource: `https://${AZURE.resource}.services.ai.azure.com`,
} as const;

/** A sentence with all of them, as an error would have it. */
export const PLANTED_TEXT = `access denied for ${Object.values(PLANTED).join(' and ')}`;

/** Parts of {@link PLANTED} by which a leak is recognised. */
export const LEAKS: readonly string[] = [
  AWS.account,
  AWS.accessKeyId,
  'a1b2c3d4e5f6',
  GOOGLE.project,
  PLANTED.subscription,
  AZURE.resource,
  AWS.bearerKey,
  AWS.sessionToken,
  GOOGLE.token,
  AZURE.key,
  ANTHROPIC.key,
  ANTHROPIC.token,
];
