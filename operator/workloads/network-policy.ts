// The NetworkPolicy of a Gateway: who may call and scrape its pods, and that they reach nothing but DNS, the API server and upstreams.
// Health probes come from the node, which a NetworkPolicy never shuts out.
import type { Resource } from '#shared/api/kinds.ts';
import type { NetworkPolicySpec } from '#shared/api/network-policy.ts';
import type { Bundle } from '#shared/bundle/bundle.ts';
import type { NetworkPolicy } from '#shared/kube/types.ts';
import { ownedMeta, podLabels, type GatewayIdentity } from './identity.ts';
import { HTTP_PORT, METRICS_PORT } from './pod.ts';

type Peer = NetworkPolicySpec['egress']['to'][number];
type PolicyPeers = NonNullable<NonNullable<NonNullable<NetworkPolicy['spec']>['egress']>[number]['to']>;

/** Rules see a packet after a Service has chosen its pod: 5353 is where the DNS pods of OpenShift listen. */
const DNS_PORTS = [53, 5353];
/** As Service and as endpoint. */
const API_SERVER_PORTS = [443, 6443];

/** @returns TCP ports of the upstreams and of the forward proxy, in order */
export function egressPorts({ gateway, upstreams }: Bundle): number[] {
  const urls = [
    ...upstreams.map(({ baseUrl }) => baseUrl),
    ...(gateway.proxy === undefined ? [] : [gateway.proxy.url]),
  ];
  const ports = urls.map((text) => {
    const { port, protocol } = new URL(text);
    return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
  });
  return [...new Set(ports)].sort((a, b) => a - b);
}

/**
 * @param ports of upstreams and proxy, see {@link egressPorts}
 * @returns undefined when the Gateway wants none
 */
export function networkPolicy(
  identity: GatewayIdentity,
  { spec }: Resource<'Gateway'>,
  ports: readonly number[],
): NetworkPolicy | undefined {
  const { enabled, ingress, egress } = spec.networkPolicy;
  if (!enabled) return undefined;
  const open = [...new Set([...ports, ...egress.ports])].sort((a, b) => a - b);
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: ownedMeta(identity),
    spec: {
      podSelector: { matchLabels: podLabels(identity.name) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          ports: [tcp(HTTP_PORT)],
          ...(ingress.clients.length === 0 ? {} : { from: ingress.clients.map(policyPeer) }),
        },
        ...(ingress.metrics.length === 0
          ? []
          : [{ ports: [tcp(METRICS_PORT)], from: ingress.metrics.map(policyPeer) }]),
      ],
      egress: [
        { ports: [...DNS_PORTS.map((port) => ({ protocol: 'UDP', port })), ...DNS_PORTS.map(tcp)] },
        { ports: API_SERVER_PORTS.map(tcp) },
        // A rule without ports would open them all.
        ...(open.length === 0
          ? []
          : [{ ports: open.map(tcp), ...(egress.to.length === 0 ? {} : { to: egress.to.map(policyPeer) }) }]),
      ],
    },
  };
}

const tcp = (port: number | string) => ({ protocol: 'TCP', port });

function policyPeer({ cidr, namespaceSelector, podSelector }: Peer): PolicyPeers[number] {
  if (cidr !== undefined) return { ipBlock: { cidr } };
  return {
    ...(namespaceSelector === undefined ? {} : { namespaceSelector }),
    ...(podSelector === undefined ? {} : { podSelector }),
  };
}
