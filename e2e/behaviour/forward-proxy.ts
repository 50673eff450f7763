// A forward proxy of both kinds (CONNECT and absolute-form) that resolves names only it knows.
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

export interface ForwardProxy {
  readonly url: string;
  /** Hosts and ports asked for, oldest first. */
  readonly asked: string[];
  /** First bytes sent through each tunnel. */
  readonly first: Buffer[];
  close(): Promise<void>;
}

/** A forward proxy for which every name leads to `target`. */
export async function startProxy(target: string, connectStatus = 200): Promise<ForwardProxy> {
  const { hostname, port } = new URL(target);
  const asked: string[] = [];
  const first: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((incoming: IncomingMessage, answer: ServerResponse) => {
    const url = new URL(incoming.url!);
    asked.push(url.host);
    const onward = httpRequest(
      {
        host: hostname,
        port,
        method: incoming.method,
        path: `${url.pathname}${url.search}`,
        headers: incoming.rawHeaders,
        agent: false,
      },
      (response) => {
        answer.writeHead(response.statusCode!, response.rawHeaders).flushHeaders();
        response.pipe(answer);
      },
    );
    answer.once('close', () => onward.destroy());
    incoming.pipe(onward.on('error', () => answer.destroy()));
  });
  server.on('connect', ({ url }: IncomingMessage, socket: Socket) => {
    asked.push(url!);
    if (connectStatus === 0) return;
    if (connectStatus !== 200) {
      socket.end(`HTTP/1.1 ${connectStatus} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const onward = connect({ host: hostname, port: Number(port) });
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    socket.once('data', (bytes: Buffer) => first.push(bytes));
    socket
      .on('error', () => onward.destroy())
      .pipe(onward.on('error', () => socket.destroy()))
      .pipe(socket);
  });
  server.on('connection', (socket: Socket) => sockets.add(socket.once('close', () => sockets.delete(socket))));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    first,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
