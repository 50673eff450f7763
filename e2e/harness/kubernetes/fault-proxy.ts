// A forwarder of bytes before an API server that does what networks do: resets, connections that die without a word, congestion. TLS passes
// through, so identities and certificates are the real ones. For faults inside of HTTP see fault-http-proxy.ts.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface FaultProxy {
  /** `https://127.0.0.1:PORT`, a name that the API server's certificate has. */
  readonly url: string;
  readonly port: number;
  /** Connections open now, frozen ones included. */
  readonly open: number;
  /** Ends every connection with a reset. */
  reset(): void;
  /** Nothing passes on connections of now any more, and nobody is told; new ones are fine. */
  freeze(): void;
  /** What was frozen goes on where it stopped. */
  thaw(): void;
  /** New connections are reset at once, until {@link FaultProxy.admit}. */
  refuse(): void;
  admit(): void;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  frozen: boolean;
}

/** @param target URL of the API server */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<Pair>();
  let refusing = false;
  const listener: Server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on('error', () => undefined);
    if (refusing) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true });
    const pair: Pair = { client, server, frozen: false };
    pairs.add(pair);
    const forward = (from: Socket, to: Socket): void => {
      from.on('data', (chunk: Buffer) => {
        if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => {
        if (!pair.frozen) from.resume();
      });
      from.on('end', () => to.end());
      from.on('error', () => undefined);
      from.on('close', () => {
        pairs.delete(pair);
        if (!pair.frozen) to.destroy();
      });
    };
    forward(client, server);
    forward(server, client);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port: own } = listener.address() as AddressInfo;
  const each = (act: (socket: Socket) => void): void => {
    for (const { client, server } of pairs) for (const socket of [client, server]) act(socket);
  };
  const set = (frozen: boolean): void => {
    for (const pair of pairs) pair.frozen = frozen;
    each((socket) => void (frozen ? socket.pause() : socket.resume()));
  };
  return {
    url: `https://127.0.0.1:${own}`,
    port: own,
    get open() {
      return pairs.size;
    },
    reset: () => each((socket) => void socket.resetAndDestroy()),
    freeze: () => set(true),
    thaw: () => set(false),
    refuse: () => void (refusing = true),
    admit: () => void (refusing = false),
    close: async () => {
      each((socket) => void socket.destroy());
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}
