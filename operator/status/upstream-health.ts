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
  /** Why some pod passes it over in what it has loaded. */
  readonly notProgrammed?: Verdict;
}

/** Reason of Programmed while some pod is of a release that cannot serve what its Upstream asks for. */
export const UNSUPPORTED = 'UnsupportedByRelease';

const UNHEARD: Facet = { status: 'Unknown', reason: 'Probing', message: 'No replica has told yet.' };
const NOT_SERVED: Facet = {
  status: 'Unknown',
  reason: UNSUPPORTED,
  message: 'No replica can serve it; see Programmed.',
};

/**
 * @param key `namespace/name` of the Upstream
 * @param replicas those that are ready
 */
export function upstreamHealth(key: string, replicas: readonly Replica[]): Health {
  const all = replicas.flatMap(({ upstreams }) => upstreams[key] ?? []);
  const words = all.filter(({ unknown }) => unknown === undefined);
  const unable = all.flatMap(({ unknown }) => unknown ?? []);
  const unheard = unable.length > 0 && unable.length === replicas.length ? NOT_SERVED : UNHEARD;
  const credentials = merged(
    words.map((word) => word.credentials ?? ACCEPTED),
    unheard,
  );
  const reachable = merged(
    words.map((word) => word.reachable ?? ANSWERS),
    unheard,
  );
  const models = words.flatMap((word) => word.models ?? []);
  const conditions = [condition('CredentialsValid', credentials.facet), condition('Reachable', reachable.facet)];
  if (models.length > 0) conditions.push(condition('ModelsAvailable', merged(models, unheard).facet));
  const failing = credentials.everywhere ? credentials.facet : reachable.everywhere ? reachable.facet : undefined;
  return {
    conditions,
    fields: fieldsOf(words),
    ...(failing === undefined ? {} : { notReady: failing }),
    ...(unable.length === 0 ? {} : { notProgrammed: unsupported(unable, replicas.length) }),
  };
}

function unsupported(unable: readonly string[], replicas: number): Verdict {
  const unknown = [...new Set(unable)].sort().join(', ');
  const message = `${unable.length} of ${replicas} replicas cannot serve it: their release does not know ${unknown}; upgrade the data plane.`;
  return { status: 'False', reason: UNSUPPORTED, message };
}

function merged(facets: readonly Facet[], unheard: Facet): { readonly facet: Facet; readonly everywhere: boolean } {
  const bad = facets.filter(({ status }) => status === 'False');
  const [first] = bad;
  if (first === undefined) {
    return { facet: facets.find(({ status }) => status === 'True') ?? facets[0] ?? unheard, everywhere: false };
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
