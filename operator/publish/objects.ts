// The objects a publication is kept in: names, labels, owner, and where the bytes are.
import { MAX_PART_BYTES, PART_KEY, partName, type PartName, type Slot } from '#shared/bundle/publication.ts';
import { GATEWAY_LABEL, MANAGED_BY, ROLE_LABEL } from '#shared/kube/labels.ts';
import { RESOURCE, type KubeMeta, type KubeObject, type ResourceType } from '#shared/kube/object.ts';
import { PublishError } from './errors.ts';

export interface GatewayIdentity {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

/** A ConfigMap or a Secret, as far as this room looks into them. */
export interface StoredObject extends KubeObject {
  /** Text in a ConfigMap, base64 in a Secret. */
  readonly data?: Readonly<Record<string, string>>;
  /** base64, in a ConfigMap. */
  readonly binaryData?: Readonly<Record<string, string>>;
}

/** On the index: identity of the operator that may write, and how often it was taken over. See `store.ts`. */
export const PUBLISHER_ANNOTATION = 'portcullis.dev/publisher';

export type Role = 'index' | 'bundle' | 'credentials' | 'keys' | 'tombstones' | 'pepper';

/** Roles by the kind of object that holds them. */
export const ROLES = {
  ConfigMap: ['index', 'bundle'],
  Secret: ['credentials', 'keys', 'tombstones', 'pepper'],
} as const;

export function gatewayKey({ namespace, name }: Pick<GatewayIdentity, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

export function ownedMeta(gateway: GatewayIdentity, role: Role, name: string, resourceVersion?: string): KubeMeta {
  return {
    name,
    namespace: gateway.namespace,
    labels: { ...MANAGED_BY, [GATEWAY_LABEL]: gateway.name, [ROLE_LABEL]: role },
    // No blockOwnerDeletion: nothing here has to go before the Gateway does, and to set it takes a further permission in some clusters.
    ownerReferences: [
      {
        apiVersion: 'portcullis.dev/v1alpha1',
        kind: 'Gateway',
        name: gateway.name,
        uid: gateway.uid,
        controller: true,
      },
    ],
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

export function ownedBy(gateway: GatewayIdentity, { ownerReferences }: KubeMeta): boolean {
  return ownerReferences?.some(({ uid, controller }) => uid === gateway.uid && controller === true) === true;
}

export function labelled(gateway: GatewayIdentity, { labels }: KubeMeta): boolean {
  const wanted = { ...MANAGED_BY, [GATEWAY_LABEL]: gateway.name };
  return Object.entries(wanted).every(([name, value]) => labels?.[name] === value);
}

/**
 * Ours by owner or by labels: one whose labels were edited away still has its owner, and one that a Gateway of the same name left behind when it
 * was deleted still has its labels.
 * @throws {PublishError} foreign_object
 */
export function assertOurs(gateway: GatewayIdentity, meta: KubeMeta): void {
  if (ownedBy(gateway, meta) || labelled(gateway, meta)) return;
  throw new PublishError(
    'foreign_object',
    `${meta.name} was not made by Portcullis and has a name that Gateway ${gateway.name} needs: rename or delete it`,
  );
}

export function partType(part: PartName): ResourceType {
  return part === 'bundle' ? RESOURCE.ConfigMap : RESOURCE.Secret;
}

/** @param resourceVersion of the object to be replaced */
export function partObject(
  gateway: GatewayIdentity,
  part: PartName,
  slot: Slot,
  bytes: Uint8Array,
  resourceVersion?: string,
): StoredObject {
  const role = part === 'bundle' || part === 'credentials' ? part : 'keys';
  const content = { [PART_KEY]: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64') };
  const metadata = ownedMeta(gateway, role, partName(gateway.name, part, slot), resourceVersion);
  return part === 'bundle' ? { metadata, binaryData: content } : { metadata, data: content };
}

/** The bytes of a part; undefined when the object holds none, or more than an object of ours ever does. */
export function partBytes(part: PartName, { data, binaryData }: StoredObject): Buffer | undefined {
  const text = (part === 'bundle' ? binaryData : data)?.[PART_KEY];
  return text === undefined || text.length > MAX_PART_BYTES * 2 ? undefined : Buffer.from(text, 'base64');
}
