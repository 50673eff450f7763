// Who the gateway is to an upstream: from the `auth` of its provider to what the bundle says, every secret taken by reference.
import type { UpstreamSpec } from '#shared/api/upstream.ts';
import type {
  AwsConfig,
  CredentialConfig,
  CredentialRef,
  EntraConfig,
  FixedConfig,
  GoogleConfig,
} from '#shared/bundle/credential-config.ts';
import { present } from './present.ts';
import type { SecretForm } from './secret-value.ts';

export interface SecretRef {
  readonly name: string;
  readonly key: string;
}

/**
 * Takes a value into the credentials of the upstream, or reports why it cannot.
 * @param path of the reference in the manifest
 * @param name of the value among those of the upstream
 */
export type TakeSecret = (path: string, name: string, ref: SecretRef, form?: SecretForm) => CredentialRef;

type Member<Name extends keyof UpstreamSpec> = NonNullable<UpstreamSpec[Name]>;
type AwsAuth = Omit<Member<'bedrock'>['auth'] | Member<'claudePlatformAWS'>['auth'], 'type'> & {
  readonly type: string;
};

/** @param take is asked for every secret that the upstream's `auth` names */
export function credentialOf(spec: UpstreamSpec, take: TakeSecret): CredentialConfig {
  const { anthropic, anthropicCompatible, bedrock, bedrockMantle, claudePlatformAWS, foundry, vertex } = spec;
  if (anthropic?.auth.workloadIdentity !== undefined)
    return { type: 'AnthropicFederation', ...present(anthropic.auth.workloadIdentity) };
  if (anthropic !== undefined) return fixed('spec.anthropic.auth', anthropic.auth, take) ?? { type: 'Headers' };
  if (anthropicCompatible !== undefined)
    return fixed('spec.anthropicCompatible.auth', anthropicCompatible.auth, take) ?? { type: 'Headers' };
  if (bedrock !== undefined) return aws('spec.bedrock.auth', bedrock.auth, bedrock.region, 'bedrock', take);
  if (bedrockMantle !== undefined) {
    const { auth, region } = bedrockMantle;
    return aws('spec.bedrockMantle.auth', auth, region, 'bedrock-mantle', take);
  }
  if (claudePlatformAWS !== undefined) {
    const { auth, region } = claudePlatformAWS;
    return aws('spec.claudePlatformAWS.auth', auth, region, 'aws-external-anthropic', take);
  }
  if (vertex !== undefined) return google(vertex.auth, take);
  if (foundry !== undefined) return entra(foundry.auth, take);
  throw new TypeError(`${spec.provider} without its settings: the schema lets none of these pass`);
}

/** A value that goes into one header; undefined where `auth` names none. */
function fixed(
  path: string,
  {
    apiKey,
    bearerToken,
    standby,
  }: { apiKey?: SecretRef | undefined; bearerToken?: SecretRef | undefined; standby?: SecretRef | undefined },
  take: TakeSecret,
  keyHeader = 'x-api-key',
): FixedConfig | undefined {
  const ref = apiKey ?? bearerToken;
  if (ref === undefined) return undefined;
  const credential = take(`${path}.${apiKey === undefined ? 'bearerToken' : 'apiKey'}`, 'auth', ref);
  return {
    type: 'Fixed',
    ...(apiKey === undefined ? { header: 'authorization', scheme: 'Bearer ' } : { header: keyHeader }),
    credential,
    ...(standby === undefined ? {} : { standby: take(`${path}.standby`, 'auth/standby', standby) }),
  };
}

function aws(
  path: string,
  auth: AwsAuth,
  region: string,
  service: AwsConfig['service'],
  take: TakeSecret,
): CredentialConfig {
  const value = fixed(path, auth, take);
  if (value !== undefined) return value;
  const { assumeRole } = auth;
  return {
    type: 'AWS',
    region,
    service,
    identity: awsIdentity(path, auth, take),
    ...(assumeRole === undefined ? {} : { assumeRole: present(assumeRole) }),
  };
}

function awsIdentity(path: string, { accessKey, webIdentity }: AwsAuth, take: TakeSecret): AwsConfig['identity'] {
  if (webIdentity !== undefined) return { type: 'WebIdentity', ...webIdentity };
  if (accessKey === undefined) return { type: 'Default' };
  const part = (name: 'accessKeyId' | 'secretAccessKey' | 'sessionToken', ref: SecretRef) =>
    take(`${path}.accessKey.${name}`, `auth/${name}`, ref);
  const { accessKeyId, secretAccessKey, sessionToken } = accessKey;
  return {
    type: 'AccessKey',
    accessKeyId: part('accessKeyId', accessKeyId),
    secretAccessKey: part('secretAccessKey', secretAccessKey),
    ...(sessionToken === undefined ? {} : { sessionToken: part('sessionToken', sessionToken) }),
  };
}

function google({ serviceAccountKey, workloadIdentity }: Member<'vertex'>['auth'], take: TakeSecret): GoogleConfig {
  const path = 'spec.vertex.auth.serviceAccountKey';
  if (serviceAccountKey !== undefined) {
    const key = take(path, 'auth', serviceAccountKey, 'ServiceAccountKey');
    return { type: 'Google', identity: { type: 'ServiceAccountKey', key } };
  }
  if (workloadIdentity !== undefined)
    return { type: 'Google', identity: { type: 'WorkloadIdentity', ...present(workloadIdentity) } };
  return { type: 'Google', identity: { type: 'Default' } };
}

function entra(auth: Member<'foundry'>['auth'], take: TakeSecret): CredentialConfig {
  const value = fixed('spec.foundry.auth', auth, take, 'api-key');
  if (value !== undefined) return value;
  const { audience, managedIdentity, workloadIdentity } = auth;
  const identity: EntraConfig['identity'] =
    workloadIdentity === undefined
      ? { type: 'ManagedIdentity', ...present(managedIdentity ?? {}) }
      : { type: 'WorkloadIdentity', ...present(workloadIdentity) };
  return { type: 'Entra', ...(audience === undefined ? {} : { audience }), identity };
}
