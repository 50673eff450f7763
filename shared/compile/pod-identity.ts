// Credentials that are the identity of the gateway's own pods: whoever may use them acts as the platform team.
import type { UpstreamSpec } from '#shared/api/upstream.ts';

const MEMBERS = [
  'anthropic',
  'bedrock',
  'bedrockMantle',
  'claudePlatformAWS',
  'vertex',
  'foundry',
] as const satisfies readonly (keyof UpstreamSpec)[];

const FROM_PODS: ReadonlySet<string> = new Set(['Default', 'WebIdentity', 'WorkloadIdentity', 'ManagedIdentity']);

/** @returns path of the `type` that asks for the pods' identity; undefined when the credential is a Secret's */
export function podIdentityPath(spec: UpstreamSpec): readonly string[] | undefined {
  const member = MEMBERS.find((name) => FROM_PODS.has(spec[name]?.auth.type ?? ''));
  return member === undefined ? undefined : ['spec', member, 'auth', 'type'];
}
