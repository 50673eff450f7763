// Google for Vertex: what the machine has (application default credentials), a service account key from a Secret, or workload identity
// federation with a projected token.
//
// Without Google's library, after trying it: its federation client goes around the transport it is given, and so around the configured
// proxy; it repeats failed exchanges by a rule of its own; it remembers for good that a metadata server was away when the pod started;
// and loading it takes 400 ms of a core. Each exchange is one HTTP call of RFC 6749, 7523 or 8693.
import type { SecretText } from '#shared/secret-text.ts';
import { BearerSource } from './bearer-source.ts';
import { CredentialError } from './credential-error.ts';
import { authorizedUser, fromFile } from './google-file.ts';
import { googleFederation, type GoogleWorkloadIdentity } from './google-federation.ts';
import { serviceAccount, serviceAccountKey } from './google-service-account.ts';
import type { Refresher } from './refresher.ts';
import type { Minted } from './renewal.ts';
import type { CredentialPorts } from './source.ts';
import { requestToken } from './token-endpoint.ts';

export interface GoogleSpec {
  readonly type: 'Google';
  readonly identity:
    | { readonly type: 'Default' }
    /** The JSON text Google gives out. */
    | { readonly type: 'ServiceAccountKey'; readonly key: SecretText }
    | ({ readonly type: 'WorkloadIdentity' } & GoogleWorkloadIdentity);
}

const METADATA_TOKEN = 'http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token';

export function google(
  id: string,
  { identity }: GoogleSpec,
  refresher: Refresher,
  ports: CredentialPorts,
): BearerSource {
  const mint = async (signal: AbortSignal): Promise<Minted<SecretText>> => {
    switch (identity.type) {
      case 'Default':
        return applicationDefault(ports, signal);
      case 'ServiceAccountKey':
        return serviceAccount(serviceAccountKey(identity.key.reveal(), 'the service account key'), ports, signal);
      case 'WorkloadIdentity':
        return googleFederation(identity, ports, signal);
    }
  };
  return new BearerSource({ id, kind: 'Google', mint }, refresher, ports);
}

/** The file that the environment names, else the metadata server of the machine. */
async function applicationDefault(ports: CredentialPorts, signal: AbortSignal): Promise<Minted<SecretText>> {
  const path = ports.googleCredentialsFile;
  if (path === undefined) return fromMetadata(ports, signal);
  const file = await fromFile(path, ports);
  switch (file.type) {
    case 'service_account':
      return serviceAccount(file.key, ports, signal);
    case 'authorized_user':
      return authorizedUser(file, ports, signal);
    case 'external_account':
      return googleFederation(file.identity, ports, signal);
  }
}

async function fromMetadata({ fetchLocal, clock }: CredentialPorts, signal: AbortSignal): Promise<Minted<SecretText>> {
  try {
    const headers = { 'metadata-flavor': 'Google' };
    return await requestToken(fetchLocal, clock, { url: METADATA_TOKEN, method: 'GET', headers, signal });
  } catch (error) {
    if (!(error instanceof CredentialError) || error.code !== 'unreachable') throw error;
    throw new CredentialError('not_found', `${error.message}: this machine has no Google identity`);
  }
}
