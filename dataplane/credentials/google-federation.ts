// Google workload identity federation: a projected token for a federated one (RFC 8693), and that for one of a service account where the
// pool's principals may act as it.
import { SecretText } from '#shared/secret-text.ts';
import { CredentialError } from './credential-error.ts';
import { GOOGLE_SCOPE } from './google-service-account.ts';
import type { Minted } from './renewal.ts';
import type { CredentialPorts } from './source.ts';
import { FORM, isHeaderValue, requestJson, requestToken } from './token-endpoint.ts';
import { readTokenFile } from './token-file.ts';

export interface GoogleWorkloadIdentity {
  /** `//iam.googleapis.com/projects/…/providers/…` */
  readonly audience: string;
  readonly tokenFile: string;
  /** E-mail address of a service account to act as; the federated identity itself when left out. */
  readonly serviceAccount?: string;
}

const EXCHANGE = 'https://sts.googleapis.com/v1/token';
const IMPERSONATION = 'https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts';

export async function googleFederation(
  { audience, tokenFile, serviceAccount }: GoogleWorkloadIdentity,
  ports: CredentialPorts,
  signal: AbortSignal,
): Promise<Minted<SecretText>> {
  const projected = await readTokenFile(ports, tokenFile);
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience,
    scope: GOOGLE_SCOPE,
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    subject_token: projected.reveal(),
  }).toString();
  const request = { url: EXCHANGE, method: 'POST', headers: FORM, body, signal } as const;
  const federated = await requestToken(ports.fetch, ports.clock, request);
  return serviceAccount === undefined ? federated : actAs(serviceAccount, federated.value, ports, signal);
}

async function actAs(
  account: string,
  federated: SecretText,
  { fetch }: CredentialPorts,
  signal: AbortSignal,
): Promise<Minted<SecretText>> {
  const { accessToken, expireTime } = await requestJson(fetch, {
    url: `${IMPERSONATION}/${encodeURIComponent(account)}:generateAccessToken`,
    method: 'POST',
    headers: { authorization: `Bearer ${federated.reveal()}`, 'content-type': 'application/json' },
    body: JSON.stringify({ scope: [GOOGLE_SCOPE] }),
    signal,
  });
  const expiresAt = typeof expireTime === 'string' ? Date.parse(expireTime) : NaN;
  if (typeof accessToken !== 'string' || !isHeaderValue(accessToken) || Number.isNaN(expiresAt))
    throw new CredentialError('malformed', 'Google answered without a token of the service account');
  return { value: new SecretText(accessToken), expiresAt };
}
