/**
 * Every provider family as a mock on a loopback port, strict about what it is sent, with the Upstream that reaches it. Behaviours are those
 * of mock-anthropic.ts, and so are the texts, so that families can be compared.
 */
import { generateKeyPairSync } from 'node:crypto';
import type { OpenCredentials } from '#dataplane/providers/target.ts';
import { PROVIDER_FAMILIES, type ProviderFamily } from '#shared/catalog/families.ts';
import type { RawObject } from '#shared/compile/types.ts';
import { startMockAnthropic, type Behave, type MockAnthropic, type Surface } from '../mock-anthropic.ts';
import { NAMESPACE, object, type Resources } from '../resources.ts';
import { ANTHROPIC, AWS, AZURE, GOOGLE } from './accounts.ts';
import { bedrockSurface } from './bedrock.ts';
import { anthropicSurface, claudePlatformAwsSurface, foundrySurface, mantleSurface } from './messages-surfaces.ts';
import { tokenEndpoints } from './token-endpoints.ts';
import { vertexSurface } from './vertex.ts';

interface CloudRow {
  readonly surface: Surface;
  /** Behind the address of the mock. */
  readonly basePath: string;
  /** Of the Upstream, besides its base URL. */
  readonly spec: Readonly<Record<string, unknown>>;
}

const SECRET = 'mock-clouds';
const ref = (key: string) => ({ name: SECRET, key });
const awsAuth = {
  type: 'AccessKey',
  accessKey: { accessKeyId: ref('aws-id'), secretAccessKey: ref('aws-secret') },
} as const;
const { region } = AWS;

const ROWS: Readonly<Record<ProviderFamily, CloudRow>> = {
  Anthropic: {
    surface: anthropicSurface,
    basePath: '',
    spec: { anthropic: { auth: { type: 'APIKey', apiKey: ref('anthropic') } } },
  },
  AnthropicCompatible: {
    surface: anthropicSurface,
    basePath: '',
    spec: { anthropicCompatible: { auth: { type: 'APIKey', apiKey: ref('anthropic') } } },
  },
  Bedrock: { surface: bedrockSurface, basePath: '', spec: { bedrock: { region, auth: awsAuth } } },
  BedrockMantle: { surface: mantleSurface, basePath: '', spec: { bedrockMantle: { region, auth: awsAuth } } },
  ClaudePlatformAWS: {
    surface: claudePlatformAwsSurface,
    basePath: '',
    spec: { claudePlatformAWS: { region, workspaceId: AWS.workspaceId, auth: awsAuth } },
  },
  Foundry: {
    surface: foundrySurface,
    basePath: '/anthropic',
    spec: { foundry: { auth: { type: 'APIKey', apiKey: ref('azure') } } },
  },
  Vertex: {
    surface: vertexSurface,
    basePath: '',
    spec: {
      vertex: {
        project: GOOGLE.project,
        location: 'global',
        auth: { type: 'ServiceAccountKey', serviceAccountKey: ref('google') },
      },
    },
  },
};

export interface MockCloud extends MockAnthropic {
  readonly family: ProviderFamily;
  /** Of the Upstream. */
  readonly baseUrl: string;
  /** The Upstream that reaches it, named like the family in lower case. @param spec laid over the usual one */
  upstream(spec?: Readonly<Record<string, unknown>>, name?: string): RawObject;
}

export async function startMockCloud(family: ProviderFamily, behave?: Behave): Promise<MockCloud> {
  const { surface, basePath, spec } = ROWS[family];
  const mock = await startMockAnthropic({ surface, ...(behave === undefined ? {} : { behave }) });
  const baseUrl = `${mock.url}${basePath}`;
  return {
    ...mock,
    family,
    baseUrl,
    upstream: (over = {}, name = family.toLowerCase()) =>
      object('Upstream', name, { provider: family, baseUrl, ...spec, ...over }),
  };
}

export interface MockClouds {
  readonly byFamily: Readonly<Record<ProviderFamily, MockCloud>>;
  /** Upstreams of all families. */
  readonly upstreams: readonly RawObject[];
  close(): Promise<void>;
}

export async function startMockClouds(): Promise<MockClouds> {
  const started = await Promise.all(PROVIDER_FAMILIES.map((family) => startMockCloud(family)));
  const byFamily = Object.fromEntries(started.map((cloud) => [cloud.family, cloud])) as MockClouds['byFamily'];
  return {
    byFamily,
    upstreams: started.map((cloud) => cloud.upstream()),
    close: async () => void (await Promise.all(started.map((cloud) => cloud.close()))),
  };
}

let serviceAccountKey: string | undefined;

/** The Secret that the Upstreams refer to, for `withObjects(base, upstreams, mockCloudSecrets())`. */
export function mockCloudSecrets(): Resources['secrets'] {
  serviceAccountKey ??= JSON.stringify({
    type: 'service_account',
    client_email: `claude@${GOOGLE.project}.iam.gserviceaccount.com`,
    private_key_id: 'mock',
    private_key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    }),
  });
  return {
    [`${NAMESPACE}/${SECRET}`]: {
      anthropic: ANTHROPIC.key,
      'aws-id': AWS.accessKeyId,
      'aws-secret': AWS.secretAccessKey,
      'aws-bearer': AWS.bearerKey,
      azure: AZURE.key,
      google: serviceAccountKey,
    },
  };
}

/** Credentials that reach no network: every token endpoint gives what the mocks take. For `startGateway`. */
export function mockCloudCredentials(): OpenCredentials {
  return tokenEndpoints().open;
}
