// Token files of Upstreams that lie where the operator mounts the tokens of a Gateway: each must be one of them. Files elsewhere come from
// somebody else, such as the webhook of a cloud, and nothing is known of them here.
import type { Resource } from '#shared/api/kinds.ts';
import { LABEL } from '#shared/api/scalars.ts';
import { TOKENS_FOLDER } from '#shared/api/token-file.ts';
import type { UpstreamSpec } from '#shared/api/upstream.ts';
import type { Subject } from './subject.ts';

interface TokenFile {
  /** Of the field in the manifest. */
  readonly field: string;
  readonly path: string;
  /** That the provider asks for unless its trust says otherwise. */
  readonly audience: string;
}

/** Reports a token file that no pod of the Gateway will ever have; no call goes to the upstream until then. */
export function checkTokenFile(
  { resource, report }: Pick<Subject<'Upstream'>, 'resource' | 'report'>,
  gateway: Resource<'Gateway'>,
): void {
  const file = tokenFileOf(resource.spec);
  if (file === undefined) return;
  const path = plain(file.path);
  if (path !== TOKENS_FOLDER && !path.startsWith(`${TOKENS_FOLDER}/`)) return;
  const name = path.slice(TOKENS_FOLDER.length + 1);
  if (gateway.spec.deployment.tokens.some((token) => token.name === name)) return;
  const owner = `Gateway ${gateway.metadata.namespace}/${gateway.metadata.name}`;
  const message = LABEL.test(name)
    ? `${owner} has no token ${name}; add {name: ${name}, audience: ${file.audience}} to its spec.deployment.tokens, with another audience if the provider was told one`
    : `the tokens of ${owner} are files ${TOKENS_FOLDER}/<name>, one for each entry of its spec.deployment.tokens; name one of these`;
  report.unresolved('RefNotFound', `${file.field}: ${message}; no call goes to this upstream until then`);
}

/** The same file by its shortest path. */
function plain(path: string): string {
  const steps: string[] = [];
  for (const step of path.split('/')) {
    if (step === '..') steps.pop();
    else if (step !== '' && step !== '.') steps.push(step);
  }
  return `/${steps.join('/')}`;
}

function tokenFileOf(spec: UpstreamSpec): TokenFile | undefined {
  const { anthropic, foundry, vertex } = spec;
  for (const member of ['bedrock', 'bedrockMantle', 'claudePlatformAWS'] as const) {
    const file = spec[member]?.auth.webIdentity?.tokenFile;
    if (file !== undefined) {
      return { field: `spec.${member}.auth.webIdentity.tokenFile`, path: file, audience: 'sts.amazonaws.com' };
    }
  }
  const anthropicFile = anthropic?.auth.workloadIdentity?.tokenFile;
  if (anthropicFile !== undefined) {
    return federated('anthropic', anthropicFile, 'https://api.anthropic.com');
  }
  const google = vertex?.auth.workloadIdentity;
  // Unless a pool provider lists audiences of its own, it takes its own name as a URL.
  if (google !== undefined) return federated('vertex', google.tokenFile, `https:${google.audience}`);
  const entraFile = foundry?.auth.workloadIdentity?.tokenFile;
  return entraFile === undefined ? undefined : federated('foundry', entraFile, 'api://AzureADTokenExchange');
}

const federated = (member: string, path: string, audience: string): TokenFile => ({
  field: `spec.${member}.auth.workloadIdentity.tokenFile`,
  path,
  audience,
});
