// Configuration of what runs on the node: containerd, its network plugins, kubelet and kube-proxy.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { BINARIES } from '../binaries.ts';

export const PAUSE_IMAGE = 'localhost/pause:1';
export const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';

/** Networks of the cluster with a number: the machine and the node share the first, pods and Services have one each. */
export function networks(number: number) {
  return {
    /** The machine, as the node and the pods see it. */
    machine: `10.${number}.0.1`,
    node: `10.${number}.0.2`,
    all: `10.${number}.0.0/16`,
    pods: `10.${number}.1.0/24`,
    services: `10.${number}.96.0/24`,
    dns: `10.${number}.96.10`,
  };
}

/** @param folder of the cluster; certificates and kubeconfigs of the control plane are in its `etc` */
export async function writeNodeConfiguration(folder: string, number: number): Promise<void> {
  const etc = join(folder, 'etc');
  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);
  for (const each of ['containerd', 'kubelet', 'pod-logs', 'cni']) await mkdir(join(folder, each));
  await write('containerd.toml', containerd(folder));
  await write('cni/10-pods.conflist', JSON.stringify(podNetwork(number)));
  // Nothing outside of the cluster has a name.
  await write('resolv.conf', 'nameserver 127.0.0.1\n');
  await write('kubelet.yaml', stringify(kubelet(folder, etc, number)));
  await write('kube-proxy.yaml', stringify(kubeProxy(etc, number)));
}

function containerd(folder: string): string {
  return `version = 3
root = "${join(folder, 'containerd')}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "${CONTAINERD_SOCKET}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "${PAUSE_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE a lower score is refused, and runc only says that it "can't get final child's PID".
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["${BINARIES}"]
  conf_dir = "${join(folder, 'cni')}"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
    SystemdCgroup = false
`;
}

/** `ptp` routes every packet through the node, so Services work without a bridge filter in the kernel. */
function podNetwork(number: number): object {
  const range = { subnet: networks(number).pods };
  const ipam = {
    type: 'host-local',
    dataDir: '/var/lib/cni/ipam',
    ranges: [[range]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  const plugins = [
    { type: 'ptp', ipMasq: false, ipam },
    { type: 'portmap', capabilities: { portMappings: true } },
  ];
  return { cniVersion: '1.0.0', name: 'pods', plugins };
}

function kubelet(folder: string, etc: string, number: number): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    failCgroupV1: false,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/portcullis-${number}`,
    enforceNodeAllocatable: ['pods'],
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(etc, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    clusterDNS: [networks(number).dns],
    clusterDomain: 'cluster.local',
    resolvConf: join(folder, 'resolv.conf'),
    podLogsDir: join(folder, 'pod-logs'),
    failSwapOn: false,
    // kube-proxy uses nft, and nobody iptables.
    makeIPTablesUtilChains: false,
    // Images are loaded by hand: none is dropped, and no pod evicted because the machine's disk is full.
    imageGCHighThresholdPercent: 100,
    evictionHard: {
      'memory.available': '50Mi',
      'nodefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.available': '0%',
      'imagefs.inodesFree': '0%',
    },
    // Mounted objects follow within about 10 s; with the default of a minute they take 60 to 90 s.
    syncFrequency: '10s',
    nodeStatusUpdateFrequency: '5s',
    shutdownGracePeriod: '0s',
  };
}

function kubeProxy(etc: string, number: number): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    clientConnection: { kubeconfig: join(etc, 'kube-proxy.kubeconfig') },
    clusterCIDR: networks(number).pods,
    // A setting of the whole machine: left alone.
    conntrack: { maxPerCore: 0 },
  };
}
