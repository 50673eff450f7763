// A Google service account key: an assertion signed with it, exchanged for an access token (RFC 7523).
import { createPrivateKey, sign, type KeyObject } from 'node:crypto';
import type { SecretText } from '#shared/secret-text.ts';
import { CredentialError } from './credential-error.ts';
import { jsonFields, stringField } from './json-fields.ts';
import type { Minted } from './renewal.ts';
import type { CredentialPorts } from './source.ts';
import { FORM, requestToken } from './token-endpoint.ts';

export const GOOGLE_SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
export const GOOGLE_TOKEN = 'https://oauth2.googleapis.com/token';
/** The longest Google accepts. */
const ASSERTION_SECONDS = 3600;

export interface ServiceAccountKey {
  readonly email: string;
  readonly key: KeyObject;
  readonly keyId: string;
}

/**
 * What is used of a key. Its `token_uri` is not: the Secret must not choose where an assertion is sent.
 * @param where what the text is, for messages
 * @throws {CredentialError} `incomplete`
 */
export function serviceAccountKey(text: string, where: string): ServiceAccountKey {
  const fields = jsonFields(text, where);
  if (fields['type'] !== 'service_account')
    throw new CredentialError('incomplete', `${where} is not a key of type service_account`);
  return {
    email: stringField(fields, 'client_email', where),
    key: privateKey(stringField(fields, 'private_key', where), where),
    keyId: stringField(fields, 'private_key_id', where),
  };
}

export async function serviceAccount(
  { email, key, keyId }: ServiceAccountKey,
  { fetch, clock }: CredentialPorts,
  signal: AbortSignal,
): Promise<Minted<SecretText>> {
  const seconds = Math.floor(clock.now() / 1000);
  const claims = { iss: email, scope: GOOGLE_SCOPE, aud: GOOGLE_TOKEN, iat: seconds, exp: seconds + ASSERTION_SECONDS };
  const head = { alg: 'RS256', typ: 'JWT', kid: keyId };
  const signed = [head, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const signature = sign('RSA-SHA256', Buffer.from(signed), key).toString('base64url');
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: `${signed}.${signature}`,
  }).toString();
  return requestToken(fetch, clock, { url: GOOGLE_TOKEN, method: 'POST', headers: FORM, body, signal });
}

function privateKey(pem: string, where: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'rsa') return key;
  } catch {
    // The parser's words say nothing that helps, and might repeat a piece of the key.
  }
  throw new CredentialError('incomplete', `the private key of ${where} is not an RSA key in PEM`);
}
