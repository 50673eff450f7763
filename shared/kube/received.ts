// Objects as they arrive, made the same whichever way they came: items of a list carry no kind, objects of the whole cluster no namespace.
import type { KubeObject, ResourceType } from './object.ts';

/** Changes the object given, which nobody else has seen yet. */
export function received<T extends KubeObject>(object: T, type: ResourceType): T {
  const open = object as { apiVersion?: string; kind?: string; metadata: { namespace?: string } };
  open.apiVersion ??= type.group === '' ? type.version : `${type.group}/${type.version}`;
  open.kind ??= type.kind;
  open.metadata.namespace ??= '';
  return object;
}
