// Addresses of the API server: which path holds objects of a kind, what a list or a watch asks for.
import type { ListQuery, Reference } from './client.ts';
import type { ResourceType } from './object.ts';

export type QueryValues = Readonly<Record<string, string | number | boolean | undefined>>;

/** @param namespace empty or left out for every namespace */
export function collectionPath({ group, version, plural }: ResourceType, namespace?: string): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return namespace === undefined || namespace === ''
    ? `${root}/${plural}`
    : `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`;
}

export function objectPath(type: ResourceType, { namespace, name }: Reference, subresource?: string): string {
  if (name === '') throw new Error(`${type.kind} without a name`);
  if (type.clusterScoped !== true && namespace === '') throw new Error(`${type.kind} ${name} without a namespace`);
  const path = `${collectionPath(type, namespace)}/${encodeURIComponent(name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

export function withQuery(path: string, values: QueryValues): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) query.set(name, String(value));
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}

export function selectors({ labelSelector, fieldSelector }: ListQuery): QueryValues {
  return { labelSelector, fieldSelector };
}

/** What we can read, for a whole object, a list or a watch. */
export function accept(metadataOnly: boolean | undefined, list: boolean): string {
  if (metadataOnly !== true) return 'application/json';
  return `application/json;as=PartialObjectMetadata${list ? 'List' : ''};g=meta.k8s.io;v=v1`;
}
