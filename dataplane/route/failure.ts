// What became of an attempt, and what the client is told when all of them failed. The order is that of the reference: last 429, else
// last 401/403, else last 404, else last 501, else overloaded, else our own 502. Wording of Anthropic envelopes is kept, because
// clients recover by it; anything else becomes a stable sentence, so that no account id or provider page reaches a user.
import { GatewayError, isRetryable, refuse } from '../errors.ts';
import type { Refusal } from '../providers/provider.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { withoutAccountIds } from './account-ids.ts';

export type Failure =
  /** Nothing was sent: this upstream cannot be asked for that. */
  | { readonly kind: 'unfit'; readonly target: UpstreamTarget; readonly error: GatewayError }
  /** Nothing was sent: the gateway has no credential for it. */
  | { readonly kind: 'credential'; readonly target: UpstreamTarget; readonly retry: boolean }
  | { readonly kind: 'connect' | 'network' | 'timeout' | 'redirect'; readonly target: UpstreamTarget }
  | { readonly kind: 'status'; readonly target: UpstreamTarget; readonly answer: UpstreamAnswer };

/** An answer that is not relayed as it comes: status, the body up to a bound, and the one header that matters. */
export interface UpstreamAnswer {
  readonly status: number;
  readonly body: Buffer;
  readonly contentType: string | undefined;
  readonly retryAfter: string | undefined;
  readonly date: string | undefined;
}

/** What goes to the client: an upstream's own words, or ours. */
export type FinalAnswer =
  | {
      readonly kind: 'upstream';
      readonly status: number;
      readonly body: Buffer;
      readonly reason: string;
      /** False: sending the same again changes nothing. */
      readonly retry: boolean;
      readonly retryAfterSeconds: number | undefined;
    }
  | { readonly kind: 'own'; readonly error: GatewayError };

const PREFERENCE: readonly ((status: number) => boolean)[] = [
  (status) => status === 429,
  (status) => status === 401 || status === 403,
  (status) => status === 404,
  (status) => status === 501,
  (status) => status === 529,
];

/** What a final answer says of the policies behind it. */
export interface Boundary {
  /** A policy bounds the upstreams, so there may be others that were not asked. */
  readonly bounded: boolean;
  /** Key of that policy. */
  readonly upstreamRule: string;
}

/**
 * @param failures in the order of the attempts; none when every upstream was full
 * @param configured number of upstreams the caller is granted
 */
export function finalAnswer(failures: readonly Failure[], configured: number, boundary?: Boundary): FinalAnswer {
  if (failures.length === 0) {
    const message = 'every upstream you may use is at its limit of calls: try again';
    return { kind: 'own', error: refuse.overloaded('upstreams_full', message) };
  }
  for (const preferred of PREFERENCE) {
    const last = failures.findLast((failure) => failure.kind === 'status' && preferred(failure.answer.status));
    if (last?.kind === 'status') return answerOf(last.answer, last.target, configured);
  }
  const refused = failures.find(({ kind }) => kind === 'credential');
  if (refused?.kind === 'credential' && !refused.retry) return upstreamAuth();
  const unfit = failures.find(({ kind }) => kind === 'unfit');
  if (unfit?.kind === 'unfit' && failures.every(({ kind }) => kind === 'unfit'))
    return { kind: 'own', error: unfit.error };
  const timedOut = failures.every(({ kind }) => kind === 'timeout');
  const what = `all upstreams ${timedOut ? 'timed out' : 'failed'} (${configured} attempted)`;
  if (boundary?.bounded !== true)
    return own(timedOut ? 504 : 502, timedOut ? 'upstream_timeout' : 'upstreams_failed', what);
  return {
    kind: 'own',
    error: new GatewayError({
      reason: 'allowed_upstreams_exhausted',
      status: timedOut ? 504 : 502,
      message: `${what}; your policy allows no other`,
      rule: boundary.upstreamRule,
    }),
  };
}

/** 403, not 401: the user's own credential is fine, and signing in again would not help. */
function upstreamAuth(): FinalAnswer {
  const message = 'upstream authentication failed at the gateway: this is not your credential, tell your platform team';
  return own(403, 'upstream_auth', message);
}

/** The answer under the status it means: clouds put quotas and unknown models under a 400 or 403, and another upstream may serve those. */
export function asMeant(answer: UpstreamAnswer, target: UpstreamTarget): UpstreamAnswer {
  const status = refusalIn(answer, target)?.status;
  return status === undefined ? answer : { ...answer, status };
}

/** Clouds answer in shapes of their own; what those mean, their families know. */
function refusalIn(answer: UpstreamAnswer, { provider }: UpstreamTarget): Refusal | undefined {
  if (provider.refusal === undefined || anthropicMessage(answer) !== undefined) return undefined;
  return provider.refusal(answer.status, answer.body.toString());
}

/** An upstream's refusal, {@link asMeant}, as the client gets it. */
export function answerOf(answer: UpstreamAnswer, target: UpstreamTarget, configured: number): FinalAnswer {
  const { status, body } = answer;
  const leaks = target.leaksInto(body);
  const words = leaks ? undefined : anthropicMessage(answer);
  if (status === 401 || status === 403) return upstreamAuth();
  if (status >= 500 && status !== 501 && status !== 529) {
    return own(502, 'upstreams_failed', `all upstreams failed (${configured} attempted)`);
  }
  const reason = `upstream_${status}`;
  const wait = status === 429 || status === 529 ? (retryAfterSeconds(answer) ?? 1) : undefined;
  if (words === undefined) {
    const kept = leaks ? undefined : refusalIn(answer, target)?.message;
    return own(status, reason, sentenceFor(status, kept), wait);
  }
  const text = body.toString();
  return withoutAccountIds(text) === text
    ? { kind: 'upstream', status, body, reason, retry: isRetryable(status), retryAfterSeconds: wait }
    : own(status, reason, withoutAccountIds(words), wait);
}

/** @param kept a sentence of the provider that clients recover by */
function sentenceFor(status: number, kept: string | undefined): string {
  return kept === undefined ? (WORDS[status] ?? 'upstream rejected the request') : withoutAccountIds(kept);
}

/** Sentences of ours in place of words that are not fit for clients. */
const WORDS: Readonly<Record<number, string>> = {
  404: 'upstream resource not found',
  413: 'request too large for this upstream',
  429: 'upstream rate limit exceeded',
  501: 'not available on this upstream',
  529: 'upstream is overloaded: try again',
};

function own(status: number, reason: string, message: string, retryAfterSeconds?: number): FinalAnswer {
  return {
    kind: 'own',
    error: new GatewayError({
      reason,
      status,
      message,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    }),
  };
}

/** The message of an error in the Anthropic envelope; undefined for every other body. */
function anthropicMessage({ body, contentType }: UpstreamAnswer): string | undefined {
  if (contentType === undefined || !/\bjson\b/i.test(contentType)) return undefined;
  try {
    const parsed = JSON.parse(body.toString()) as {
      type?: unknown;
      error?: { type?: unknown; message?: unknown };
    } | null;
    const { type, message } = parsed?.error ?? {};
    return parsed?.type === 'error' && typeof type === 'string' && typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}

/** Retry-After in seconds; a date or nonsense is left out. */
export function retryAfterSeconds({ retryAfter }: UpstreamAnswer): number | undefined {
  return retryAfter !== undefined && /^[0-9]{1,6}$/.test(retryAfter) ? Number(retryAfter) : undefined;
}
