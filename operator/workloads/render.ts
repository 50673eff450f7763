// The workloads of a Gateway, from its spec to the objects that should exist. Pure: what is written and when is decided in apply.ts.
import type { Resource } from '#shared/api/kinds.ts';
import { RESOURCE, type KubeObject, type ResourceType } from '#shared/kube/object.ts';
import { role, roleBinding, serviceAccount } from './access.ts';
import { identityOf, type GatewayIdentity } from './identity.ts';
import { networkPolicy, type Egress } from './network-policy.ts';
import type { ImageOptions } from './pod.ts';
import { autoscaler, deployment, disruptionBudget } from './replicas.ts';
import { service } from './service.ts';

export { serviceAddress } from './service.ts';

export interface WorkloadOptions extends ImageOptions {
  /** Where the pods must get to, see `egressOf`. */
  readonly egress: Egress;
  /** Names of the Gateway's pods, in order, where no admission policy keeps each of them to its own Lease. */
  readonly pods?: readonly string[] | undefined;
}

export interface Wanted {
  readonly type: ResourceType;
  readonly object: KubeObject;
}

export interface Workloads {
  readonly gateway: GatewayIdentity;
  /** In the order they are made: rights and rules before the pods that need them. */
  readonly objects: readonly Wanted[];
  /** What this Gateway may have had and has no longer. */
  readonly absent: readonly { readonly type: ResourceType; readonly name: string }[];
}

/**
 * @param gateway as it was read from an API server
 * @throws {TypeError} when it has no uid
 */
export function renderWorkloads(gateway: Resource<'Gateway'>, options: WorkloadOptions): Workloads {
  const identity = identityOf(gateway.metadata);
  const { name } = identity;
  const slots: readonly (readonly [ResourceType, KubeObject | undefined])[] = [
    [RESOURCE.ServiceAccount, serviceAccount(identity, gateway.spec.deployment.serviceAccount.annotations)],
    [RESOURCE.Role, role(identity, options.pods)],
    [RESOURCE.RoleBinding, roleBinding(identity)],
    [RESOURCE.NetworkPolicy, networkPolicy(identity, gateway, options.egress)],
    [RESOURCE.Service, service(identity, gateway)],
    [RESOURCE.PodDisruptionBudget, disruptionBudget(identity, gateway)],
    [RESOURCE.Deployment, deployment(identity, gateway, options)],
    [RESOURCE.HorizontalPodAutoscaler, autoscaler(identity, gateway)],
  ];
  return {
    gateway: identity,
    objects: slots.flatMap(([type, object]) => (object === undefined ? [] : [{ type, object }])),
    absent: slots.flatMap(([type, object]) => (object === undefined ? [{ type, name }] : [])),
  };
}
