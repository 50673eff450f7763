// What the API server says when it refuses: a Status object, in an answer of its own or inside of a watch.
import { ApiError } from './client.ts';

/** Reasons for answers without a Status, such as those of a load balancer in front. */
const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};
const MAX_TEXT = 500;

interface Status {
  readonly kind?: unknown;
  readonly code?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown } | null;
}

/**
 * @param what the call, for the message: `GET /api/v1/…`
 * @param text body of the answer
 * @param retryAfter the header, in seconds; dates are not used by API servers
 */
export function apiErrorFromAnswer(code: number, what: string, text: string, retryAfter: string | undefined): ApiError {
  const header = retryAfter === undefined ? undefined : Number(retryAfter);
  const wait = header !== undefined && Number.isFinite(header) && header >= 0 ? header * 1000 : undefined;
  try {
    const status = JSON.parse(text) as Status | null;
    if (status?.kind === 'Status') return apiErrorFromStatus(status, what, code, wait);
  } catch {
    // Not from the API server itself.
  }
  return new ApiError(code, REASONS[code] ?? `HTTP${code}`, `${what}: ${code} ${text.slice(0, MAX_TEXT)}`.trim(), wait);
}

/** @param code of the answer, where the Status has none */
export function apiErrorFromStatus(status: object, what: string, code: number, retryAfter?: number): ApiError {
  const { code: own, reason, message, details } = status as Status;
  const known = typeof own === 'number' && own > 0 ? own : code;
  const seconds = details?.retryAfterSeconds;
  return new ApiError(
    known,
    typeof reason === 'string' && reason !== '' ? reason : (REASONS[known] ?? `HTTP${known}`),
    `${what}: ${typeof message === 'string' ? message : known}`,
    retryAfter ?? (typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined),
  );
}
