// Anthropic workload identity federation: the pod's projected token is exchanged for a short-lived Anthropic token (RFC 7523 grant).
import type { FederationConfig } from '#shared/bundle/credential-config.ts';
import type { SecretText } from '#shared/secret-text.ts';
import { BearerSource } from './bearer-source.ts';
import type { Refresher } from './refresher.ts';
import type { Minted } from './renewal.ts';
import type { CredentialPorts } from './source.ts';
import { requestToken } from './token-endpoint.ts';
import { readTokenFile } from './token-file.ts';

export interface AnthropicFederationSpec extends FederationConfig {
  /** Without trailing slash; the exchange goes to the host that the calls go to. */
  readonly baseUrl: string;
}

/** Both are asked for by the exchange; calls with the token carry only the first. */
const OAUTH_BETA = 'oauth-2025-04-20';
const FEDERATION_BETA = 'oidc-federation-2026-04-01';

export function anthropicFederation(
  id: string,
  spec: AnthropicFederationSpec,
  refresher: Refresher,
  ports: CredentialPorts,
): BearerSource {
  const mint = (signal: AbortSignal): Promise<Minted<SecretText>> => exchange(spec, ports, signal);
  return new BearerSource({ id, kind: 'AnthropicFederation', mint, beta: OAUTH_BETA }, refresher, ports);
}

async function exchange(
  spec: AnthropicFederationSpec,
  ports: CredentialPorts,
  signal: AbortSignal,
): Promise<Minted<SecretText>> {
  const assertion = await readTokenFile(ports, spec.tokenFile);
  return requestToken(ports.fetch, ports.clock, {
    url: `${spec.baseUrl}/v1/oauth/token`,
    method: 'POST',
    headers: { 'content-type': 'application/json', 'anthropic-beta': `${OAUTH_BETA},${FEDERATION_BETA}` },
    body: JSON.stringify({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: assertion.reveal(),
      federation_rule_id: spec.federationRuleId,
      organization_id: spec.organizationId,
      // Left out when undefined: the server then picks the rule's own.
      service_account_id: spec.serviceAccountId,
      workspace_id: spec.workspaceId,
    }),
    signal,
  });
}
