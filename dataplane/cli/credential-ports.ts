// Credentials of upstreams for this process: what their sources need of the machine they run on.
import { readFile } from 'node:fs/promises';
import { Agent, fetch as fetchThrough, type RequestInit as ThroughInit } from 'undici';
import type { Clock, CredentialPorts, Fetch } from '../credentials/source.ts';
import { CredentialSources } from '../credentials/sources.ts';
import { gatewayProxy } from '../data-plane.ts';
import type { OpenCredentials } from '../providers/target.ts';
import { Pools, RECONNECT_AFTER_MS, type PoolOptions } from '../route/pools.ts';

export interface CredentialEnvironment {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly environmentProxy: PoolOptions['proxy'];
}

const CONNECT_TIMEOUT_MS = 5_000;
const NONE: readonly never[] = [];

/** Opens the credentials of each configuration and keeps those that did not change, with their tokens. */
export function openedCredentials({ environment, environmentProxy }: CredentialEnvironment): OpenCredentials {
  const options = (proxy: PoolOptions['proxy']): PoolOptions => ({
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectAfter: RECONNECT_AFTER_MS,
    proxy,
  });
  const pools = new Pools(options(environmentProxy));
  // Metadata servers of the machine answer at once or are not there.
  const local = new Agent({ connect: { timeout: 1_000 } });
  const ports: CredentialPorts = {
    fetch: reach((url) => pools.of(new URL(url).origin)),
    fetchLocal: reach(() => local),
    readFile: (path) => readFile(path, 'utf8'),
    googleCredentialsFile: environment['GOOGLE_APPLICATION_CREDENTIALS'],
    clock,
    random: Math.random,
  };
  const sources = new CredentialSources(ports);
  return (specs, proxy) => {
    // Token endpoints are called rarely: their connections need not outlive a configuration.
    pools.configure(options(gatewayProxy(proxy, environmentProxy)), NONE);
    return sources.configure(specs);
  };
}

function reach(dispatcher: (url: string) => ThroughInit['dispatcher']): Fetch {
  return (url, init) =>
    fetchThrough(url, { ...init, dispatcher: dispatcher(url) } as ThroughInit) as Promise<unknown> as Promise<Response>;
}

const clock: Clock = {
  now: Date.now,
  after(milliseconds, work) {
    const timer = setTimeout(work, milliseconds);
    // A refresh to come must not keep a process alive that is done.
    timer.unref();
    return () => clearTimeout(timer);
  },
};
