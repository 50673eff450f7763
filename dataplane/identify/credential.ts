// Takes the credential out of a request. Three places, one documented precedence: `x-api-key`, `anthropic-api-key`, `Authorization`
// (Bearer or ApiKey). `apiKeyHelper` fills two of them with the same value; that is one credential, not two.
import type { IncomingHttpHeaders } from 'node:http';
import type { CredentialSource } from './principal.ts';

export interface Presented {
  readonly value: string;
  readonly source: CredentialSource;
  /** Authorization scheme in lower case, when the value came from there. */
  readonly scheme: string | undefined;
}

/** The credential a request carries, or undefined when every place is absent or blank. */
export function presentedCredential(headers: IncomingHttpHeaders): Presented | undefined {
  const apiKey = single(headers['x-api-key']);
  if (apiKey) return { value: apiKey, source: 'x-api-key', scheme: undefined };
  const alias = single(headers['anthropic-api-key']);
  if (alias) return { value: alias, source: 'anthropic-api-key', scheme: undefined };
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

/** `Authorization: Bearer` with nothing behind it is what a broken apiKeyHelper produces: no credential at all. */
function isScheme(text: string): boolean {
  return /^(bearer|apikey|basic)$/i.test(text);
}

function single(header: string | string[] | undefined): string | undefined {
  return (Array.isArray(header) ? header[0] : header)?.trim();
}
