// Terminates TLS in front of a plain listener of this machine, as a load balancer does.
import { connect, type AddressInfo, type Socket } from 'node:net';
import { createServer, type SecureContextOptions, type TlsOptions } from 'node:tls';

export interface TlsFront {
  readonly port: number;
  /** Connections taken in since the start. */
  accepted(): number;
  /** Another certificate for connections from now on. */
  renew(tls: SecureContextOptions): void;
  close(): Promise<void>;
}

/** @param address to listen on, at a free port @param target URL of the listener behind @param tls its certificate and key, in PEM, and what it asks of clients */
export async function startTlsFront(
  address: string,
  target: string,
  tls: TlsOptions & { readonly cert: string; readonly key: string },
): Promise<TlsFront> {
  const { hostname: host, port } = new URL(target);
  const open = new Set<Socket>();
  let accepted = 0;
  const server = createServer({ ...tls, noDelay: true }, (outside) => {
    accepted++;
    const inside = connect({ host, port: Number(port), noDelay: true });
    for (const [one, other] of [
      [outside, inside],
      [inside, outside],
    ] as const) {
      open.add(one);
      one.on('error', () => other.destroy()).once('close', () => (open.delete(one), other.destroy()));
    }
    outside.pipe(inside).pipe(outside);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, address, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    renew: (next) => server.setSecureContext(next),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
