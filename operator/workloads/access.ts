// What the pods of a Gateway may do at the API server: read their own configuration by exact names, and say what they loaded.
import { ALL_PARTS, indexName, partName, type PartName, type Slot } from '#shared/bundle/publication.ts';
import type { Role, RoleBinding, ServiceAccount } from '#shared/kube/types.ts';
import { accountName, ownedMeta, type GatewayIdentity } from './identity.ts';

const SLOTS: readonly Slot[] = ['a', 'b'];

/** The part that holds no secret travels in a ConfigMap; all others are Secrets. */
const isConfigMap = (part: PartName): boolean => part === 'bundle';

/** Names of every object a part may ever be in, by kind, in order. */
export function publicationNames(gateway: string): { configMaps: string[]; secrets: string[] } {
  const names = (parts: readonly PartName[]): string[] =>
    parts.flatMap((part) => SLOTS.map((slot) => partName(gateway, part, slot)));
  return {
    configMaps: names(ALL_PARTS.filter(isConfigMap)),
    secrets: names(ALL_PARTS.filter((part) => !isConfigMap(part))),
  };
}

/** @param annotations such as the cloud role the pods act as */
export function serviceAccount(
  gateway: GatewayIdentity,
  annotations: Readonly<Record<string, string>> | undefined,
): ServiceAccount {
  const metadata = ownedMeta(gateway, accountName(gateway.name));
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { ...metadata, ...(annotations === undefined ? {} : { annotations }) },
    // The pods ask for the token themselves; nothing else that names this account gets one by accident.
    automountServiceAccountToken: false,
  };
}

/**
 * The index can be watched, parts only be read. A Lease has the name of its pod, which no Role can know beforehand: the right to make Leases
 * is narrowed to the pod's own by the admission policy of the chart. Where that may not be, the Role names the Leases of the pods that there
 * are, which keeps them from all others of the namespace; making one by server-side apply is checked by name, unlike a plain create.
 * @param pods undefined where the policy is in force
 */
export function role(gateway: GatewayIdentity, pods?: readonly string[]): Role {
  const leases = { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'patch'] };
  const resourceNames = pods?.map((pod) => `${gateway.name}-${pod}`);
  const { configMaps, secrets } = publicationNames(gateway.name);
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: ownedMeta(gateway, accountName(gateway.name)),
    rules: [
      {
        apiGroups: [''],
        resources: ['configmaps'],
        resourceNames: [indexName(gateway.name)],
        verbs: ['get', 'list', 'watch'],
      },
      { apiGroups: [''], resources: ['configmaps'], resourceNames: configMaps, verbs: ['get'] },
      { apiGroups: [''], resources: ['secrets'], resourceNames: secrets, verbs: ['get'] },
      // No names at all would mean every Lease.
      ...(resourceNames === undefined ? [leases] : resourceNames.length > 0 ? [{ ...leases, resourceNames }] : []),
    ],
  };
}

export function roleBinding(gateway: GatewayIdentity): RoleBinding {
  const name = accountName(gateway.name);
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: ownedMeta(gateway, name),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace: gateway.namespace }],
  };
}
