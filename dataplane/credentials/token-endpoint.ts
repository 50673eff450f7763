// Asking an OAuth token endpoint or a metadata server for a token (RFC 6749 §5): what comes back, and what each refusal means.
import { SecretText } from '#shared/secret-text.ts';
import { CredentialError, cleaned, type CredentialFaultCode } from './credential-error.ts';
import type { Minted } from './renewal.ts';
import type { Clock, Fetch } from './source.ts';

export interface TokenRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

const MAX_ANSWER_BYTES = 1024 * 1024;

export const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/**
 * Asks for a token as RFC 6749 §5.1 answers it.
 * @throws {CredentialError} `refused` for 4xx, `rate_limited`, `unavailable` for 5xx, `unreachable`, `malformed`
 */
export async function requestToken(fetch: Fetch, clock: Clock, request: TokenRequest): Promise<Minted<SecretText>> {
  const asked = clock.now();
  const answer = await requestJson(fetch, request);
  const { access_token: token, token_type: type = 'Bearer', expires_in: lifetime } = answer;
  const { host } = new URL(request.url);
  // Managed identities answer numbers as strings.
  const seconds = Number(lifetime);
  if (typeof token !== 'string' || !isHeaderValue(token))
    throw new CredentialError('malformed', `${host} answered without a token`);
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer')
    throw new CredentialError('malformed', `${host} answered with a token that is not a bearer token`);
  if (lifetime === undefined || !Number.isFinite(seconds))
    throw new CredentialError('malformed', `${host} does not say how long its token lives`);
  return { value: new SecretText(token), expiresAt: asked + seconds * 1000 };
}

/** A token goes into a header as it is, so nothing that could end the header may stand in it. */
export function isHeaderValue(token: string): boolean {
  return /^[\x21-\x7e]+$/.test(token);
}

/**
 * @returns the members of the JSON object answered; none when it is not one
 * @throws {CredentialError} as {@link requestToken}
 */
export async function requestJson(fetch: Fetch, request: TokenRequest): Promise<Record<string, unknown>> {
  const { url, ...init } = request;
  requireSecure(url);
  const { status, text } = await ask(fetch, url, init);
  const answer = asObject(text);
  if (status !== 200) throw refusal(new URL(url).host, status, answer);
  return answer;
}

async function ask(fetch: Fetch, url: string, init: RequestInit): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(url, { ...init, redirect: 'manual' });
    return { status: response.status, text: await textOf(response) };
  } catch (error) {
    const { code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
    throw new CredentialError(
      'unreachable',
      `cannot reach ${new URL(url).host}${code === undefined ? '' : ` (${code})`}`,
    );
  }
}

/** An answer larger than any token is none, and is not read to its end. */
async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function asObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function refusal(host: string, status: number, answer: Record<string, unknown>): CredentialError {
  // Only these fields: others may repeat what we sent. Anthropic and Google nest them.
  const nested = answer['error'];
  const { type, status: word, message } = (nested instanceof Object ? nested : {}) as Record<string, unknown>;
  const said = [typeof nested === 'string' ? nested : (type ?? word), answer['error_description'] ?? message]
    .filter((part) => typeof part === 'string')
    .join(': ');
  return new CredentialError(faultOfStatus(status), cleaned(`${host} answered ${status}${said && ` ${said}`}`));
}

export function faultOfStatus(status: number): CredentialFaultCode {
  if (status === 429) return 'rate_limited';
  if (status >= 500 || status === 408) return 'unavailable';
  return status >= 400 ? 'refused' : 'malformed';
}

/** The last two are the metadata server of the machine, which speaks no TLS. */
const CLEARTEXT_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]', '169.254.169.254', 'metadata.google.internal']);

function requireSecure(url: string): void {
  const { protocol, hostname, host } = new URL(url);
  if (protocol === 'https:' || (protocol === 'http:' && CLEARTEXT_HOSTS.has(hostname))) return;
  throw new CredentialError('incomplete', `a token is not asked for in clear text: ${host} must be https`);
}
