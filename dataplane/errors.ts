// Every refusal and failure the gateway words itself. Errors are values until the edge; `render` maps them once to the Anthropic
// envelope. Messages say what to do next and never hold a secret, an account id or a stack trace.

export type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'not_found_error'
  | 'request_too_large'
  | 'rate_limit_error'
  | 'timeout_error'
  | 'api_error'
  | 'not_supported'
  | 'overloaded_error';

const TYPE_OF_STATUS: Readonly<Record<number, ErrorType>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  408: 'timeout_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  501: 'not_supported',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** The error type Anthropic clients expect with a status. */
export function errorTypeOf(status: number): ErrorType {
  return TYPE_OF_STATUS[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error');
}

export interface GatewayErrorOptions {
  /** Stable snake_case word for audit and metrics. */
  readonly reason: string;
  readonly status: number;
  readonly message: string;
  /** Key of the policy, key or list that decided (audit `rule`). */
  readonly rule?: string;
  readonly retryAfterSeconds?: number;
  /** False: `x-should-retry: false`, since nothing changes by sending the same again. */
  readonly retry?: boolean;
}

/** A failure with everything the edge needs to answer it. */
export class GatewayError extends Error {
  readonly reason: string;
  readonly status: number;
  readonly type: ErrorType;
  readonly rule: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly retry: boolean;

  constructor(options: GatewayErrorOptions) {
    super(options.message);
    // Refusals are ordinary answers: collecting a stack for each would cost more than the rest of the refusal.
    this.name = 'GatewayError';
    this.reason = options.reason;
    this.status = options.status;
    this.type = errorTypeOf(options.status);
    this.rule = options.rule;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.retry = options.retry ?? isRetryable(options.status);
  }
}

/** Statuses a client may sensibly send again, as SDKs see it; everything else is permanent until somebody changes something. */
export function isRetryable(status: number): boolean {
  return status === 408 || status === 409 || status === 429 || (status >= 500 && status !== 501);
}

/** The Anthropic error envelope, with the request id where the reference places it. */
export function envelope(type: ErrorType, message: string, requestId: string): string {
  return JSON.stringify({ type: 'error', request_id: requestId, error: { type, message } });
}

export const refuse = {
  badRequest: (reason: string, message: string, rule?: string): GatewayError =>
    new GatewayError({ reason, status: 400, message, ...(rule === undefined ? {} : { rule }) }),
  unauthenticated: (reason: string, message: string, rule?: string): GatewayError =>
    new GatewayError({ reason, status: 401, message, retry: false, ...(rule === undefined ? {} : { rule }) }),
  forbidden: (reason: string, message: string, rule?: string): GatewayError =>
    new GatewayError({ reason, status: 403, message, ...(rule === undefined ? {} : { rule }) }),
  notFound: (reason: string, message: string): GatewayError => new GatewayError({ reason, status: 404, message }),
  tooLarge: (message: string): GatewayError => new GatewayError({ reason: 'body_too_large', status: 413, message }),
  overloaded: (reason: string, message: string): GatewayError =>
    new GatewayError({ reason, status: 529, message, retryAfterSeconds: 1 }),
  /** A defect of ours: nobody outside can do anything about it. */
  internal: (): GatewayError =>
    new GatewayError({
      reason: 'internal',
      status: 500,
      message: 'internal error of the gateway: tell your platform team the request id',
    }),
  draining: (): GatewayError => refuse.overloaded('draining', 'the gateway is shutting down: try again'),
};
