// A dumb forwarder of bytes between a client and a server that remembers both directions. Put before and behind the gateway it shows what
// really was on the wire, whatever client, gateway and mock believe.
import { createServer, connect, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { readMessages, type HttpMessage } from './http-transcript.ts';

/** One request and its answer; no answer when the connection ended before its headers. */
export interface Exchange {
  readonly request: HttpMessage;
  readonly response: HttpMessage | undefined;
}

export interface Tap {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Exchanges so far, in the order in which their requests began, over all connections. */
  exchanges(): Exchange[];
  close(): Promise<void>;
}

interface Recording {
  readonly sent: Buffer[];
  /** For each chunk sent its place among the chunks of all connections. */
  readonly order: number[];
  readonly received: Buffer[];
}

/**
 * @param target URL of the server behind
 * @param socketPath a Unix socket to listen on besides the port: the way in for a client in another network namespace
 */
export async function startTap(target: string, socketPath?: string): Promise<Tap> {
  const { hostname, port } = new URL(target);
  const recordings: Recording[] = [];
  const sockets = new Set<Socket>();
  let chunks = 0;

  const accept = (client: Socket): void => {
    const recording: Recording = { sent: [], order: [], received: [] };
    recordings.push(recording);
    const record = (chunk: Buffer): void => {
      recording.sent.push(chunk);
      recording.order.push(chunks++);
    };
    const server = connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true });
    client.on('data', record).pipe(server);
    server.on('data', (chunk: Buffer) => recording.received.push(chunk)).pipe(client);
    join(client, server);
    join(server, client);
    for (const socket of [client, server]) sockets.add(socket.once('close', () => sockets.delete(socket)));
  };
  const servers = [await listen(accept, { port: 0, host: '127.0.0.1' })];
  if (socketPath !== undefined) servers.push(await listen(accept, { path: socketPath }));
  const address = servers[0]!.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${address.port}`,
    exchanges: () =>
      recordings
        .flatMap(exchangesOf)
        .sort((a, b) => a.order - b.order)
        .map(({ exchange }) => exchange),
    close: async () => {
      const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
    },
  };
}

/** A socket that broke, or ended before it passed everything on, takes its partner with it. */
function join(from: Socket, to: Socket): void {
  from.on('error', () => to.destroy());
  from.once('close', () => {
    if (!to.writableEnded) to.destroy();
  });
}

async function listen(accept: (client: Socket) => void, where: object): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, accept);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(where, resolve));
  return server;
}

function exchangesOf({ sent, order, received }: Recording): { order: number; exchange: Exchange }[] {
  const requests = readMessages(Buffer.concat(sent));
  const isHead = (index: number): boolean => requests[index]?.startLine.startsWith('HEAD ') === true;
  const responses = readMessages(Buffer.concat(received), isHead);
  return requests.map((request, index) => ({
    order: order[chunkAt(sent, request.offset)]!,
    exchange: { request, response: responses[index] },
  }));
}

/** Index of the chunk that holds a byte. */
function chunkAt(chunks: readonly Buffer[], offset: number): number {
  let end = 0;
  return chunks.findIndex((chunk) => (end += chunk.length) > offset);
}
