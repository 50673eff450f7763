// Which ConfigMap a Gateway names as its catalog.
import type { KubeObject } from '#shared/kube/object.ts';

/** `namespace/name` of the ConfigMap; undefined for objects that name none, of whatever kind. */
export function catalogRef({ metadata, spec }: KubeObject & { readonly spec?: unknown }): string | undefined {
  const { catalog } = (spec ?? {}) as { readonly catalog?: { readonly configMapRef?: { readonly name?: unknown } } };
  const name = catalog?.configMapRef?.name;
  return typeof name === 'string' ? `${metadata.namespace}/${name}` : undefined;
}
