// Which Secrets an object names. By the convention of the four kinds a reference is exactly `{name, key}`, always in the object's own
// namespace, so finding them needs no knowledge of single fields: a new field is found the day it is added.
import type { KubeObject } from '#shared/kube/object.ts';

/** Objects come out of a cache and are never altered, so what one names is found once, even for 100,000 of them. */
const known = new WeakMap<KubeObject, readonly string[]>();

/** `namespace/name` of every Secret an object's spec refers to, in order of appearance. */
export function secretRefs(object: KubeObject & { readonly spec?: unknown }): readonly string[] {
  let refs = known.get(object);
  if (refs === undefined) {
    const names = new Set<string>();
    collect(object.spec, names);
    refs = Array.from(names, (name) => `${object.metadata.namespace}/${name}`);
    known.set(object, refs);
  }
  return refs;
}

function collect(value: unknown, into: Set<string>): void {
  if (typeof value !== 'object' || value === null) return;
  const { name, key, ...rest } = value as Record<string, unknown>;
  if (typeof name === 'string' && typeof key === 'string' && Object.keys(rest).length === 0) into.add(name);
  else for (const member of Object.values(value)) collect(member, into);
}
