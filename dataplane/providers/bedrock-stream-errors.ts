// Errors in the middle of a stream, between the exceptions of Bedrock and the error types of the Messages API. What
// Bedrock says in words is meant for the holder of the account: of its sentences only those pass that clients recover by.

import { type ErrorType, errorTypeOf } from '../errors.ts';

/** What an error event says. */
export interface StreamError {
  readonly type: ErrorType;
  readonly message: string;
}

/** The six exceptions that the answer stream of InvokeModelWithResponseStream is declared with. */
export type StreamException =
  | 'internalServerException'
  | 'modelStreamErrorException'
  | 'modelTimeoutException'
  | 'serviceUnavailableException'
  | 'throttlingException'
  | 'validationException';

/** By name in lower case: `:exception-type` writes names in camel case, `:error-code` in Pascal case. */
const TYPES: ReadonlyMap<string, ErrorType> = new Map([
  ['throttlingexception', 'rate_limit_error'],
  ['toomanyrequestsexception', 'rate_limit_error'],
  ['servicequotaexceededexception', 'rate_limit_error'],
  ['serviceunavailableexception', 'overloaded_error'],
  ['modelnotreadyexception', 'overloaded_error'],
  ['modeltimeoutexception', 'timeout_error'],
  ['validationexception', 'invalid_request_error'],
  ['resourcenotfoundexception', 'not_found_error'],
  ['accessdeniedexception', 'permission_error'],
  ['expiredtokenexception', 'permission_error'],
  ['unrecognizedclientexception', 'permission_error'],
]);

const WORDS: Partial<Record<ErrorType, string>> = {
  invalid_request_error: 'upstream rejected the request',
  not_found_error: 'upstream resource not found',
  overloaded_error: 'upstream is overloaded: try again',
  permission_error:
    'upstream authentication failed at the gateway: this is not your credential, tell your platform team',
  rate_limit_error: 'upstream rate limit exceeded',
  request_too_large: 'request too large for this upstream',
  timeout_error: 'the upstream took too long',
};

/** Sentences about the size of a prompt that Claude Code acts on, and how it is told each of them. */
const RECOVERABLE: ReadonlyMap<string, string> = new Map([
  ['Input is too long.', 'Input is too long.'],
  ['Input is too long for requested model.', 'capability_rejected: prompt_too_long'],
]);

/** Exceptions carry a sentence; what is longer is not read. */
const MAX_PAYLOAD = 64 * 1024;

/**
 * The error of an exception or error frame.
 *
 * @param name its `:exception-type` or `:error-code`; an unknown one is an `api_error`
 * @param payload JSON with `message`, for a model's own error also `originalStatusCode`; anything else is ignored
 */
export function streamErrorOf(name: string, payload: Buffer): StreamError {
  const { message, originalStatusCode: status } = parse(payload);
  let type = TYPES.get(name.toLowerCase()) ?? 'api_error';
  if (type === 'api_error' && typeof status === 'number' && status >= 400) type = errorTypeOf(status);
  // 401 and 403 alike: the user's own credential is fine, and signing in again would not help.
  if (type === 'authentication_error') type = 'permission_error';
  const kept = type === 'invalid_request_error' ? RECOVERABLE.get(String(message)) : undefined;
  return { type, message: kept ?? WORDS[type] ?? 'the upstream failed in the middle of the answer' };
}

const EXCEPTIONS: ReadonlyMap<string, StreamException> = new Map([
  ['rate_limit_error', 'throttlingException'],
  ['overloaded_error', 'serviceUnavailableException'],
  ['timeout_error', 'modelTimeoutException'],
  ['api_error', 'internalServerException'],
  ['invalid_request_error', 'validationException'],
  ['request_too_large', 'validationException'],
  ['not_found_error', 'validationException'],
  ['not_supported', 'validationException'],
  ['authentication_error', 'validationException'],
  ['permission_error', 'validationException'],
  ['billing_error', 'validationException'],
]);

/** The exception a Bedrock client is sent for an error type. Those that cannot be mended by a retry are `validationException`. */
export function exceptionOf(type: string): StreamException {
  return EXCEPTIONS.get(type) ?? 'modelStreamErrorException';
}

function parse(payload: Buffer): { message?: unknown; originalStatusCode?: unknown } {
  if (payload.length > MAX_PAYLOAD) return {};
  try {
    const parsed: unknown = JSON.parse(payload.toString());
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}
