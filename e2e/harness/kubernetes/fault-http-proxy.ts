// An API server's double: ends TLS with a certificate of its own, asks a rule about every request, and does as the rule says or passes it on to
// the real one. Callers come with tokens; client certificates do not reach the server behind.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { createAuthority, signCertificate, tlsOf } from './certificates.ts';

export interface ProxiedRequest {
  readonly method: string;
  readonly url: URL;
  readonly watch: boolean;
  /** A list, or a page of one. */
  readonly list: boolean;
  readonly authorization: string;
}

export type Fault =
  /** Answered without asking the server. */
  | {
      readonly code: number;
      readonly reason: string;
      readonly retryAfter?: number;
    }
  /** A 200 with these watch events as its only ones. */
  | { readonly events: readonly object[] }
  /** Passed on, but the connection is closed after so many bytes of the answer's body. */
  | { readonly cutAfter: number }
  /** Passed on after so many milliseconds. */
  | { readonly delay: number };

export interface FaultHttpProxy {
  readonly url: string;
  /** PEM: trust this one. */
  readonly ca: string;
  /** Decides about each request until it is replaced; undefined lets it pass. */
  rule: (request: ProxiedRequest) => Fault | undefined;
  readonly seen: ProxiedRequest[];
  close(): Promise<void>;
}

/**
 * @param target URL of the API server
 * @param caFile whom to trust there
 */
export async function startFaultHttpProxy(target: string, caFile: string): Promise<FaultHttpProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'portcullis-proxy-'));
  await createAuthority(folder);
  await signCertificate(folder, 'proxy', '/CN=proxy', ['IP:127.0.0.1']);
  const { ca = '', cert, key } = await tlsOf(folder, 'proxy');
  await rm(folder, { recursive: true });
  const agent = new Agent({ ca: await readFile(caFile), keepAlive: true });
  const seen: ProxiedRequest[] = [];

  const server = createServer({ cert, key }, (incoming, outgoing) => {
    const url = new URL(incoming.url ?? '/', target);
    const watch = url.searchParams.has('watch');
    const one: ProxiedRequest = {
      method: incoming.method ?? '',
      url,
      watch,
      list: incoming.method === 'GET' && !watch && url.searchParams.has('limit'),
      authorization: incoming.headers.authorization ?? '',
    };
    seen.push(one);
    const fault = proxy.rule(one);
    if (fault !== undefined && 'code' in fault) refuse(outgoing, fault);
    else if (fault !== undefined && 'events' in fault) {
      outgoing.writeHead(200, { 'content-type': 'application/json' });
      outgoing.end(fault.events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    } else {
      const pass = (): void =>
        passOn(incoming, outgoing, url, agent, fault !== undefined && 'cutAfter' in fault ? fault.cutAfter : Infinity);
      if (fault !== undefined && 'delay' in fault) setTimeout(pass, fault.delay);
      else pass();
    }
  });
  // Beneath TLS: one whose handshake is under way is none of the server's connections yet, and would keep it open.
  const sockets = new Set<Duplex>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: FaultHttpProxy = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca,
    rule: () => undefined,
    seen,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      agent.destroy();
      await closed;
    },
  };
  return proxy;
}

function refuse(outgoing: ServerResponse, { code, reason, retryAfter }: Extract<Fault, { code: number }>): void {
  const headers = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
  outgoing.writeHead(code, { 'content-type': 'application/json', ...headers });
  outgoing.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: reason }));
}

function passOn(incoming: IncomingMessage, outgoing: ServerResponse, url: URL, agent: Agent, bytes: number): void {
  const headers = { ...incoming.headers, host: url.host };
  const call = request(url, { method: incoming.method, headers, agent }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    outgoing.flushHeaders();
    let left = bytes;
    answer.on('data', (chunk: Buffer) => {
      const part = chunk.subarray(0, left);
      left -= part.length;
      // The end of the connection must not overtake what was written before it.
      outgoing.write(part, () => {
        if (left <= 0) outgoing.destroy();
      });
    });
    answer.on('end', () => outgoing.end());
    answer.on('error', () => outgoing.destroy());
  });
  call.on('error', () => outgoing.destroy());
  outgoing.on('close', () => call.destroy());
  incoming.pipe(call);
}
