// Why there is no credential. The words go to conditions, logs and operators, so nothing a provider says is repeated unless it was
// cleaned of whatever looks like a secret.

/**
 * - `not_found`: the machine has no identity of this kind
 * - `incomplete`: settings or a Secret lack a part
 * - `token_file`: the projected token cannot be read
 * - `refused`: the provider does not accept what we showed
 * - `rate_limited`, `unavailable`, `unreachable`, `timed_out`: the token endpoint, worth another try
 * - `malformed`: an answer that makes no sense
 * - `expired`: it arrived past its end, so one of the two clocks is wrong
 */
export type CredentialFaultCode =
  | 'not_found'
  | 'incomplete'
  | 'token_file'
  | 'refused'
  | 'rate_limited'
  | 'unavailable'
  | 'unreachable'
  | 'timed_out'
  | 'malformed'
  | 'expired'
  | 'closed';

export interface CredentialFault {
  readonly code: CredentialFaultCode;
  readonly message: string;
}

export class CredentialError extends Error implements CredentialFault {
  readonly code: CredentialFaultCode;

  constructor(code: CredentialFaultCode, message: string) {
    super(message);
    this.name = 'CredentialError';
    this.code = code;
  }
}

const PASSING: ReadonlySet<CredentialFaultCode> = new Set(['rate_limited', 'unavailable', 'unreachable', 'timed_out']);

/** True when another try may succeed without anybody changing anything. */
export function isPassing(error: unknown): boolean {
  return !(error instanceof CredentialError) || PASSING.has(error.code);
}

const MAX_CHARS = 400;
/** JSON Web Tokens, Anthropic tokens, Google tokens, private keys, and any run of letters too long to be a word or a name. */
const SECRET_LIKE =
  /-----BEGIN[^-]*-----[\s\S]*?(?:-----END[^-]*-----|$)|eyJ[\w-]{8,}(?:\.[\w-]*){0,2}|sk-ant-[\w-]+|ya29\.[\w.-]+|\bA[SK]IA[A-Z0-9]{12,}|[A-Za-z0-9+/=_]{48,}/g;

/** Foreign text, fit for a message: no secrets, no control characters, not long. */
export function cleaned(text: string): string {
  const printable = text.replace(SECRET_LIKE, '[redacted]').replace(/[\p{Cc}\s]+/gu, ' ');
  return printable.length > MAX_CHARS ? `${printable.slice(0, MAX_CHARS)}…` : printable.trim();
}

/** Whatever was thrown, as one of ours. */
export function asCredentialError(error: unknown): CredentialError {
  if (error instanceof CredentialError) return error;
  return new CredentialError('unavailable', cleaned(error instanceof Error ? error.message : String(error)));
}
