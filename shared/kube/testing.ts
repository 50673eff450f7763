// Stand-ins for tests of this room: a server of one's own words over plain HTTP, and a connection to it.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';
import type { KubeClient } from './client.ts';
import type { Connection } from './connection.ts';
import { createKubeClient, type KubeClientOptions } from './kube-client.ts';

export interface Heard {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Reply = (response: ServerResponse, request: Heard) => void;

export interface FakeApi {
  readonly client: KubeClient;
  readonly heard: Heard[];
  /** Connections taken so far. */
  readonly connections: () => number;
}

const servers: Server[] = [];
const clients: KubeClient[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Answers requests in the order of `replies`, the last of them for ever. */
export async function fakeApi(
  replies: readonly Reply[],
  options: Partial<KubeClientOptions> & { readonly credentials?: Connection['credentials'] } = {},
): Promise<FakeApi> {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const one = { method, url, headers, body: Buffer.concat(pieces).toString() };
      heard.push(one);
      (replies[heard.length - 1] ?? replies.at(-1)!)(response, one);
    });
  });
  let connections = 0;
  server.on('connection', () => connections++);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = createKubeClient({
    connection: {
      server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      namespace: undefined,
      credentials: options.credentials ?? (async () => ({ tls: {} })),
    },
    userAgent: 'portcullis-test/1',
    now: () => performance.now(),
    random: () => 0,
    qps: 1000,
    ...options,
  });
  clients.push(client);
  return { client, heard, connections: () => connections };
}

export const json =
  (value: unknown, code = 200, headers: Readonly<Record<string, string>> = {}): Reply =>
  (response) =>
    void response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));

/** A refusal as API servers write it. */
export const refusal = (code: number, reason: string, headers: Readonly<Record<string, string>> = {}): Reply =>
  json({ kind: 'Status', apiVersion: 'v1', code, reason, message: `${reason} it is` }, code, headers);

export const broken: Reply = (response) => void response.socket?.destroy();

export function configMap(name: string, resourceVersion: string, data: Readonly<Record<string, string>> = {}) {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'a', uid: `uid-${name}`, resourceVersion },
    data,
  };
}
