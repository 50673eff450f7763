// Names, labels and owner of everything that is made for a Gateway. Nothing is copied from its metadata: label-based pruning by a GitOps
// tool would take the children away.
import { API_VERSION, type ObjectMeta } from '#shared/api/kinds.ts';
import { GATEWAY_LABEL, MANAGED_BY, ROLE_LABEL } from '#shared/kube/labels.ts';
import type { KubeMeta, OwnerReference } from '#shared/kube/object.ts';

/** The Gateway that owns what is made. */
export interface GatewayIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Labels of the pods, and by which the Deployment and the Service find them. They can never change. */
export const podLabels = (gateway: string): Readonly<Record<string, string>> => ({
  [GATEWAY_LABEL]: gateway,
  [ROLE_LABEL]: 'data-plane',
});

/**
 * ServiceAccount, Role and RoleBinding of the pods. The suffix tells the admission policy of the chart that an identity is a data plane,
 * and of which Gateway.
 */
export const accountName = (gateway: string): string => `${gateway}-portcullis-data-plane`;

/** @throws {TypeError} when the Gateway does not come from an API server, which gives uids */
export function identityOf({ namespace, name, uid }: ObjectMeta): GatewayIdentity {
  if (uid === undefined) throw new TypeError(`Gateway ${namespace}/${name} has no uid to own anything by`);
  return { namespace, name, uid };
}

/** @param name of the object; that of the Gateway when left out */
export function ownedMeta(gateway: GatewayIdentity, name = gateway.name): KubeMeta {
  return {
    name,
    namespace: gateway.namespace,
    labels: { ...MANAGED_BY, ...podLabels(gateway.name) },
    ownerReferences: [ownerReference(gateway)],
  };
}

/**
 * No blockOwnerDeletion: nothing has to go before the Gateway does, to set it takes a further permission in hardened clusters, and these refuse
 * it altogether for the first seconds after the definition of the kind is made.
 */
function ownerReference({ name, uid }: GatewayIdentity): OwnerReference {
  return { apiVersion: API_VERSION, kind: 'Gateway', name, uid, controller: true };
}
