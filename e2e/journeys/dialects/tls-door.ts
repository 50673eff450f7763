// TLS in front of the tap, with an authority made for the run: AWS's SDKs send a bearer token over nothing else.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority, signCertificate, tlsOf } from '../../harness/kubernetes/certificates.ts';
import { startTap } from '../../harness/tap.ts';
import { startTlsFront } from '../../harness/tls-front.ts';

export interface TlsDoor {
  /** For clients in place of the tap. */
  readonly tap: { readonly url: string; readonly socketPath: string };
  /** Path of the certificate to trust, in PEM. */
  readonly authority: string;
  close(): Promise<void>;
}

/** @param target URL of the tap */
export async function startTlsDoor(target: string): Promise<TlsDoor> {
  const folder = await mkdtemp(join(tmpdir(), 'portcullis-tls-door-'));
  await createAuthority(folder);
  await signCertificate(folder, 'door', '/CN=gateway', ['IP:127.0.0.1']);
  const pair = (await tlsOf(folder, 'door')) as Readonly<Record<'cert' | 'key', string>>;
  const front = await startTlsFront('127.0.0.1', target, pair);
  const socketPath = join(folder, 'door.sock');
  // Bytes as they are, from a Unix socket: the only way out of a client's network namespace.
  const way = await startTap(`http://127.0.0.1:${front.port}`, socketPath);
  return {
    tap: { url: `https://127.0.0.1:${new URL(way.url).port}`, socketPath },
    authority: join(folder, 'ca.crt'),
    close: async () => {
      await way.close();
      await front.close();
      await rm(folder, { recursive: true });
    },
  };
}
