// The NetworkPolicy of a Gateway: who may call and scrape its pods, and that they reach nothing but DNS, the API server and upstreams.
// Health probes come from the node, which a NetworkPolicy never shuts out.
import type { Resource } from '#shared/api/kinds.ts';
import type { NetworkPolicySpec } from '#shared/api/network-policy.ts';
import type { Bundle } from '#shared/bundle/bundle.ts';
import type { CredentialConfig } from '#shared/bundle/credential-config.ts';
import type { NetworkPolicy } from '#shared/kube/types.ts';
import { ownedMeta, podLabels, type GatewayIdentity } from './identity.ts';
import { HTTP_PORT, METRICS_PORT } from './pod.ts';

type Peer = NetworkPolicySpec['egress']['to'][number];
type PolicyPeers = NonNullable<NonNullable<NonNullable<NetworkPolicy['spec']>['egress']>[number]['to']>;

/** Rules see a packet after a Service has chosen its pod: 5353 is where the DNS pods of OpenShift listen. */
const DNS_PORTS = [53, 5353];
/** Metadata servers of AWS, Google and Azure, and the agents that stand in for them in pods; nothing else has these addresses. */
const METADATA = {
  ports: [80, 988].map((port) => ({ protocol: 'TCP', port })),
  to: [
    '169.254.169.254/32',
    '169.254.169.252/32',
    '169.254.170.2/32',
    '169.254.170.23/32',
    'fd00:ec2::254/128',
    'fd00:ec2::23/128',
  ].map((cidr) => ({ ipBlock: { cidr } })),
};
/** As Service and as endpoint. */
const API_SERVER_PORTS = [443, 6443];

/** Where the pods of a Gateway must get to. */
export interface Egress {
  /** TCP ports of the upstreams and of the forward proxy, in order. */
  readonly ports: readonly number[];
  /** A credential is found by asking the machine or the cloud's agent on it. */
  readonly metadata: boolean;
}

export function egressOf({ gateway, upstreams }: Bundle): Egress {
  const urls = [
    ...upstreams.map(({ baseUrl }) => baseUrl),
    ...(gateway.proxy === undefined ? [] : [gateway.proxy.url]),
  ];
  const ports = urls.map((text) => {
    const { port, protocol } = new URL(text);
    return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
  });
  return {
    ports: [...new Set(ports)].sort((a, b) => a - b),
    metadata: upstreams.some(({ credential }) => asksMachine(credential)),
  };
}

function asksMachine(credential: CredentialConfig): boolean {
  const identity = 'identity' in credential ? credential.identity.type : undefined;
  return identity === 'Default' || identity === 'ManagedIdentity';
}

/**
 * @returns undefined when the Gateway wants none
 */
export function networkPolicy(
  identity: GatewayIdentity,
  { spec }: Resource<'Gateway'>,
  { ports, metadata }: Egress,
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
        ...(metadata ? [METADATA] : []),
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
