// What an answer says about the credential, the model and the upstream. Clouds say the same things with different statuses: AWS answers a
// wrong key with 403, Azure a missing role with 401, Bedrock a model that is not enabled with any of 400, 403 and 404.
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { PERMISSION, type Finding, type Outcome } from './finding.ts';

export interface ProbedAnswer {
  readonly family: ProviderFamily;
  readonly status: number;
  /** The beginning of the body, and what headers say of the error. */
  readonly text: string;
  /** As the upstream names it; undefined where the question was about no model. */
  readonly model: string | undefined;
}

interface Row {
  readonly families?: readonly ProviderFamily[];
  readonly statuses: readonly number[];
  readonly says: RegExp;
  readonly outcome: Outcome;
  /** In place of the sentence of the outcome. */
  readonly because?: string;
}

const AWS: readonly ProviderFamily[] = ['Bedrock', 'BedrockMantle', 'ClaudePlatformAWS'];

/** The first that fits counts; what none fits is judged by its status. */
const ROWS: readonly Row[] = [
  {
    families: AWS,
    statuses: [400, 401, 403],
    says: /ExpiredToken|token included in the request is expired|token (?:has|is) expired/i,
    outcome: 'BadCredential',
    because: 'The session token has expired: put a fresh one in the Secret.',
  },
  {
    families: AWS,
    statuses: [400, 401, 403],
    says: /InvalidSignature|SignatureDoesNotMatch|signature we calculated/i,
    outcome: 'BadCredential',
    because: 'The signature is not accepted: the secret access key is not the one of this key id.',
  },
  {
    families: AWS,
    statuses: [400, 401, 403],
    says: /UnrecognizedClient|InvalidClientTokenId|IncompleteSignature|MissingAuthenticationToken|security token included in the request is invalid|API Key is (?:in)?valid/i,
    outcome: 'BadCredential',
  },
  {
    families: AWS,
    statuses: [400, 403, 404],
    says: /access to the model|model identifier is invalid|use case details|on-demand throughput|end of its life|model[\w ]* (?:is )?not (?:supported|found|available)/i,
    outcome: 'ModelNotEnabled',
  },
  {
    families: ['Vertex'],
    statuses: [401, 403],
    says: /ACCESS_TOKEN|invalid authentication/i,
    outcome: 'BadCredential',
  },
  {
    families: ['Vertex'],
    statuses: [400, 403, 404],
    says: /publisher model|not servable/i,
    outcome: 'ModelNotEnabled',
  },
  {
    families: ['Foundry'],
    statuses: [401, 403],
    says: /PermissionDenied|data action|AuthorizationFailed/i,
    outcome: 'NoPermission',
  },
  { statuses: [403, 404], says: /DeploymentNotFound|not_found_error|model_not_found/i, outcome: 'ModelNotEnabled' },
  {
    statuses: [400, 402, 403],
    says: /credit balance|billing_error/i,
    outcome: 'NoPermission',
    because: 'The account has no credit left: the platform team has to add some.',
  },
];

const BY_STATUS: Readonly<Record<number, Outcome>> = {
  401: 'BadCredential',
  403: 'NoPermission',
  404: 'ModelNotEnabled',
  407: 'Unreachable',
  429: 'RateLimited',
};

/** More of an answer than this says nothing about it. */
export const READ_CHARS = 4_096;

export function classify(answer: ProbedAnswer): Finding {
  const { status, family, model } = answer;
  if (status >= 200 && status < 300) {
    return withModel({ outcome: 'Valid', message: 'The provider accepts the credential.' }, model);
  }
  const text = answer.text.slice(0, READ_CHARS);
  const row = ROWS.find(
    ({ families, statuses, says }) =>
      statuses.includes(status) && families?.includes(family) !== false && says.test(text),
  );
  const outcome = row?.outcome ?? BY_STATUS[status] ?? 'Unexpected';
  return withModel({ outcome, message: row?.because ?? sentence(outcome, answer) }, model);
}

function sentence(outcome: Outcome, { status, family, model }: ProbedAnswer): string {
  switch (outcome) {
    case 'BadCredential':
      return `The provider does not accept the credential (${status}): replace it in its Secret.`;
    case 'NoPermission':
      return `The credential may not do this (${status}): ${PERMISSION[family]}.`;
    case 'ModelNotEnabled':
      return model === undefined
        ? `What was asked for is not there (${status}): check spec.baseUrl.`
        : `Model ${model} is not available to this account (${status}): enable it at the provider or correct spec.models.`;
    case 'RateLimited':
      return 'The provider asks to wait (429).';
    case 'Unreachable':
      return `A proxy on the way refuses (${status}).`;
    case 'Valid':
    case 'CredentialUnavailable':
    case 'Unexpected':
      return `The provider answers with status ${status}, from which nothing follows.`;
  }
}

function withModel(finding: Finding, model: string | undefined): Finding {
  return model === undefined ? finding : { ...finding, model };
}
