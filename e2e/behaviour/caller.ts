// Callers with credentials of their own, and what they are told: for tests of who may come in and how far.
import { errorOf, messageBody } from './routing.ts';
import { send, type Answer } from './http-client.ts';
import type { TestGateway } from '../harness/gateway.ts';

export type Headers = Readonly<Record<string, string>>;

/** The one header Claude Code sends for ANTHROPIC_AUTH_TOKEN. */
export function bearer(key: string): Headers {
  return { Authorization: `Bearer ${key}` };
}

/** A POST with these headers and no others but the content type. @param body as JSON, unless it is text */
export function post(
  gateway: TestGateway,
  headers: Headers,
  body: unknown = messageBody(),
  path = '/v1/messages',
): Promise<Answer> {
  return send(gateway.url, { path, headers: inTurn({ 'Content-Type': 'application/json', ...headers }), body });
}

/** A request without body, and with these headers only. */
export function get(gateway: TestGateway, path: string, headers: Headers = {}, method = 'GET'): Promise<Answer> {
  return send(gateway.url, { method, path, headers: inTurn(headers) });
}

function inTurn(headers: Headers): string[] {
  return Object.entries(headers).flat();
}

/** The audit record of an answer, once it is written. */
export function recordOf(gateway: TestGateway, answer: Answer): Promise<Readonly<Record<string, unknown>>> {
  return gateway.record(({ request_id: id }) => id === answer.headers['x-request-id']);
}

/** A refusal in the gateway's own words, in one line: status, type, message. */
export function refusalOf(answer: Answer): string {
  const { error } = errorOf(answer);
  return `${answer.status} ${error.type}: ${error.message}`;
}

/** Status of an answer, with its error type when it is a refusal. */
export function outcomeOf(answer: Answer): string {
  return answer.status < 400 ? String(answer.status) : `${answer.status} ${errorOf(answer).error.type}`;
}
