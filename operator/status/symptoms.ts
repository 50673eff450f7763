// From what people see to where the cause is told: one condition, or one series of a metric, for each symptom an administrator is called
// for. README and runbooks are written from this table, and a test brings every line of it about.
// Issuers and shared stores add their lines when they exist.
import type { ConditionType } from '#shared/api/conditions.ts';
import type { Kind } from '#shared/api/kinds.ts';

export interface Symptom {
  /** As it is reported. */
  readonly symptom: string;
  readonly seen: Signal;
  /** What to do about it. */
  readonly fix: string;
}

export type Signal =
  | {
      readonly kind: Kind;
      readonly condition: ConditionType;
      readonly status: 'True' | 'False' | 'Unknown';
      readonly reason: string;
    }
  | { readonly metric: string; readonly labels: Readonly<Record<string, string>> };

const condition = (
  kind: Kind,
  type: ConditionType,
  reason: string,
  status: 'True' | 'False' | 'Unknown' = 'False',
): Signal => ({ kind, condition: type, status, reason });
const refused = (reason: string): Signal => ({ metric: 'portcullis_refusals_total', labels: { reason } });

export const SYMPTOMS: readonly Symptom[] = [
  {
    symptom: 'Key not found',
    seen: refused('unknown_key'),
    fix: 'Compare the first characters with status.prefix of the VirtualKeys; the value may be of another Gateway or mistyped.',
  },
  {
    symptom: 'Key never came to its Secret',
    seen: condition('VirtualKey', 'ResolvedRefs', 'SecretPending', 'Unknown'),
    fix: 'See the message and the log of the operator.',
  },
  {
    symptom: 'Key is refused since it was applied',
    seen: condition('VirtualKey', 'Accepted', 'GatewayNotFound'),
    fix: 'Correct spec.gatewayRef.',
  },
  {
    symptom: 'Token expired',
    seen: condition('VirtualKey', 'Ready', 'Expired'),
    fix: 'Set a later spec.expiresAt or create a new key.',
  },
  {
    symptom: 'Token expired, at the caller',
    seen: refused('expired_key'),
    fix: 'The audit record names the key.',
  },
  {
    symptom: 'Key without upstream',
    seen: refused('no_upstream'),
    fix: 'spec.upstreams of the Policy fits no Upstream that is Ready; its Accepted message says so.',
  },
  {
    symptom: "Provider key's Secret is missing",
    seen: condition('Upstream', 'ResolvedRefs', 'RefNotFound'),
    fix: 'Create the Secret or correct the reference named in the message.',
  },
  {
    symptom: 'Provider key invalid, before anybody called',
    seen: condition('Upstream', 'CredentialsValid', 'BadCredential'),
    fix: 'Replace the value in its Secret; the message says what the provider objects to.',
  },
  {
    symptom: 'The pods have no cloud identity',
    seen: condition('Upstream', 'CredentialsValid', 'CredentialUnavailable'),
    fix: 'Check the service account of the pods and its binding to the role; the message says what was tried.',
  },
  {
    symptom: 'Model not enabled at the provider',
    seen: condition('Upstream', 'ModelsAvailable', 'ModelNotEnabled'),
    fix: 'Enable it for the account or correct spec.models.',
  },
  {
    symptom: 'Provider key about to end',
    seen: condition('Upstream', 'CredentialExpiring', 'WithinSevenDays', 'True'),
    fix: 'Replace the value in the Secret that the message names.',
  },
  {
    symptom: 'Provider key invalid',
    seen: refused('upstream_auth'),
    fix: 'Replace the value in the Secret of the Upstream that the audit record names.',
  },
  {
    symptom: 'Provider cannot be reached',
    seen: { metric: 'portcullis_upstream_attempts_total', labels: { result: 'connect' } },
    fix: 'Check spec.baseUrl of the Upstream, the proxy and the NetworkPolicy.',
  },
  {
    symptom: 'Proxy stopped',
    seen: condition('Gateway', 'Programmed', 'NoReadyReplica'),
    fix: 'Look at the Deployment and its pods.',
  },
  {
    symptom: 'Proxy paused',
    seen: condition('Gateway', 'Ready', 'Paused'),
    fix: 'Take spec.paused away.',
  },
  {
    symptom: 'A change does not take effect',
    seen: condition('Gateway', 'Programmed', 'LoadFault'),
    fix: 'The message names the pod and what it could not load.',
  },
  {
    symptom: 'A policy does not take effect',
    seen: condition('Policy', 'Overridden', 'Overridden', 'True'),
    fix: 'The message names the policy that comes first; change spec.priority.',
  },
  { symptom: 'Scope missing', seen: refused('scope'), fix: 'Add the scope to the VirtualKey and its Policy.' },
  {
    symptom: 'IP blocked',
    seen: refused('network'),
    fix: 'See spec.listen.access, spec.listen.trustedProxies, and network of the Policy and the VirtualKey.',
  },
  {
    symptom: 'Flag not set at the client: a cloud login instead of the key',
    seen: refused('google_token'),
    fix: 'Set CLAUDE_CODE_SKIP_VERTEX_AUTH=1, or the like for the other clouds, and ANTHROPIC_AUTH_TOKEN.',
  },
  {
    symptom: 'Base URL wrong at the client',
    seen: refused('not_found'),
    fix: 'ANTHROPIC_BASE_URL is spec.publicUrl of the Gateway, without a path.',
  },
  {
    symptom: 'Base URL of a provider wrong',
    seen: condition('Upstream', 'Accepted', 'InsecureUrl'),
    fix: 'Use https.',
  },
];
