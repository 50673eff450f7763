// What secures the connection to an upstream beyond the default, its certificates and keys taken by reference.
import { X509Certificate, createPrivateKey } from 'node:crypto';
import type { UpstreamSpec } from '#shared/api/upstream.ts';
import type { UpstreamTls } from '#shared/bundle/bundle.ts';
import type { SecretText } from '#shared/secret-text.ts';
import type { TakeSecret } from './credential-of.ts';

/** @returns undefined for an upstream that is reached like any other server */
export function tlsOf({ tls }: UpstreamSpec, take: TakeSecret): UpstreamTls | undefined {
  if (tls === undefined) return undefined;
  const { caRef, clientCertificate, minVersion } = tls;
  const own = 'spec.tls.clientCertificate';
  const members: UpstreamTls = {
    ...(caRef === undefined ? {} : { ca: take('spec.tls.caRef', 'tls/ca', caRef, 'Certificates') }),
    ...(clientCertificate === undefined
      ? {}
      : {
          certificate: take(
            `${own}.certificateRef`,
            'tls/certificate',
            clientCertificate.certificateRef,
            'Certificates',
          ),
          key: take(`${own}.keyRef`, 'tls/key', clientCertificate.keyRef, 'PrivateKey'),
        }),
    ...(minVersion === undefined ? {} : { minVersion }),
  };
  return Object.keys(members).length === 0 ? undefined : members;
}

/** Whether a private key is that of the first certificate of a chain; both can be read. */
export function keyFits(chain: SecretText, key: SecretText): boolean {
  return new X509Certificate(chain.reveal()).checkPrivateKey(createPrivateKey(key.reveal()));
}
