// What one look at an upstream found. Every outcome has sentences of its own: words of a provider are never repeated, for they may hold
// account ids, project names or the credential itself.
import type { ProviderFamily } from '#shared/catalog/families.ts';

/**
 * - `BadCredential`: the provider does not know it, or not any more
 * - `NoPermission`: it knows it, and does not let it
 * - `ModelNotEnabled`: it lets it, but not to this model
 * - `CredentialUnavailable`: there is none to show
 * - `Unexpected`: it answers, and nothing follows from it
 */
export type Outcome =
  | 'Valid'
  | 'BadCredential'
  | 'NoPermission'
  | 'ModelNotEnabled'
  | 'RateLimited'
  | 'Unreachable'
  | 'CredentialUnavailable'
  | 'Unexpected';

export interface Finding {
  readonly outcome: Outcome;
  /** For people: what is wrong and what to do. Holds nothing secret. */
  readonly message: string;
  /** What the upstream calls the model in question. */
  readonly model?: string;
  /** Mapped models that a complete list of the upstream does not hold; empty: all are there. Absent: there was no such list. */
  readonly missing?: readonly string[];
}

/** What a credential must be allowed to do, where it is too little. */
export const PERMISSION: Readonly<Record<ProviderFamily, string>> = {
  Anthropic: 'the workspace of the key must be allowed to use the Messages API',
  AnthropicCompatible: 'the credential must be allowed to send messages',
  Bedrock:
    'it needs bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream on the inference profile and on the foundation model behind it',
  BedrockMantle: 'it needs bedrock-mantle:CreateInference',
  ClaudePlatformAWS: 'it needs aws-external-anthropic:CreateInference on the workspace',
  Foundry: 'it needs the role Cognitive Services User or Azure AI User on the resource',
  Vertex: 'it needs roles/aiplatform.user in the project, and the Vertex AI API must be enabled there',
};

/** What went wrong before there was an answer, by the codes of sockets, TLS and undici. */
export function unreachable(error: unknown, origin: string): Finding {
  return { outcome: 'Unreachable', message: `${origin} cannot be reached: ${causeOf(error)}.` };
}

const CAUSES: readonly (readonly [RegExp, string])[] = [
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'its name cannot be resolved'],
  [/^ECONNREFUSED$/, 'the connection is refused'],
  [/^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/, 'the connection breaks off'],
  [/^(EHOSTUNREACH|ENETUNREACH)$/, 'there is no way to it'],
  [/^(ETIMEDOUT|UND_ERR_\w*TIMEOUT|ABORT_ERR)$/, 'it does not answer in time'],
  [/^UND_ERR_ABORTED$/, 'it does not answer in time, or the proxy refuses'],
  [/(CERT|SELF_SIGNED|ISSUER|SIGNATURE)/, 'its certificate is not trusted'],
  [/^(ERR_TLS|ERR_SSL|EPROTO)/, 'no TLS connection comes about'],
];

function causeOf(error: unknown): string {
  for (let each = error, depth = 0; each instanceof Error && depth < 4; each = each.cause, depth++) {
    const code = (each as NodeJS.ErrnoException).code ?? (each.name === 'AbortError' ? 'ABORT_ERR' : '');
    const known = CAUSES.find(([pattern]) => pattern.test(code));
    if (known !== undefined) return known[1];
  }
  return 'the connection fails';
}
