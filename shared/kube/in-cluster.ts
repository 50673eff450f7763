// The service account of a pod. kubelet replaces the token about once an hour and the CA when it is rotated, so both are read again now and then.
import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import type { Connection, Credentials, Environment } from './connection.ts';

/** A token stays valid for 10 minutes at least after kubelet has replaced it. */
const READ_EVERY_MS = 60_000;

/**
 * @param folder holds `token`, `ca.crt` and, usually, `namespace`
 * @param now milliseconds of a clock that never goes back
 * @throws {Error} when the environment names no API server or a file cannot be read
 */
export async function inClusterConnection(
  environment: Environment,
  folder: string,
  now: () => number,
): Promise<Connection> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = environment;
  if (host === undefined || host === '') throw new Error('KUBERNETES_SERVICE_HOST is not set: not in a pod');
  const read = async (): Promise<Credentials> => {
    // One after the other, so that of two that are missing the same one is always named.
    const token = await readFile(`${folder}/token`, 'utf8');
    const ca = await readFile(`${folder}/ca.crt`, 'utf8');
    return { tls: { ca }, authorization: `Bearer ${token.trim()}` };
  };
  let known = await read();
  let readAt = now();
  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    namespace: await readFile(`${folder}/namespace`, 'utf8').then(
      (text) => text.trim(),
      () => undefined,
    ),
    credentials: async (refresh) => {
      if (refresh || now() - readAt > READ_EVERY_MS) {
        // A file that is gone for the moment of its replacement is no reason to fail: what we know may still be good.
        known = await read().catch(() => known);
        readAt = now();
      }
      return known;
    },
  };
}
