// Connections to upstreams, kept across configurations: one pool per origin and TLS settings, opened when first used, closed when no
// configuration names them any more and the last call is done. HTTP/1.1 only: a stream per connection keeps one slow reader from stalling others.
import { Pool, ProxyAgent, type Dispatcher } from 'undici';
import { proxyFor, type ProxySettings } from './proxy.ts';
import type { TlsOptions, UpstreamTls } from './upstream-tls.ts';

export interface PoolOptions {
  /** Milliseconds. */
  readonly connectTimeout: number;
  /**
   * Milliseconds after which a connection takes no further calls, so that a name that moves to other addresses is followed however busy its
   * connections are. What runs on the connection finishes on it.
   */
  readonly reconnectAfter: number;
  readonly proxy: ProxySettings | undefined;
}

/** Time limits are ours (see sweeper.ts); undici's own are switched off so that two clocks never disagree. */
const COMMON = {
  headersTimeout: 0,
  bodyTimeout: 0,
  allowH2: false,
  pipelining: 1,
  keepAliveTimeout: 60_000,
  keepAliveMaxTimeout: 600_000,
};

/** For a Gateway whose configuration does not say, and for what no Gateway configures. */
export const RECONNECT_AFTER_MS = 300_000;

/** Where connections lead, and how they are secured. An UpstreamTarget is one. */
export interface Destination {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly tls: UpstreamTls | undefined;
}

export class Pools {
  readonly #pools = new Map<string, { readonly dispatcher: Dispatcher; readonly options: string }>();
  #options: PoolOptions;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Takes over what a new configuration says; pools made under other options end when their calls do. */
  configure(options: PoolOptions, destinations: Iterable<Destination>): void {
    this.#options = options;
    const keys = new Set(Array.from(destinations, ({ origin, tls }) => keyOf(origin, tls)));
    const wanted = JSON.stringify(options);
    for (const [key, pool] of this.#pools) {
      if (keys.has(key) && pool.options === wanted) continue;
      this.#pools.delete(key);
      // close() lets calls in flight finish first.
      pool.dispatcher.close().catch(() => undefined);
    }
  }

  /** @throws {Error} when a connection cannot even be prepared, such as with a private key that does not fit its certificate */
  of(origin: string, tls?: UpstreamTls): Dispatcher {
    const key = keyOf(origin, tls);
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = { dispatcher: this.#open(origin, tls), options: JSON.stringify(this.#options) };
      this.#pools.set(key, pool);
    }
    return pool.dispatcher;
  }

  async destroy(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map(({ dispatcher }) => dispatcher.destroy()));
  }

  #open(origin: string, tls: UpstreamTls | undefined): Dispatcher {
    const { connectTimeout, reconnectAfter, proxy: settings } = this.#options;
    const common = { ...COMMON, clientTtl: reconnectAfter };
    // Without noDelay the tail of a large body waits for an acknowledgement on a reused connection.
    // Verification is not left to NODE_TLS_REJECT_UNAUTHORIZED.
    const connect = { timeout: connectTimeout, noDelay: true, rejectUnauthorized: true } as const;
    const secured = tls === undefined ? connect : { ...connect, ...tls.reveal() };
    const proxy = settings && proxyFor(origin, settings);
    return proxy === undefined
      ? new Pool(origin, { ...common, connections: null, connect: secured })
      : throughProxy(proxy, common, connect, secured);
  }
}

interface ConnectOptions extends TlsOptions {
  readonly timeout: number;
  readonly noDelay: boolean;
  readonly rejectUnauthorized: true;
}

function keyOf(origin: string, tls: UpstreamTls | undefined): string {
  return tls === undefined ? origin : `${origin} ${tls.id}`;
}

/** @param connect to the proxy itself @param secured to the upstream, through the tunnel */
function throughProxy(uri: string, common: Pool.Options, connect: ConnectOptions, secured: ConnectOptions): Dispatcher {
  const agent = new ProxyAgent({
    ...common,
    uri,
    connectTimeout: connect.timeout,
    proxyTls: connect,
    requestTls: secured,
    // Requests in the proxy's own form and those through its tunnels: neither may have limits of undici's.
    factory: (origin, options: Pool.Options) => new Pool(origin, { ...options, ...common, connections: null }),
    // CONNECT itself; its answer is part of connecting.
    clientFactory: (origin, options: Pool.Options) => new Pool(origin, { ...options, headersTimeout: connect.timeout }),
  });
  // The agent takes a list of headers apart into an object and would keep only the last of a repeated name.
  return agent.compose((dispatch) => (options, handler) => {
    return dispatch({ ...options, headers: byName((options.headers ?? []) as readonly string[]) }, handler);
  });
}

function byName(headers: readonly string[]): Record<string, string | string[]> {
  const named: Record<string, string | string[]> = {};
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i]!, headers[i + 1]!];
    const before = named[name];
    named[name] = before === undefined ? value : [before, value].flat();
  }
  return named;
}
