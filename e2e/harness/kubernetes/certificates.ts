// Certificates of one control plane: an authority of its own, and what it signs. Good for 30 days; no run takes that long.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import type { TlsMaterial } from '#shared/kube/connection.ts';

const run = promisify(execFile);
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];

/** Makes `ca.crt` and `ca.key`, and `sa.key`, which signs service account tokens. */
export async function createAuthority(folder: string): Promise<void> {
  await Promise.all([
    run('openssl', ['req', '-x509', ...KEY, '-subj', '/CN=ca', ...output(folder, 'ca')]),
    run('openssl', ['genrsa', '-out', join(folder, 'sa.key'), '2048']),
  ]);
}

/**
 * Makes `NAME.crt` and `NAME.key`, good for clients and servers.
 * @param subject such as `/O=system:masters/CN=admin`
 * @param names such as `IP:127.0.0.1`, `DNS:localhost`
 */
export async function signCertificate(
  folder: string,
  name: string,
  subject: string,
  names: readonly string[] = [],
): Promise<void> {
  const extensions = ['basicConstraints=CA:FALSE', 'extendedKeyUsage=clientAuth,serverAuth'];
  if (names.length > 0) extensions.push(`subjectAltName=${names.join(',')}`);
  const authority = ['-CA', join(folder, 'ca.crt'), '-CAkey', join(folder, 'ca.key')];
  const extended = extensions.flatMap((extension) => ['-addext', extension]);
  await run('openssl', ['req', '-x509', ...KEY, ...authority, '-subj', subject, ...extended, ...output(folder, name)]);
}

function output(folder: string, name: string): string[] {
  return ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)];
}

export async function tlsOf(folder: string, name: string): Promise<TlsMaterial> {
  const read = (file: string): Promise<string> => readFile(join(folder, file), 'utf8');
  const [ca, cert, key] = await Promise.all([read('ca.crt'), read(`${name}.crt`), read(`${name}.key`)]);
  return { ca, cert, key };
}

/** A kubeconfig with everything in it, so that it can be copied. */
export function kubeconfig(server: string, user: string, { ca, cert, key }: TlsMaterial): string {
  const base64 = (pem = ''): string => Buffer.from(pem).toString('base64');
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [{ name: user, user: { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user } }],
    'current-context': 'test',
  });
}
