// Kubernetes objects as both programs handle them: plain data with metadata. Shapes of single kinds come from the client package, as types.

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface KubeMeta {
  readonly name: string;
  /** Empty for objects of the whole cluster. */
  readonly namespace: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
}

/** Any object; callers that know the kind name their own type. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: KubeMeta;
}

/** Where objects of one kind are found. */
export interface ResourceType {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  /** Left out for namespaced kinds. */
  readonly clusterScoped?: true;
}

const portcullis = (plural: string, kind: string): ResourceType => ({
  group: 'portcullis.dev',
  version: 'v1alpha1',
  plural,
  kind,
});
const core = (plural: string, kind: string): ResourceType => ({ group: '', version: 'v1', plural, kind });

/** Every kind that either program reads or writes. */
export const RESOURCE = {
  Gateway: portcullis('gateways', 'Gateway'),
  Upstream: portcullis('upstreams', 'Upstream'),
  Policy: portcullis('policies', 'Policy'),
  VirtualKey: portcullis('virtualkeys', 'VirtualKey'),
  Secret: core('secrets', 'Secret'),
  ConfigMap: core('configmaps', 'ConfigMap'),
  Pod: core('pods', 'Pod'),
  Service: core('services', 'Service'),
  ServiceAccount: core('serviceaccounts', 'ServiceAccount'),
  Namespace: { ...core('namespaces', 'Namespace'), clusterScoped: true },
  Event: { group: 'events.k8s.io', version: 'v1', plural: 'events', kind: 'Event' },
  Lease: { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease' },
  Deployment: { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment' },
  Role: { group: 'rbac.authorization.k8s.io', version: 'v1', plural: 'roles', kind: 'Role' },
  RoleBinding: { group: 'rbac.authorization.k8s.io', version: 'v1', plural: 'rolebindings', kind: 'RoleBinding' },
  PodDisruptionBudget: { group: 'policy', version: 'v1', plural: 'poddisruptionbudgets', kind: 'PodDisruptionBudget' },
  HorizontalPodAutoscaler: {
    group: 'autoscaling',
    version: 'v2',
    plural: 'horizontalpodautoscalers',
    kind: 'HorizontalPodAutoscaler',
  },
  NetworkPolicy: { group: 'networking.k8s.io', version: 'v1', plural: 'networkpolicies', kind: 'NetworkPolicy' },
} as const satisfies Record<string, ResourceType>;
