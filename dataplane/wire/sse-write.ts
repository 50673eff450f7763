// The two server-sent events the gateway writes into a stream of its own accord. Write them only where an
// `SseReader` says `atBoundary`.

/** Keeps a silent stream alive; byte for byte what the Anthropic API sends. Shared by all streams: do not write to it. */
export const pingEvent: Buffer = Buffer.from('event: ping\ndata: {"type": "ping"}\n\n');

/**
 * An error in the middle of a stream, in the Anthropic envelope.
 *
 * @param type error type of the Messages API, such as `api_error` or `overloaded_error`
 * @param message text for the developer who reads it; may hold any characters
 * @param requestId the id of the request in the audit record
 */
export function errorEvent(type: string, message: string, requestId: string): Buffer {
  const data = JSON.stringify({ type: 'error', error: { type, message }, request_id: requestId });
  return Buffer.from(`event: error\ndata: ${data}\n\n`);
}
