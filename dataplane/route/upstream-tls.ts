// How a connection to one upstream is secured beyond the default: a private CA instead of the public ones, a client certificate, a higher
// minimum version. The peer is always verified; nothing here can switch that off.
import { createHash } from 'node:crypto';
import type { Credentials, UpstreamEntry } from '#shared/bundle/bundle.ts';

/** What a TLS connection is made with. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
}

/** Holds a private key, so nothing of it shows in a log or an inspection but the id. */
export class UpstreamTls {
  /** The same for the same settings: connections may be shared, and renewed certificates get connections of their own. */
  readonly id: string;
  readonly #options: TlsOptions;

  constructor(options: TlsOptions) {
    this.#options = options;
    this.id = createHash('sha256').update(JSON.stringify(options)).digest('hex');
  }

  reveal(): TlsOptions {
    return this.#options;
  }
}

/**
 * @returns undefined for an upstream that is reached like any other server
 * @throws {Error} when a secret it names is not there: with public certificates in place of a private CA another server could pass for it
 */
export function tlsOf({ tls }: UpstreamEntry, { values }: Credentials): UpstreamTls | undefined {
  if (tls === undefined) return undefined;
  const pem = (ref: string | undefined): string | undefined => {
    const value = ref === undefined ? undefined : values[ref]?.reveal();
    if (ref !== undefined && !value) throw new Error(`the credentials hold no ${ref}`);
    return value;
  };
  const [ca, cert, key] = [pem(tls.ca), pem(tls.certificate), pem(tls.key)];
  return new UpstreamTls({
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tls.minVersion === undefined ? {} : { minVersion: tls.minVersion }),
  });
}
