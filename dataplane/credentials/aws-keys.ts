// Where AWS keys come from: a Secret, the machine (the SDK's default chain), a projected token. The SDK is loaded when the first
// upstream needs it.
import type * as Sdk from '@aws-sdk/credential-providers';
import { SecretText } from '#shared/secret-text.ts';
import { awsError } from './aws-error.ts';
import { stsRequestHandler } from './aws-request-handler.ts';
import { CredentialError } from './credential-error.ts';
import type { Minted } from './renewal.ts';
import type { AwsKeys } from './sigv4.ts';
import type { Skew } from './skew.ts';
import type { CredentialPorts } from './source.ts';
import { readTokenFile } from './token-file.ts';

export type AwsIdentity =
  /** Environment, shared files, IRSA, Pod Identity or container, instance: what the SDK finds first. */
  | { readonly type: 'Default' }
  | { readonly type: 'AccessKey'; readonly keys: AwsKeys }
  | { readonly type: 'WebIdentity'; readonly roleArn: string; readonly tokenFile: string };

export interface AssumeRole {
  readonly roleArn: string;
  readonly externalId?: string;
  /** `{user}` in it stands for the caller. */
  readonly sessionName: string;
}

/** What all calls of one upstream to STS share. */
export interface StsContext {
  readonly region: string;
  readonly ports: CredentialPorts;
  readonly skew: Skew;
}

interface SdkKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

/**
 * A key pair as a Secret holds it.
 * @throws {CredentialError} `incomplete` for half a pair, or a session token without both halves
 */
export function accessKey(parts: {
  readonly accessKeyId?: SecretText | undefined;
  readonly secretAccessKey?: SecretText | undefined;
  readonly sessionToken?: SecretText | undefined;
}): AwsKeys {
  const [accessKeyId, secretAccessKey, sessionToken] = [
    parts.accessKeyId,
    parts.secretAccessKey,
    parts.sessionToken,
  ].map((part) => part?.reveal().trim() || undefined);
  if (accessKeyId !== undefined && secretAccessKey !== undefined)
    return asKeys({ accessKeyId, secretAccessKey, sessionToken });
  if (accessKeyId === undefined && secretAccessKey === undefined && sessionToken !== undefined)
    throw new CredentialError('incomplete', 'a session token needs its access key id and its secret access key');
  const missing = [accessKeyId ?? 'the access key id', secretAccessKey ?? 'the secret access key'].filter((part) =>
    part.startsWith('the '),
  );
  throw new CredentialError('incomplete', `${missing.join(' and ')} of the AWS key pair is missing`);
}

export async function findKeys(
  identity: AwsIdentity,
  context: StsContext,
  signal: AbortSignal,
): Promise<Minted<AwsKeys>> {
  if (identity.type === 'AccessKey') return { value: identity.keys, expiresAt: undefined };
  const token = identity.type === 'WebIdentity' ? await readTokenFile(context.ports, identity.tokenFile) : undefined;
  return fromSdk(context, signal, async ({ fromNodeProviderChain, fromWebToken }, clientConfig) => {
    if (identity.type === 'WebIdentity')
      return fromWebToken({
        roleArn: identity.roleArn,
        roleSessionName: 'portcullis',
        webIdentityToken: token!.reveal(),
        clientConfig,
      })();
    // A new chain each time: the SDK's memory of earlier answers would hand out what is about to end.
    return fromNodeProviderChain({ clientConfig, ignoreCache: true })();
  });
}

/** @param name of the session, see session-name.ts */
export async function assumeRole(
  { roleArn, externalId }: AssumeRole,
  name: string,
  base: AwsKeys,
  context: StsContext,
  signal: AbortSignal,
): Promise<Minted<AwsKeys>> {
  const masterCredentials = {
    accessKeyId: base.accessKeyId,
    secretAccessKey: base.secretAccessKey.reveal(),
    ...(base.sessionToken === undefined ? {} : { sessionToken: base.sessionToken.reveal() }),
  };
  return fromSdk(context, signal, async ({ fromTemporaryCredentials }, clientConfig) =>
    fromTemporaryCredentials({
      masterCredentials,
      params: {
        RoleArn: roleArn,
        RoleSessionName: name,
        ...(externalId === undefined ? {} : { ExternalId: externalId }),
      },
      clientConfig,
    })(),
  );
}

interface ClientConfig {
  readonly region: string;
  readonly maxAttempts: number;
  readonly requestHandler: ReturnType<typeof stsRequestHandler>;
}

async function fromSdk(
  { region, ports, skew }: StsContext,
  signal: AbortSignal,
  call: (sdk: typeof Sdk, clientConfig: ClientConfig) => Promise<SdkKeys>,
): Promise<Minted<AwsKeys>> {
  try {
    const sdk = await import('@aws-sdk/credential-providers');
    // One attempt: when to try again is the refresher's decision.
    const clientConfig = { region, maxAttempts: 1, requestHandler: stsRequestHandler(ports, skew, signal) };
    const found = await call(sdk, clientConfig);
    const expiresAt = found.expiration === undefined ? undefined : found.expiration.getTime() - skew.offset;
    return { value: asKeys(found), expiresAt };
  } catch (error) {
    throw awsError(error);
  }
}

function asKeys(
  found: Record<'accessKeyId' | 'secretAccessKey', string> & { sessionToken?: string | undefined },
): AwsKeys {
  const { accessKeyId, secretAccessKey, sessionToken } = found;
  return {
    accessKeyId,
    secretAccessKey: new SecretText(secretAccessKey),
    sessionToken: sessionToken === undefined ? undefined : new SecretText(sessionToken),
  };
}
