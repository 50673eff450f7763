// The head of a relayed answer: what of the upstream's headers reaches the client, and what of them gets as far as our records.
import type { IncomingHttpHeaders } from 'node:http';
import type { UpstreamTarget } from '../providers/target.ts';
import { commonHeaders } from '../server/answer.ts';
import { isForeignCoding } from './content-coding.ts';

/** Everything else an upstream sends stays here: cookies, rate limits of our account, organisation ids, servers' names. */
const PASSED = ['content-type', 'cache-control', 'retry-after'] as const;

export interface HeadFacts {
  /** Of the answer as it is translated; undefined when it goes out in the format it came in. */
  readonly contentType: string | undefined;
  /** Its content coding is taken off on the way. */
  readonly isDecoded: boolean;
  readonly isStream: boolean;
}

/** Names and values in turn. */
export function answerHead(
  callId: string,
  upstream: IncomingHttpHeaders,
  { contentType, isDecoded, isStream }: HeadFacts,
): string[] {
  const headers = commonHeaders(callId);
  if (contentType !== undefined) headers.push('content-type', contentType);
  for (const name of PASSED) {
    const value = upstream[name];
    if (typeof value === 'string' && (name !== 'content-type' || contentType === undefined)) headers.push(name, value);
  }
  const { 'content-encoding': coding, 'content-length': length } = upstream;
  if (coding !== undefined && isForeignCoding(coding)) headers.push('content-encoding', coding);
  // A stream may get longer by a ping of ours or end early with an error event.
  const isAsSent = !isDecoded && contentType === undefined && !isStream;
  if (length !== undefined && isAsSent) headers.push('content-length', length);
  if (isStream) {
    // Proxies of the nginx kind would otherwise collect a stream before passing it on.
    headers.push('x-accel-buffering', 'no');
    if (upstream['cache-control'] === undefined) headers.push('cache-control', 'no-cache');
  }
  return headers;
}

/** Removes values that echo a credential of the upstream, from the few headers that get further than here. */
export function withoutSecrets(headers: IncomingHttpHeaders, target: UpstreamTarget): void {
  for (const name of ['content-type', 'cache-control', 'retry-after', 'request-id', 'x-amzn-requestid']) {
    const value = headerText(headers[name]);
    if (value !== undefined && target.leaksInto(value)) delete headers[name];
  }
}

export function headerText(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
