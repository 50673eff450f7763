// Takes the credential out of a request. Few places, one documented precedence: `x-api-key`, `anthropic-api-key`, on paths of Foundry
// `api-key` as SDKs of Azure have it, `Authorization` (Bearer or ApiKey). `apiKeyHelper` fills two of them with the same value; that is one credential, not two.
import type { IncomingHttpHeaders } from 'node:http';
import type { Dialect } from '#shared/bundle/bundle.ts';
import type { CredentialSource } from './principal.ts';

export interface Presented {
  readonly value: string;
  readonly source: CredentialSource;
  /** Authorization scheme in lower case, when the value came from there. */
  readonly scheme: string | undefined;
}

/**
 * The credential a request carries, or undefined when every place is absent or blank.
 * @param dialect of the path
 */
export function presentedCredential(headers: IncomingHttpHeaders, dialect: Dialect): Presented | undefined {
  const apiKey = single(headers['x-api-key']);
  if (apiKey) return { value: apiKey, source: 'x-api-key', scheme: undefined };
  const alias = single(headers['anthropic-api-key']);
  if (alias) return { value: alias, source: 'anthropic-api-key', scheme: undefined };
  const azure = dialect === 'Foundry' ? single(headers['api-key']) : undefined;
  if (azure) return { value: azure, source: 'api-key', scheme: undefined };
  const authorization = headers.authorization?.trim();
  if (!authorization) return undefined;
  const space = authorization.indexOf(' ');
  if (space < 0)
    return isScheme(authorization) ? undefined : { value: authorization, source: 'authorization', scheme: '' };
  return {
    value: authorization.slice(space + 1).trim(),
    source: 'authorization',
    scheme: authorization.slice(0, space).toLowerCase(),
  };
}

/** Every header in which people put a credential, whether or not the gateway takes it from there. */
const PLACES = ['x-api-key', 'anthropic-api-key', 'authorization', 'proxy-authorization', 'api-key', 'x-goog-api-key'];

/** Shorter values are no keys, and replacing them would garble whatever they happen to stand in. */
const MIN_KEY_CHARS = 16;

/** Every value that may be a credential, also those that did not count: none of them belongs upstream or in a log. */
export function credentialsIn(headers: IncomingHttpHeaders): string[] {
  const values: string[] = [];
  for (const place of PLACES) {
    const text = single(headers[place]);
    if (text === undefined) continue;
    const value = place.endsWith('authorization') ? text.slice(text.indexOf(' ') + 1).trim() : text;
    if (value.length >= MIN_KEY_CHARS && !values.includes(value)) values.push(value);
  }
  return values;
}

/**
 * Text that may quote the client, without the credentials it sent: people paste keys into model names and paths.
 * @param credentials as {@link credentialsIn} finds them
 */
export function withoutCredentials(credentials: readonly string[], text: string): string {
  let plain = text;
  for (const value of credentials) {
    if (plain.includes(value)) plain = plain.replaceAll(value, '[redacted]');
  }
  return plain;
}

/**
 * The start of a value that has the shape of this Gateway's keys, for records of keys that are unknown here: deleted ones, say.
 * Nothing of any other value, which may be a secret of another system.
 */
export function shownPrefix(value: string, keyPrefix: string): string | undefined {
  const shaped = value.startsWith(keyPrefix) && value.length >= keyPrefix.length + MIN_KEY_CHARS;
  return shaped ? value.slice(0, keyPrefix.length + 4) : undefined;
}

/** `Authorization: Bearer` with nothing behind it is what a broken apiKeyHelper produces: no credential at all. */
function isScheme(text: string): boolean {
  return /^(bearer|apikey|basic)$/i.test(text);
}

function single(header: string | string[] | undefined): string | undefined {
  return (Array.isArray(header) ? header[0] : header)?.trim();
}
