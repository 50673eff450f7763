// The one place where the gateway words an answer of its own: envelope, request id, retry advice. JSON on every path, never HTML or text.
import type { GatewayError } from '../errors.ts';
import { withoutCredentials } from '../identify/credential.ts';
import type { Call } from './call.ts';
import type { ErrorWords } from './dialect.ts';

/** On every response: who to ask about it, and no guessing of content types. Names and values in turn. */
export function commonHeaders(id: string): string[] {
  return ['x-request-id', id, 'request-id', id, 'x-content-type-options', 'nosniff'];
}

/** Answers a refusal or failure and notes it in the record. Nothing happens when the client is gone or the answer has begun. */
export function answerError(call: Call, error: GatewayError): void {
  call.record.reason ??= error.reason;
  call.record.rule ??= error.rule;
  const { response, request } = call;
  if (response.headersSent || response.destroyed) return;
  const headers = commonHeaders(call.id);
  if (!error.retry) headers.push('x-should-retry', 'false');
  if (error.retryAfterSeconds !== undefined) headers.push('retry-after', String(error.retryAfterSeconds));
  // A body nobody will read would be taken for the next request on this connection.
  // Nor can a request without a length be trusted to end where it seems to.
  const unread = error.status === 411 || (!request.complete && expectsBody(request.headers));
  if (unread) headers.push('connection', 'close');
  const message = withoutCredentials(call.credentials, error.message);
  const { status, type } = error;
  const shape = call.dialect.error({ status, type, message }, call.id);
  headers.push(...shape.headers);
  send(call, shape.status ?? status, headers, shape.body);
  if (unread) lingerThenClose(call);
}

/** Answers with the envelope an upstream sent, in its own bytes where the client's format has it. */
export function answerRefusal(call: Call, status: number, envelope: Buffer, extra: readonly string[]): void {
  if (call.dialect.envelopes) {
    answerJson(call, status, envelope, extra);
    return;
  }
  const { error } = JSON.parse(envelope.toString()) as { error: Pick<ErrorWords, 'type' | 'message'> };
  const shape = call.dialect.error({ status, ...error }, call.id);
  answerJson(call, shape.status ?? status, shape.body, [...extra, ...shape.headers]);
}

export function answerJson(call: Call, status: number, text: string | Buffer, extra: readonly string[] = []): void {
  if (call.response.headersSent || call.response.destroyed) return;
  send(call, status, [...commonHeaders(call.id), ...extra], text);
}

function send({ response }: Call, status: number, headers: string[], text: string | Buffer): void {
  headers.push('content-type', 'application/json', 'content-length', String(Buffer.byteLength(text)));
  response.writeHead(status, headers);
  response.end(text);
}

function expectsBody(headers: Call['request']['headers']): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Closing a socket with unread input resets it, and the client would lose the answer: swallow what comes for a moment first. */
const LINGER_MS = 1_000;

function lingerThenClose({ request, response }: Call): void {
  request.on('error', () => undefined);
  request.resume();
  const timer = setTimeout(() => request.destroy(), LINGER_MS);
  const stop = (): void => clearTimeout(timer);
  request.once('end', stop);
  response.once('close', () => request.socket?.once('close', stop));
}
