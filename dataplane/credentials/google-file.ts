// The credentials file that Google's tools and clusters leave behind. Only the fields named here are used, never an address in it.
import { SecretText } from '#shared/secret-text.ts';
import { CredentialError } from './credential-error.ts';
import type { GoogleWorkloadIdentity } from './google-federation.ts';
import { GOOGLE_TOKEN, serviceAccountKey, type ServiceAccountKey } from './google-service-account.ts';
import { jsonFields, stringField } from './json-fields.ts';
import type { Minted } from './renewal.ts';
import type { CredentialPorts } from './source.ts';
import { FORM, requestToken } from './token-endpoint.ts';

export type GoogleFile =
  | { readonly type: 'service_account'; readonly key: ServiceAccountKey }
  | AuthorizedUser
  | { readonly type: 'external_account'; readonly identity: GoogleWorkloadIdentity };

/** A developer who signed in with gcloud. */
export interface AuthorizedUser {
  readonly type: 'authorized_user';
  readonly clientId: string;
  readonly clientSecret: SecretText;
  readonly refreshToken: SecretText;
}

/** @throws {CredentialError} `not_found`, `incomplete` */
export async function fromFile(path: string, { readFile }: CredentialPorts): Promise<GoogleFile> {
  const text = await readFile(path).catch(() => {
    throw new CredentialError('not_found', `cannot read the Google credentials file ${path}`);
  });
  const fields = jsonFields(text, path);
  switch (fields['type']) {
    case 'service_account':
      return { type: 'service_account', key: serviceAccountKey(text, path) };
    case 'authorized_user':
      return {
        type: 'authorized_user',
        clientId: stringField(fields, 'client_id', path),
        clientSecret: new SecretText(stringField(fields, 'client_secret', path)),
        refreshToken: new SecretText(stringField(fields, 'refresh_token', path)),
      };
    case 'external_account':
      return { type: 'external_account', identity: externalAccount(fields, path) };
    default:
      throw new CredentialError('incomplete', `${path} holds credentials of a type that is not supported`);
  }
}

export async function authorizedUser(
  { clientId, clientSecret, refreshToken }: AuthorizedUser,
  { fetch, clock }: CredentialPorts,
  signal: AbortSignal,
): Promise<Minted<SecretText>> {
  const body = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: clientId,
    client_secret: clientSecret.reveal(),
    refresh_token: refreshToken.reveal(),
  }).toString();
  return requestToken(fetch, clock, { url: GOOGLE_TOKEN, method: 'POST', headers: FORM, body, signal });
}

/** Only tokens in a plain file: other sources would have us call an address or run a program that the file names. */
function externalAccount(fields: Record<string, unknown>, path: string): GoogleWorkloadIdentity {
  const { file, format } = (fields['credential_source'] ?? {}) as Record<string, unknown>;
  const { type = 'text' } = (format ?? {}) as Record<string, unknown>;
  if (typeof file !== 'string' || type !== 'text')
    throw new CredentialError(
      'incomplete',
      `${path}: of external accounts only those with a token in a file are supported`,
    );
  const audience = stringField(fields, 'audience', path);
  const url = fields['service_account_impersonation_url'];
  if (url === undefined) return { audience, tokenFile: file };
  const account = typeof url === 'string' ? /serviceAccounts\/([^/:]+):generateAccessToken$/.exec(url)?.[1] : undefined;
  if (account === undefined)
    throw new CredentialError('incomplete', `${path}: service_account_impersonation_url names no service account`);
  return { audience, tokenFile: file, serviceAccount: decodeURIComponent(account) };
}
