// Microsoft Entra for Foundry: workload identity (a projected token for an access token) and managed identity (the machine's metadata
// server). Each is one HTTP call, which is why Microsoft's identity package, forty megabytes on disk, is not here.
import type { EntraConfig } from '#shared/bundle/credential-config.ts';
import type { SecretText } from '#shared/secret-text.ts';
import { BearerSource } from './bearer-source.ts';
import { CredentialError } from './credential-error.ts';
import type { Refresher } from './refresher.ts';
import type { Minted } from './renewal.ts';
import type { CredentialPorts } from './source.ts';
import { FORM, requestToken } from './token-endpoint.ts';
import { readTokenFile } from './token-file.ts';

/** Nothing of it is secret, so it stands in the bundle as it is. */
export type EntraSpec = EntraConfig;

const FOUNDRY_AUDIENCE = 'https://ai.azure.com';
const PUBLIC_AUTHORITY = 'https://login.microsoftonline.com';
const METADATA_TOKEN = 'http://169.254.169.254/metadata/identity/oauth2/token';
const METADATA_VERSION = '2018-02-01';

export function entra(id: string, spec: EntraSpec, refresher: Refresher, ports: CredentialPorts): BearerSource {
  const { identity, audience = FOUNDRY_AUDIENCE } = spec;
  const mint = (signal: AbortSignal): Promise<Minted<SecretText>> =>
    identity.type === 'WorkloadIdentity'
      ? workloadIdentity(identity, audience, ports, signal)
      : managedIdentity(identity.clientId, audience, ports, signal);
  return new BearerSource({ id, kind: 'Entra', mint }, refresher, ports);
}

async function workloadIdentity(
  identity: Extract<EntraSpec['identity'], { type: 'WorkloadIdentity' }>,
  audience: string,
  ports: CredentialPorts,
  signal: AbortSignal,
): Promise<Minted<SecretText>> {
  const assertion = await readTokenFile(ports, identity.tokenFile);
  return requestToken(ports.fetch, ports.clock, {
    url: `${identity.authority ?? PUBLIC_AUTHORITY}/${encodeURIComponent(identity.tenantId)}/oauth2/v2.0/token`,
    method: 'POST',
    headers: FORM,
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: identity.clientId,
      scope: `${audience}/.default`,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion.reveal(),
    }).toString(),
    signal,
  });
}

async function managedIdentity(
  clientId: string | undefined,
  audience: string,
  ports: CredentialPorts,
  signal: AbortSignal,
): Promise<Minted<SecretText>> {
  const query = new URLSearchParams({ 'api-version': METADATA_VERSION, resource: audience });
  if (clientId !== undefined) query.set('client_id', clientId);
  try {
    // The header proves that no browser or redirect made the call.
    return await requestToken(ports.fetchLocal, ports.clock, {
      url: `${METADATA_TOKEN}?${query.toString()}`,
      method: 'GET',
      headers: { metadata: 'true' },
      signal,
    });
  } catch (error) {
    if (!(error instanceof CredentialError) || error.code !== 'unreachable') throw error;
    throw new CredentialError('not_found', `${error.message}: this machine has no managed identity`);
  }
}
