// The Deployment of a Gateway, and what decides how many of its pods there are at a time.
import type { Resource } from '#shared/api/kinds.ts';
import { parseDuration } from '#shared/duration.ts';
import type { Deployment, HorizontalPodAutoscaler, PodDisruptionBudget } from '#shared/kube/types.ts';
import { ownedMeta, podLabels, type GatewayIdentity } from './identity.ts';
import { podTemplate, type ImageOptions } from './pod.ts';

const DEFAULT_REPLICAS = 2;

/** Without `spec.replicas` when an autoscaler sets it: two who write one field never rest. */
export function deployment(identity: GatewayIdentity, gateway: Resource<'Gateway'>, options: ImageOptions): Deployment {
  const { replicas, autoscaling } = gateway.spec.deployment;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: ownedMeta(identity),
    spec: {
      ...(autoscaling === undefined ? { replicas: replicas ?? DEFAULT_REPLICAS } : {}),
      revisionHistoryLimit: 3,
      selector: { matchLabels: podLabels(identity.name) },
      // A new pod serves before an old one is told to stop.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' } },
      template: podTemplate(gateway, options),
    },
  };
}

export function disruptionBudget(identity: GatewayIdentity, { spec }: Resource<'Gateway'>): PodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: ownedMeta(identity),
    spec: {
      maxUnavailable: spec.deployment.disruption.maxUnavailable,
      selector: { matchLabels: podLabels(identity.name) },
      // A pod that is broken anyway must not keep a node from being drained.
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    },
  };
}

/** @returns undefined when the number of replicas is fixed */
export function autoscaler(
  identity: GatewayIdentity,
  { spec }: Resource<'Gateway'>,
): HorizontalPodAutoscaler | undefined {
  const { autoscaling } = spec.deployment;
  if (autoscaling === undefined) return undefined;
  const { minReplicas, maxReplicas, targetCPUUtilization, targetMemoryUtilization } = autoscaling;
  const metric = (name: string, averageUtilization: number) => ({
    type: 'Resource',
    resource: { name, target: { type: 'Utilization', averageUtilization } },
  });
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: ownedMeta(identity),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: identity.name },
      minReplicas,
      maxReplicas,
      metrics: [
        metric('cpu', targetCPUUtilization),
        ...(targetMemoryUtilization === undefined ? [] : [metric('memory', targetMemoryUtilization)]),
      ],
      behavior: {
        scaleDown: { stabilizationWindowSeconds: Math.ceil(parseDuration(autoscaling.scaleDownStabilization) / 1000) },
      },
    },
  };
}
