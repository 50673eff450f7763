// Calls to an API server that neither program makes and the client therefore lacks: bindings, tokens, deletion without grace, /readyz.
import { ApiError } from '#shared/kube/client.ts';
import type { Connection } from '#shared/kube/connection.ts';
import { Transport } from '#shared/kube/transport.ts';

const TIMEOUT_MS = 10_000;

export interface RawRequests {
  /** @throws {ApiError} for any answer but a success */
  send(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<unknown>;
  close(): Promise<void>;
}

export function rawRequests(connection: Connection): RawRequests {
  const transport = new Transport(connection);
  return {
    async send(method, path, body) {
      const answer = await transport.send(
        {
          method,
          path,
          headers: { 'content-type': 'application/json', accept: 'application/json' },
          body: body === undefined ? undefined : JSON.stringify(body),
          signal: AbortSignal.timeout(TIMEOUT_MS),
        },
        false,
      );
      const text = await answer.body.text();
      const isJson = String(answer.headers['content-type']).startsWith('application/json');
      const parsed: unknown = isJson ? JSON.parse(text) : text;
      if (answer.statusCode < 300) return parsed;
      const { reason = '', message = text } = isJson ? (parsed as { reason?: string; message?: string }) : {};
      throw new ApiError(answer.statusCode, reason, message);
    },
    close: () => transport.close(),
  };
}
