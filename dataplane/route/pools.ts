// Connections to upstreams, kept across configurations: one pool per origin, opened when first used, closed when no configuration
// names the origin any more and its last call is done. HTTP/1.1 only: a stream per connection keeps one slow reader from stalling others.
import { Pool, ProxyAgent, type Dispatcher } from 'undici';
import { proxyFor, type ProxySettings } from './proxy.ts';

export interface PoolOptions {
  /** Milliseconds. */
  readonly connectTimeout: number;
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

export class Pools {
  readonly #pools = new Map<string, { readonly dispatcher: Dispatcher; readonly options: string }>();
  #options: PoolOptions;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Takes over what a new configuration says; pools made under other options end when their calls do. */
  configure(options: PoolOptions, origins: ReadonlySet<string>): void {
    this.#options = options;
    const wanted = JSON.stringify(options);
    for (const [origin, pool] of this.#pools) {
      if (origins.has(origin) && pool.options === wanted) continue;
      this.#pools.delete(origin);
      // close() lets calls in flight finish first.
      pool.dispatcher.close().catch(() => undefined);
    }
  }

  of(origin: string): Dispatcher {
    let pool = this.#pools.get(origin);
    if (pool === undefined) {
      pool = { dispatcher: this.#open(origin), options: JSON.stringify(this.#options) };
      this.#pools.set(origin, pool);
    }
    return pool.dispatcher;
  }

  async destroy(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map(({ dispatcher }) => dispatcher.destroy()));
  }

  #open(origin: string): Dispatcher {
    const { connectTimeout, proxy: settings } = this.#options;
    // Without noDelay the tail of a large body waits for an acknowledgement on a reused connection.
    const connect = { timeout: connectTimeout, noDelay: true };
    const proxy = settings && proxyFor(origin, settings);
    return proxy === undefined
      ? new Pool(origin, { ...COMMON, connections: null, connect })
      : throughProxy(proxy, connect);
  }
}

function throughProxy(uri: string, connect: { readonly timeout: number; readonly noDelay: boolean }): Dispatcher {
  const agent = new ProxyAgent({
    ...COMMON,
    uri,
    connectTimeout: connect.timeout,
    proxyTls: connect,
    requestTls: connect,
    // Requests in the proxy's own form and those through its tunnels: neither may have limits of undici's.
    factory: (origin, options: Pool.Options) => new Pool(origin, { ...options, ...COMMON, connections: null }),
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
