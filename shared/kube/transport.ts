// Connections to one API server. HTTP/1.1 only, kept alive, made anew when certificates change. Watches hold a connection for minutes, so
// they have a pool of their own: calls are bounded and never wait behind a watch.
import { Pool, type Dispatcher } from 'undici';
import type { Connection, TlsMaterial } from './connection.ts';

const CALL_CONNECTIONS = 32;
const CONNECT_TIMEOUT_MS = 10_000;
/** Go's server drops idle connections after 90 s; we go first. */
const KEEP_ALIVE_MS = 30_000;
/** Probes follow each second, ten of them: a peer that vanished without a word is noticed after 25 s, and balancers see traffic. */
const PROBE_AFTER_MS = 15_000;

export interface Exchange {
  readonly method: Dispatcher.HttpMethod;
  /** With query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Takes one of the connections for watches. */
  readonly lasting?: boolean;
}

interface Pools {
  readonly calls: Pool;
  readonly watches: Pool;
  readonly tls: TlsMaterial;
}

export class Transport {
  readonly #connection: Connection;
  #pools: Pools | undefined;
  #closed = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * One request, one answer; time limits are the caller's, by `signal`.
   * @param refresh read credentials again first
   */
  async send(exchange: Exchange, refresh: boolean): Promise<Dispatcher.ResponseData> {
    const { tls, authorization } = await this.#connection.credentials(refresh);
    exchange.signal.throwIfAborted();
    const { calls, watches } = this.#open(tls);
    const { method, path, headers, body, signal, lasting } = exchange;
    return (lasting === true ? watches : calls).request({
      method,
      path: `${new URL(this.#connection.server).pathname.replace(/\/$/, '')}${path}`,
      headers: authorization === undefined ? headers : { ...headers, authorization },
      body: body ?? null,
      signal,
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const pools = this.#pools;
    this.#pools = undefined;
    await Promise.all([pools?.calls.destroy(), pools?.watches.destroy()]);
  }

  #open(tls: TlsMaterial): Pools {
    if (this.#closed) throw new Error('this client is closed');
    const old = this.#pools;
    if (old !== undefined && same(old.tls, tls)) return old;
    const options: Pool.Options = {
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: {
        ...tls,
        timeout: CONNECT_TIMEOUT_MS,
        keepAlive: true,
        keepAliveInitialDelay: PROBE_AFTER_MS,
      },
    };
    const { origin } = new URL(this.#connection.server);
    this.#pools = {
      calls: new Pool(origin, { ...options, connections: CALL_CONNECTIONS }),
      watches: new Pool(origin, { ...options, connections: null }),
      tls,
    };
    // What runs on the old connections may finish there.
    for (const pool of [old?.calls, old?.watches]) pool?.close().catch(() => undefined);
    return this.#pools;
  }
}

function same(a: TlsMaterial, b: TlsMaterial): boolean {
  return (
    a === b ||
    (a.ca === b.ca &&
      a.cert === b.cert &&
      a.key === b.key &&
      a.servername === b.servername &&
      a.rejectUnauthorized === b.rejectUnauthorized)
  );
}
