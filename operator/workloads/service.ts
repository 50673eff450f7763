// The Service before the pods. It is there as long as the Gateway is, paused or not: a paused Gateway answers, it does not vanish.
import type { Resource } from '#shared/api/kinds.ts';
import type { Service } from '#shared/kube/types.ts';
import { ownedMeta, podLabels, type GatewayIdentity } from './identity.ts';
import { HTTP_PORT } from './pod.ts';

export function service(gateway: GatewayIdentity, { spec }: Resource<'Gateway'>): Service {
  const { type, annotations, externalTrafficPolicy, sourceRanges } = spec.deployment.service;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...ownedMeta(gateway), ...(annotations === undefined ? {} : { annotations }) },
    spec: {
      type,
      selector: podLabels(gateway.name),
      ports: [
        { name: HTTP_PORT, port: servicePort(spec), targetPort: HTTP_PORT, protocol: 'TCP', appProtocol: 'http' },
      ],
      ...(externalTrafficPolicy === undefined ? {} : { externalTrafficPolicy }),
      ...(sourceRanges.length === 0 ? {} : { loadBalancerSourceRanges: sourceRanges.toSorted() }),
    },
  };
}

/** @returns where the Service is reached inside the cluster, such as `claude.ai-platform.svc:8080` */
export function serviceAddress({ metadata, spec }: Resource<'Gateway'>): string {
  return `${metadata.name}.${metadata.namespace}.svc:${servicePort(spec)}`;
}

function servicePort({ deployment, listen }: Resource<'Gateway'>['spec']): number {
  return deployment.service.port ?? listen.port;
}
