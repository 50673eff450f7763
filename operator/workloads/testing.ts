// A Gateway and what is made for it, for tests.
import { gatewaySpec } from '#shared/api/gateway.ts';
import type { Resource } from '#shared/api/kinds.ts';
import type {
  Deployment,
  HorizontalPodAutoscaler,
  NetworkPolicy,
  PodDisruptionBudget,
  Role,
  RoleBinding,
  Service,
  ServiceAccount,
} from '#shared/kube/types.ts';
import { renderWorkloads, type WorkloadOptions, type Workloads } from './render.ts';

export interface Rendered {
  readonly ServiceAccount: ServiceAccount;
  readonly Role: Role;
  readonly RoleBinding: RoleBinding;
  readonly Service: Service;
  readonly PodDisruptionBudget: PodDisruptionBudget;
  readonly Deployment: Deployment;
  readonly NetworkPolicy?: NetworkPolicy;
  readonly HorizontalPodAutoscaler?: HorizontalPodAutoscaler;
}

export const OPTIONS: WorkloadOptions = {
  image: 'registry.corp/portcullis:0.1.0',
  egress: { ports: [443], metadata: false },
};

/** @param spec beside the public URL, as an author writes it */
export function gatewayOf(
  spec: Readonly<Record<string, unknown>> = {},
  metadata: Partial<Resource['metadata']> = {},
): Resource<'Gateway'> {
  return {
    kind: 'Gateway',
    metadata: { name: 'claude', namespace: 'ai', uid: 'uid-1', ...metadata },
    spec: gatewaySpec.parse({ publicUrl: 'https://claude.corp', ...spec }),
  };
}

/** What a spec becomes, by kind. */
export function rendered(spec: Readonly<Record<string, unknown>> = {}, options = OPTIONS): Rendered {
  return byKind(renderWorkloads(gatewayOf(spec), options));
}

export function byKind({ objects }: Workloads): Rendered {
  return Object.fromEntries(objects.map(({ type, object }) => [type.kind, object])) as unknown as Rendered;
}
