// A kubeconfig, read by the client package: client certificates, tokens, exec plugins. From sources the package costs half a second of start and
// 80 MB; in a bundle 1.4 MB of text, which is 20 MB of memory before it even runs. So this file is only imported when a kubeconfig is asked for.
import { KubeConfig } from '@kubernetes/client-node';
import type { Connection, Credentials } from './connection.ts';

/** Exec plugins may be slow and remember their tokens themselves; files that a kubeconfig points at are rotated like a pod's. */
const ASK_EVERY_MS = 60_000;

/**
 * @param path of one kubeconfig; its current context counts
 * @param now milliseconds of a clock that never goes back
 * @throws {Error} when it cannot be read, names no cluster, or needs a proxy
 */
export async function kubeconfigConnection(path: string, now: () => number): Promise<Connection> {
  let config = load(path);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`${path}: the current context names no cluster`);
  if (cluster.proxyUrl !== undefined && cluster.proxyUrl !== '') {
    throw new Error(`${path}: proxy-url of cluster ${cluster.name} is not supported`);
  }
  let known = await ask(config);
  let askedAt = now();
  return {
    server: cluster.server.replace(/\/+$/, ''),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    credentials: async (refresh) => {
      if (refresh || now() - askedAt > ASK_EVERY_MS) {
        // A plugin's answer is remembered by the object until it expires, even when the server has refused it: begin anew.
        if (refresh) config = load(path);
        known = await ask(config);
        askedAt = now();
      }
      return known;
    },
  };
}

function load(path: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(path);
  return config;
}

async function ask(config: KubeConfig): Promise<Credentials> {
  const options: Parameters<KubeConfig['applyToHTTPSOptions']>[0] = {};
  await config.applyToHTTPSOptions(options);
  const basic = typeof options.auth === 'string' ? `Basic ${Buffer.from(options.auth).toString('base64')}` : undefined;
  const headers = (options.headers ?? {}) as Readonly<Record<string, string | undefined>>;
  const authorization = headers['Authorization'] ?? basic;
  const pem = (value: unknown): string | undefined =>
    typeof value === 'string' || value instanceof Uint8Array ? value.toString() : undefined;
  const { servername, rejectUnauthorized } = options;
  return {
    tls: {
      ca: pem(options.ca),
      cert: pem(options.cert),
      key: pem(options.key),
      servername,
      rejectUnauthorized,
    },
    authorization,
  };
}
