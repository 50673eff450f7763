// What a pod says of its upstreams, and what the operator reads: JSON in an annotation of the pod's Lease. It holds nothing that moves by
// itself: times are hours, or those of a change. A pod may be a release ahead of the operator: members it adds are passed over, and a word that
// makes no sense here takes no other with it.
import { z } from 'zod';

/** Characters that name what a release does not know. */
export const MAX_UNKNOWN = 128;

const text = (most: number) => z.string().max(most);
const facet = z.object({
  status: z.enum(['True', 'False', 'Unknown']),
  reason: text(64).regex(/^[A-Za-z]+$/),
  message: text(400),
});
const quota = z.object({
  requests: z.int().min(0).optional(),
  tokens: z.int().min(0).optional(),
  inputTokens: z.int().min(0).optional(),
  outputTokens: z.int().min(0).optional(),
});
const upstream = z.object({
  /** What of it the pod's release cannot do, so that it leaves the upstream out: `provider Bedrock`. Nothing else is said then. */
  unknown: text(MAX_UNKNOWN).optional(),
  /** RFC 3339: the hour of the last probe, or the time of the last change. */
  at: z.iso.datetime().optional(),
  /** Whether the provider takes the credential; as wanted when left out. */
  credentials: facet.optional(),
  reachable: facet.optional(),
  /** Not known when left out. */
  models: facet.optional(),
  /** As the upstream names them. */
  missing: z.array(text(256)).max(32).optional(),
  /** A minute, by model. */
  quotas: z.record(text(256), quota).optional(),
});
const report = z.record(text(512), z.unknown());

/** One thing that is known of an upstream. */
export type Facet = Readonly<z.output<typeof facet>>;
/** Limits of an upstream for a model, a minute. */
export type Quota = Readonly<z.output<typeof quota>>;
export type UpstreamWord = Readonly<z.output<typeof upstream>>;

export const ACCEPTED: Facet = { status: 'True', reason: 'Valid', message: 'The provider accepts the credential.' };
export const ANSWERS: Facet = { status: 'True', reason: 'Reachable', message: 'The provider answers.' };

/** An annotation is not the place for more; a Lease travels with every renewal. */
export const MAX_REPORT_BYTES = 16_384;

/**
 * @param words by upstream `namespace/name`, those that matter most first: what does not fit is left out
 * @returns undefined when there is nothing to say
 */
export function writeUpstreamReport(words: Iterable<readonly [string, UpstreamWord]>): string | undefined {
  const parts: string[] = [];
  let bytes = 2;
  for (const [key, word] of words) {
    const part = `${JSON.stringify(key)}:${JSON.stringify(word)}`;
    const size = Buffer.byteLength(part) + 1;
    if (bytes + size > MAX_REPORT_BYTES) continue;
    bytes += size;
    parts.push(part);
  }
  return parts.length === 0 ? undefined : `{${parts.join(',')}}`;
}

/** Pods write it, so it is read like anything that comes from outside. @returns words by upstream; none for text of another kind */
export function readUpstreamReport(text: string | undefined): Readonly<Record<string, UpstreamWord>> {
  if (text === undefined || text.length > 2 * MAX_REPORT_BYTES) return {};
  try {
    const words = Object.entries(report.safeParse(JSON.parse(text)).data ?? {});
    return Object.fromEntries(
      words.flatMap(([key, word]) => {
        const { data } = upstream.safeParse(word);
        return data === undefined ? [] : [[key, data] as const];
      }),
    );
  } catch {
    return {};
  }
}
