// What became of an attempt, and what the client is told when all of them failed. The order is that of the reference: last 429, else
// last 401/403, else last 404, else last 501, else overloaded, else our own 502. Wording of Anthropic envelopes is kept, because
// clients recover by it; anything else becomes a stable sentence, so that no account id or provider page reaches a user.
import { GatewayError } from '../errors.ts';
import type { UpstreamTarget } from '../providers/target.ts';

export type Failure =
  | { readonly kind: 'connect' | 'network' | 'timeout' | 'redirect'; readonly target: UpstreamTarget }
  | { readonly kind: 'status'; readonly target: UpstreamTarget; readonly answer: UpstreamAnswer };

/** An answer that is not relayed as it comes: status, the body up to a bound, and the one header that matters. */
export interface UpstreamAnswer {
  readonly status: number;
  readonly body: Buffer;
  readonly contentType: string | undefined;
  readonly retryAfter: string | undefined;
}

/** What goes to the client: an upstream's own words, or ours. */
export type FinalAnswer =
  | { readonly kind: 'upstream'; readonly answer: UpstreamAnswer; readonly reason: string }
  | { readonly kind: 'own'; readonly error: GatewayError };

const PREFERENCE: readonly ((status: number) => boolean)[] = [
  (status) => status === 429,
  (status) => status === 401 || status === 403,
  (status) => status === 404,
  (status) => status === 501,
  (status) => status === 529,
];

/** @param configured number of upstreams that could have served the call */
export function finalAnswer(failures: readonly Failure[], configured: number): FinalAnswer {
  for (const preferred of PREFERENCE) {
    const last = failures.findLast((failure) => failure.kind === 'status' && preferred(failure.answer.status));
    if (last?.kind === 'status') return answerOf(last.answer, last.target, configured);
  }
  const timedOut = failures.length > 0 && failures.every(({ kind }) => kind === 'timeout');
  return own(
    timedOut ? 504 : 502,
    timedOut ? 'upstream_timeout' : 'upstreams_failed',
    timedOut ? `all upstreams timed out (${configured} attempted)` : `all upstreams failed (${configured} attempted)`,
  );
}

/** An upstream's refusal as the client gets it. */
export function answerOf(answer: UpstreamAnswer, target: UpstreamTarget, configured = 1): FinalAnswer {
  const { status } = answer;
  if (status === 401 || status === 403) {
    // 403, not 401: the user's own credential is fine, and signing in again would not help.
    return own(
      403,
      'upstream_auth',
      'upstream authentication failed at the gateway: this is not your credential, tell your platform team',
      false,
    );
  }
  if (isAnthropicEnvelope(answer) && !target.leaksInto(answer.body)) {
    const kept = status === 500 || (status > 501 && status !== 529) ? undefined : answer;
    if (kept !== undefined) return { kind: 'upstream', answer: kept, reason: `upstream_${status}` };
  }
  switch (status) {
    case 404:
      return own(404, 'upstream_404', 'upstream resource not found');
    case 413:
      return own(413, 'upstream_413', 'request too large for this upstream');
    case 429:
      return {
        kind: 'own',
        error: new GatewayError({
          reason: 'upstream_429',
          status: 429,
          message: 'upstream rate limit exceeded',
          retryAfterSeconds: seconds(answer.retryAfter) ?? 1,
        }),
      };
    case 501:
      return own(501, 'upstream_501', 'not available on this upstream');
    case 529:
      return own(529, 'upstream_529', 'upstream is overloaded: try again');
    default:
      return status >= 500
        ? own(502, 'upstreams_failed', `all upstreams failed (${configured} attempted)`)
        : own(status, `upstream_${status}`, 'upstream rejected the request');
  }
}

function own(status: number, reason: string, message: string, retry?: boolean): FinalAnswer {
  return {
    kind: 'own',
    error: new GatewayError({ reason, status, message, ...(retry === undefined ? {} : { retry }) }),
  };
}

function isAnthropicEnvelope({ body, contentType }: UpstreamAnswer): boolean {
  if (contentType === undefined || !/\bjson\b/i.test(contentType)) return false;
  try {
    const parsed = JSON.parse(body.toString()) as {
      type?: unknown;
      error?: { type?: unknown; message?: unknown };
    } | null;
    return (
      parsed?.type === 'error' && typeof parsed.error?.type === 'string' && typeof parsed.error.message === 'string'
    );
  } catch {
    return false;
  }
}

/** Retry-After in seconds; a date or nonsense is left out. */
function seconds(header: string | undefined): number | undefined {
  return header !== undefined && /^[0-9]{1,6}$/.test(header) ? Number(header) : undefined;
}
