// Checks AWS signatures for tests and for the mock clouds of the end-to-end tests.
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import aws4 from 'aws4';
import type { AwsKeys } from './sigv4.ts';

/** What a server knows of a request whose signature it checks. */
export interface ReceivedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly host: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string | Buffer;
}

/**
 * Checks an AWS signature as a server does, with an implementation that is neither ours nor the SDK's.
 * @returns what is wrong, or undefined
 */
export function signatureFault(
  { method, url, host, headers, body }: ReceivedRequest,
  { keys, service, region }: { readonly keys: AwsKeys; readonly service: string; readonly region: string },
): string | undefined {
  const { authorization = '' } = headers;
  const names = /SignedHeaders=([^,]+)/.exec(authorization)?.[1]?.split(';') ?? [];
  for (const name of Object.keys(headers))
    if (name.startsWith('x-amz-') && !names.includes(name)) return `${name} is not signed`;
  if (!names.includes('host')) return 'host is not signed';
  if (headers['x-amz-security-token'] !== keys.sessionToken?.reveal()) return 'session token';
  const bodyHash = headers['x-amz-content-sha256'];
  // The implementation takes this header's word for it.
  if (bodyHash !== undefined && bodyHash !== hash('sha256', body, 'hex')) return 'body hash';
  const { sessionToken, accessKeyId, secretAccessKey } = keys;
  const request = {
    method,
    host,
    path: url,
    service,
    region,
    headers: Object.fromEntries(names.map((name) => [name, name === 'host' ? host : headers[name]])),
    body,
    extraHeadersToIgnore: names.includes('content-length') ? {} : { 'content-length': true },
  };
  const signed = new aws4.RequestSigner(request, {
    accessKeyId,
    secretAccessKey: secretAccessKey.reveal(),
    ...(sessionToken === undefined ? {} : { sessionToken: sessionToken.reveal() }),
  }).sign();
  return signed.headers?.['Authorization'] === authorization ? undefined : 'signature';
}
