// What the tests of this room share: a clock that stands still until moved, and loopback servers behind the addresses of the real ones.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Clock, CredentialPorts, Fetch, OutgoingRequest } from './source.ts';

/** A clock that only {@link FakeClock.advance} moves. */
export class FakeClock implements Clock {
  #now: number;
  #timers: { at: number; work: () => void }[] = [];

  constructor(now = Date.UTC(2026, 10, 21, 12)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, work: () => void): () => void {
    const timer = { at: this.#now + milliseconds, work };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.#timers.length;
  }

  /** Goes through the time in order, letting what each timer started run on. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      await settle();
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#now = Math.max(this.#now, next.at);
      next.work();
    }
    this.#now = end;
  }
}

/** Lets promises that wait for nothing outside run to their end. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((done) => setImmediate(done));
}

export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** The host that was meant. */
  readonly host: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Answer {
  readonly status?: number;
  readonly body: string;
  readonly headers?: Record<string, string>;
}

export interface FakeEndpoint {
  readonly asked: Asked[];
  /** Of the loopback server, without trailing slash. */
  readonly url: string;
  /** Reaches this server whatever host is named. */
  readonly fetch: Fetch;
}

/** A server on loopback that answers as told and remembers what it was asked. */
export async function endpoint(answer: (asked: Asked) => Answer | Promise<Answer>): Promise<FakeEndpoint> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const host = (headers['x-meant-host'] as string | undefined) ?? headers.host ?? '';
      const one = { method, url, host, headers, body: Buffer.concat(chunks).toString() };
      asked.push(one);
      Promise.resolve(answer(one)).then(
        ({ status = 200, body, headers }) => response.writeHead(status, headers).end(body),
        () => response.destroy(),
      );
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const reach: Fetch = (meant, init) => {
    const { host, pathname, search } = new URL(meant);
    const headers = new Headers(init.headers);
    headers.set('x-meant-host', host);
    return fetch(`${url}${pathname}${search}`, { ...init, headers });
  };
  return { asked, url, fetch: reach };
}

/** Ports that reach nothing and find no file, but for what is given. */
export function ports(given: Partial<CredentialPorts> = {}): CredentialPorts {
  const unreachable: Fetch = () =>
    Promise.reject(
      new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) }),
    );
  return {
    fetch: unreachable,
    fetchLocal: unreachable,
    readFile: () => Promise.reject(Object.assign(new Error('no such file'), { code: 'ENOENT' })),
    clock: new FakeClock(),
    random: () => 0.5,
    ...given,
  };
}

/** The system's clock, for libraries that look at it themselves. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (milliseconds, work) => {
    const timer = setTimeout(work, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

export function outgoing(change: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    method: 'POST',
    origin: 'https://upstream.example',
    path: '/v1/messages',
    headers: ['content-type', 'application/json'],
    body: Buffer.from('{"model":"claude"}'),
    ...change,
  };
}

/** Names and values in turn, by name. */
export function byName(headers: readonly string[]): Record<string, string> {
  const named: Record<string, string> = {};
  for (let i = 0; i < headers.length; i += 2) named[headers[i]!] = headers[i + 1]!;
  return named;
}
