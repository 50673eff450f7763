// What the caches keep of workloads.
import type { KubeObject } from '#shared/kube/object.ts';

/** Everything but the server's bookkeeping, which is larger than the rest: what is kept is compared with what should be. */
export function slimWorkload<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata as T['metadata'] & { readonly managedFields?: unknown };
  return { ...object, metadata };
}
