// What the pods of a Gateway know of one upstream, brought together: a credential that is refused on one replica is refused for some of the
// callers, so one bad word outweighs the good ones. Pure.
import type { Condition, ConditionType } from '#shared/api/conditions.ts';
import type { Facet, Quota, UpstreamWord } from '#shared/upstream-report.ts';
import { ACCEPTED, ANSWERS } from '#shared/upstream-report.ts';
import type { Replica } from './replicas.ts';
import type { Verdict } from './verdict.ts';

/** Conditions and members of a status that rest on something else than the manifest. */
export interface Health {
  readonly conditions: readonly Condition[];
  readonly fields: Readonly<Record<string, unknown>>;
  /** Why calls cannot be sent there, from anywhere. */
  readonly notReady?: Verdict;
}

const UNHEARD: Facet = { status: 'Unknown', reason: 'Probing', message: 'No replica has told yet.' };

/**
 * @param key `namespace/name` of the Upstream
 * @param replicas those that are ready
 */
export function upstreamHealth(key: string, replicas: readonly Replica[]): Health {
  const words = replicas.flatMap(({ upstreams }) => upstreams[key] ?? []);
  const credentials = merged(words.map((word) => word.credentials ?? ACCEPTED));
  const reachable = merged(words.map((word) => word.reachable ?? ANSWERS));
  const models = words.flatMap((word) => word.models ?? []);
  const conditions = [condition('CredentialsValid', credentials.facet), condition('Reachable', reachable.facet)];
  if (models.length > 0) conditions.push(condition('ModelsAvailable', merged(models).facet));
  const failing = credentials.everywhere ? credentials.facet : reachable.everywhere ? reachable.facet : undefined;
  return { conditions, fields: fieldsOf(words), ...(failing === undefined ? {} : { notReady: failing }) };
}

function merged(facets: readonly Facet[]): { readonly facet: Facet; readonly everywhere: boolean } {
  const bad = facets.filter(({ status }) => status === 'False');
  const [first] = bad;
  if (first === undefined) {
    return { facet: facets.find(({ status }) => status === 'True') ?? facets[0] ?? UNHEARD, everywhere: false };
  }
  if (bad.length === facets.length) return { facet: first, everywhere: true };
  const message = `On ${bad.length} of ${facets.length} replicas: ${first.message}`;
  return { facet: { ...first, message }, everywhere: false };
}

const condition = (type: ConditionType, { status, reason, message }: Facet): Condition => ({
  type,
  status,
  reason,
  message,
});

const QUOTAS: readonly (readonly [keyof Quota, string])[] = [
  ['requests', 'requestsPerMinute'],
  ['tokens', 'tokensPerMinute'],
  ['inputTokens', 'inputTokensPerMinute'],
  ['outputTokens', 'outputTokensPerMinute'],
];

function fieldsOf(words: readonly UpstreamWord[]): Record<string, unknown> {
  const times = words.flatMap(({ at }) => at ?? []).sort();
  const last = times.at(-1);
  const missing = [...new Set(words.flatMap((word) => word.missing ?? []))].sort();
  const quotas = new Map<string, Quota>();
  for (const word of words) for (const [model, quota] of Object.entries(word.quotas ?? {})) quotas.set(model, quota);
  const listed = [...quotas].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    // Pods write milliseconds; times of a status have whole seconds.
    ...(last === undefined ? {} : { lastProbeTime: `${last.slice(0, 19)}Z` }),
    ...(missing.length === 0 ? {} : { unavailableModels: missing }),
    ...(listed.length === 0 ? {} : { quotas: listed.map(([model, quota]) => ({ model, ...figures(quota) })) }),
  };
}

function figures(quota: Quota): Record<string, number> {
  return Object.fromEntries(QUOTAS.flatMap(([from, to]) => (quota[from] === undefined ? [] : [[to, quota[from]]])));
}
