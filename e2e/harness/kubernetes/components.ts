// The command lines of etcd, kube-apiserver and kube-controller-manager: as production runs them, but without what only costs time here.
import { join } from 'node:path';
import { binary } from './binaries.ts';

export type Component = 'etcd' | 'kube-apiserver' | 'kube-controller-manager';
export const COMPONENTS: readonly Component[] = ['etcd', 'kube-apiserver', 'kube-controller-manager'];

export interface Layout {
  /** Holds certificates, kubeconfigs and etcd's files. */
  readonly folder: string;
  /** What etcd and the API server listen on. */
  readonly address: string;
  /** Such as `10.96.0.0/16`. */
  readonly serviceRange: string;
  /** etcd's compaction interval, such as `5m`. */
  readonly compaction: string;
  readonly apiServerFlags: readonly string[];
}

export const API_SERVER_PORT = 6443;
export const ETCD_PORT = 2379;
const ETCD_PEER_PORT = 2380;

export function commandOf(component: Component, layout: Layout): string[] {
  return { etcd, 'kube-apiserver': apiServer, 'kube-controller-manager': controllers }[component](layout);
}

function etcd({ folder, address }: Layout): string[] {
  const clients = `http://${address}:${ETCD_PORT}`;
  const peers = `http://${address}:${ETCD_PEER_PORT}`;
  return withFlags('etcd', {
    'data-dir': join(folder, 'etcd'),
    'unsafe-no-fsync': true,
    'log-level': 'warn',
    'listen-client-urls': clients,
    'advertise-client-urls': clients,
    'listen-peer-urls': peers,
    'initial-advertise-peer-urls': peers,
    'initial-cluster': `default=${peers}`,
  });
}

function apiServer({ folder, address, serviceRange, compaction, apiServerFlags }: Layout): string[] {
  const file = (name: string): string => join(folder, name);
  const onLoopback = isLoopback(address);
  return [
    ...withFlags('kube-apiserver', {
      'etcd-servers': `http://${address}:${ETCD_PORT}`,
      'etcd-compaction-interval': compaction,
      'bind-address': address,
      'secure-port': API_SERVER_PORT,
      // A loopback address is no valid endpoint of the Service `kubernetes`, and without nodes nobody dials it.
      'advertise-address': onLoopback ? '127.0.0.1' : address,
      'endpoint-reconciler-type': onLoopback ? 'none' : 'lease',
      'service-cluster-ip-range': serviceRange,
      'tls-cert-file': file('apiserver.crt'),
      'tls-private-key-file': file('apiserver.key'),
      'client-ca-file': file('ca.crt'),
      'authorization-mode': 'Node,RBAC',
      // What a hardened cluster has, so that an owner reference with blockOwnerDeletion needs the right it needs there.
      'enable-admission-plugins': 'NodeRestriction,OwnerReferencesPermissionEnforcement',
      'kubelet-client-certificate': file('admin.crt'),
      'kubelet-client-key': file('admin.key'),
      'kubelet-preferred-address-types': 'InternalIP',
      'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
      'service-account-key-file': file('sa.key'),
      'service-account-signing-key-file': file('sa.key'),
      // For API servers behind this one, such as the one of metrics.
      'requestheader-client-ca-file': file('ca.crt'),
      'requestheader-allowed-names': 'front-proxy-client',
      'requestheader-username-headers': 'X-Remote-User',
      'requestheader-group-headers': 'X-Remote-Group',
      'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
      'proxy-client-cert-file': file('front-proxy-client.crt'),
      'proxy-client-key-file': file('front-proxy-client.key'),
      'allow-privileged': true,
      profiling: false,
    }),
    ...apiServerFlags,
  ];
}

function controllers({ folder, address }: Layout): string[] {
  const file = (name: string): string => join(folder, name);
  return withFlags('kube-controller-manager', {
    kubeconfig: file('kube-controller-manager.kubeconfig'),
    'secure-port': 0,
    'leader-elect': false,
    'use-service-account-credentials': true,
    // Nodes of mini-kubelet.ts do not report, and must not be given up on for that.
    controllers: isLoopback(address) ? '*,-node-lifecycle-controller' : '*',
    'service-account-private-key-file': file('sa.key'),
    'root-ca-file': file('ca.crt'),
    'cluster-signing-cert-file': file('ca.crt'),
    'cluster-signing-key-file': file('ca.key'),
    'kube-api-qps': 200,
    'kube-api-burst': 400,
  });
}

const isLoopback = (address: string): boolean => address.startsWith('127.');

function withFlags(program: string, flags: Readonly<Record<string, string | number | boolean>>): string[] {
  return [binary(program), ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)];
}
