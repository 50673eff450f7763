// Which keys of which Secrets hold the certificates of an Upstream's connection.
import type { KubeObject } from '#shared/kube/object.ts';

/** `Client`: what the gateway shows. `Authority`: what it knows the upstream by. */
export type CertificateRole = 'Client' | 'Authority';

export interface CertificateRef {
  /** `namespace/name`. */
  readonly secret: string;
  readonly key: string;
  readonly role: CertificateRole;
}

interface Connection {
  readonly caRef?: unknown;
  readonly clientCertificate?: { readonly certificateRef?: unknown };
}

/** @param object of any kind and of any shape; only Upstreams have some */
export function certificateRefs({ metadata, spec }: KubeObject & { readonly spec?: unknown }): CertificateRef[] {
  const { tls } = (spec ?? {}) as { readonly tls?: Connection };
  const named: readonly (readonly [CertificateRole, unknown])[] = [
    ['Client', tls?.clientCertificate?.certificateRef],
    ['Authority', tls?.caRef],
  ];
  return named.flatMap(([role, ref]) => {
    const { name, key } = (ref ?? {}) as { readonly name?: unknown; readonly key?: unknown };
    if (typeof name !== 'string' || typeof key !== 'string') return [];
    return [{ secret: `${metadata.namespace}/${name}`, key, role }];
  });
}
