// What the caches keep of an object. `managedFields` alone is often larger than the rest, and 100,000 VirtualKeys are held in memory.
import type { KubeMeta, KubeObject } from '#shared/kube/object.ts';
import { GATEWAY_LABEL, MANAGED_BY, ROLE_LABEL } from '#shared/kube/labels.ts';

const OURS = 'portcullis.dev/';

/** A custom resource: all of it but the server's bookkeeping and what kubectl keeps for itself. */
export function slimResource<T extends KubeObject>(object: T): T {
  const { annotations } = object.metadata;
  return {
    ...object,
    metadata: { ...slimMeta(object.metadata), ...(annotations ? { annotations: ours(annotations) } : {}) },
  };
}

/**
 * A foreign object of which only metadata is watched, such as a Secret: enough to tell that it changed and whether it is ours.
 */
export function slimForeign<T extends KubeObject>(object: T): T {
  const { metadata } = object;
  const labels = ours(metadata.labels ?? {});
  const annotations = ours(metadata.annotations ?? {});
  return {
    metadata: {
      name: metadata.name,
      namespace: metadata.namespace,
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ...(labels[ROLE_LABEL] === undefined && labels[GATEWAY_LABEL] === undefined
        ? {}
        : { ownerReferences: metadata.ownerReferences ?? [] }),
      ...(metadata.deletionTimestamp === undefined ? {} : { deletionTimestamp: metadata.deletionTimestamp }),
    },
  } as T;
}

/** A Secret: its metadata, and when its content last changed, because a credential has an age. */
export interface SecretMeta extends KubeObject {
  /** RFC 3339; left out for Secrets of our own making, which are not watched for it. */
  readonly changedAt?: string;
}

interface Managed {
  readonly time?: string;
  readonly fieldsV1?: { readonly [field: string]: unknown };
}

/** The server keeps who wrote which fields and when; of Secrets made before it did, the creation counts. */
export function slimSecret(object: SecretMeta): SecretMeta {
  const slim = slimForeign<SecretMeta>(object);
  if (slim.metadata.labels?.[ROLE_LABEL] !== undefined) return slim;
  const { managedFields, creationTimestamp } = object.metadata as KubeMeta & {
    readonly managedFields?: readonly Managed[];
  };
  const writes = (managedFields ?? []).flatMap(({ time, fieldsV1 }) =>
    time !== undefined && fieldsV1?.['f:data'] !== undefined ? [time] : [],
  );
  const changedAt = writes.length === 0 ? creationTimestamp : writes.reduce((a, b) => (a > b ? a : b));
  return changedAt === undefined ? slim : { ...slim, changedAt };
}

function slimMeta(metadata: KubeMeta & { readonly managedFields?: unknown }): KubeMeta {
  const { managedFields: _, annotations: __, ...meta } = metadata;
  return meta;
}

/** Labels or annotations in our own name. */
function ours(map: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter(([name]) => name.startsWith(OURS) || name in MANAGED_BY));
}
