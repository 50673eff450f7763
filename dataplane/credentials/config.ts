// What the bundle says of an upstream's credential, with the secrets filled in.
import type { Credentials, UpstreamEntry } from '#shared/bundle/bundle.ts';
import type { AwsConfig, CredentialRef, GoogleConfig } from '#shared/bundle/credential-config.ts';
import { SecretText } from '#shared/secret-text.ts';
import { accessKey, type AwsIdentity } from './aws-keys.ts';
import type { GoogleSpec } from './google.ts';
import type { CredentialSpec } from './sources.ts';

/**
 * @param credentials hold everything the entry refers to; an upstream whose Secret is missing is not compiled
 * @throws {CredentialError} `incomplete` for half a pair of AWS keys
 */
export function credentialSpec(
  { credential: config, baseUrl }: UpstreamEntry,
  credentials: Credentials,
): CredentialSpec {
  const secret = (ref: CredentialRef): SecretText => credentials.values[ref] ?? new SecretText('');
  switch (config.type) {
    case 'Headers':
      return { type: 'Fixed', headers: [] };
    case 'Fixed': {
      const { header: name, scheme, credential, standby } = config;
      const form = { name, ...(scheme === undefined ? {} : { scheme }) };
      return {
        type: 'Fixed',
        headers: [{ ...form, value: secret(credential) }],
        ...(standby === undefined ? {} : { standby: [{ ...form, value: secret(standby) }] }),
      };
    }
    case 'AWS':
      return { ...config, identity: awsIdentity(config.identity, secret) };
    case 'Google':
      return { type: 'Google', identity: googleIdentity(config.identity, secret) };
    case 'Entra':
      return config;
    case 'AnthropicFederation':
      return { ...config, baseUrl };
  }
}

type Secret = (ref: CredentialRef) => SecretText;

function awsIdentity(identity: AwsConfig['identity'], secret: Secret): AwsIdentity {
  if (identity.type !== 'AccessKey') return identity;
  const { accessKeyId, secretAccessKey, sessionToken } = identity;
  const keys = accessKey({
    accessKeyId: secret(accessKeyId),
    secretAccessKey: secret(secretAccessKey),
    sessionToken: sessionToken === undefined ? undefined : secret(sessionToken),
  });
  return { type: 'AccessKey', keys };
}

function googleIdentity(identity: GoogleConfig['identity'], secret: Secret): GoogleSpec['identity'] {
  return identity.type === 'ServiceAccountKey' ? { type: identity.type, key: secret(identity.key) } : identity;
}
