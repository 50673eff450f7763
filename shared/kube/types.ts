// Shapes of the kinds that Kubernetes itself brings, from the client package, as they travel: its classes have Date for times and `_from` for
// reserved words; JSON has text and `from`. Types only: nothing of the package is loaded.
import type {
  EventsV1Event,
  V1ConfigMap,
  V1Deployment,
  V1Lease,
  V1Namespace,
  V1NetworkPolicy,
  V1Pod,
  V1PodDisruptionBudget,
  V1Role,
  V1RoleBinding,
  V1Secret,
  V1Service,
  V1ServiceAccount,
  V2HorizontalPodAutoscaler,
} from '@kubernetes/client-node';
import type { KubeObject } from './object.ts';

/** A class of the client package as JSON. */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer E)[]
    ? readonly Wire<E>[]
    : T extends object
      ? { readonly [K in keyof T as K extends `_${infer Name}` ? Name : K]: Wire<T[K]> }
      : T;

/** The same for a whole object, with our metadata. */
export type WireObject<T extends object> = KubeObject & Omit<Wire<T>, keyof KubeObject>;

export type ConfigMap = WireObject<V1ConfigMap>;
export type Deployment = WireObject<V1Deployment>;
export type HorizontalPodAutoscaler = WireObject<V2HorizontalPodAutoscaler>;
export type KubeEvent = WireObject<EventsV1Event>;
export type Lease = WireObject<V1Lease>;
export type Namespace = WireObject<V1Namespace>;
export type NetworkPolicy = WireObject<V1NetworkPolicy>;
export type Pod = WireObject<V1Pod>;
export type PodDisruptionBudget = WireObject<V1PodDisruptionBudget>;
export type Role = WireObject<V1Role>;
export type RoleBinding = WireObject<V1RoleBinding>;
export type Secret = WireObject<V1Secret>;
export type Service = WireObject<V1Service>;
export type ServiceAccount = WireObject<V1ServiceAccount>;
