// Cluster DNS: CoreDNS as a Deployment behind the Service that pods are told to ask.
import { stringify } from 'yaml';

export const DNS_IMAGE = 'localhost/coredns:1';

const NAMESPACE = 'kube-system';
/** The key `hosts` of its ConfigMap takes `ADDRESS NAME` lines: names outside of the cluster that are to lead to a stand-in. */
const COREFILE = `.:53 {
  errors
  health
  ready
  hosts /etc/coredns/hosts {
    ttl 1
    reload 1s
    fallthrough
  }
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    ttl 5
    fallthrough in-addr.arpa ip6.arpa
  }
  forward . 127.0.0.1:5353
  cache 5
  loadbalance
}
# A server of its own: in one server this would come before everything above.
.:5353 {
  bind 127.0.0.1
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`;

/** @param address of its Service */
export function clusterDns(address: string): string {
  const metadata = { name: 'coredns', namespace: NAMESPACE };
  const rbac = 'rbac.authorization.k8s.io';
  const labels = { 'k8s-app': 'kube-dns' };
  const watched = { verbs: ['list', 'watch'] };
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53, protocol: 'TCP' },
  ];
  const container = {
    name: 'coredns',
    image: DNS_IMAGE,
    imagePullPolicy: 'Never',
    args: ['-conf', '/etc/coredns/Corefile'],
    readinessProbe: { httpGet: { path: '/ready', port: 8181 }, periodSeconds: 1 },
    volumeMounts: [{ name: 'config', mountPath: '/etc/coredns', readOnly: true }],
  };
  const podSpec = {
    serviceAccountName: 'coredns',
    priorityClassName: 'system-cluster-critical',
    dnsPolicy: 'Default',
    // The image runs it as nobody in particular, and port 53 is for root.
    securityContext: { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] },
    containers: [container],
    volumes: [{ name: 'config', configMap: { name: 'coredns' } }],
  };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRole',
      metadata: { name: 'system:coredns' },
      rules: [
        { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], ...watched },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], ...watched },
      ],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'system:coredns' },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'system:coredns' },
      subjects: [{ kind: 'ServiceAccount', ...metadata }],
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { hosts: '', Corefile: COREFILE } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...metadata, name: 'kube-dns', labels },
      spec: { clusterIP: address, selector: labels, ports },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: podSpec } },
    },
  ]
    .map((object) => stringify(object))
    .join('---\n');
}
