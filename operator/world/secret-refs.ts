// The Secrets that objects of the cluster name, so that a change of one is a change of whoever refers to it.
import { secretNames } from '#shared/api/secret-names.ts';
import type { KubeObject } from '#shared/kube/object.ts';

/** Objects come out of a cache and are never altered, so what one names is found once, even for 100,000 of them. */
const known = new WeakMap<KubeObject, readonly string[]>();

/** `namespace/name` of every Secret an object's spec refers to, in order of appearance. */
export function secretRefs(object: KubeObject & { readonly spec?: unknown }): readonly string[] {
  let refs = known.get(object);
  if (refs === undefined) {
    refs = Array.from(secretNames(object.spec), (name) => `${object.metadata.namespace}/${name}`);
    known.set(object, refs);
  }
  return refs;
}
