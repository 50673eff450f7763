// A real cluster of one node, with pods, Services and cluster DNS, for what only real pods can show. Needs root. The node has network, mount,
// process, host name and IPC namespaces of its own: the machine's firewall and mounts stay untouched, clusters run side by side, and ending
// one process ends all of it. The control plane runs outside, on the machine's end of the wire.
//
// Pod and Service addresses are routed: a test may dial them directly. Names resolve only in pods. Pods have no way out but to the machine.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BINARIES, binary } from './binaries.ts';
import { clusterDns, DNS_IMAGE } from './cluster/cluster-dns.ts';
import { networks, PAUSE_IMAGE, writeNodeConfiguration } from './cluster/node-configuration.ts';
import { attachControlPlane, bootControlPlane, type CommandResult, type ControlPlane } from './control-plane.ts';
import { writeProgramImage } from './images.ts';
import { reserveFolder, type ProcessFolder } from './process-folder.ts';

export interface Cluster {
  readonly plane: ControlPlane;
  /** The machine as pods see it: where a test has its upstreams listen. */
  readonly machine: string;
  /** Takes in an image archive; pods name it with `imagePullPolicy: Never` or a tag. */
  loadImage(archive: string): Promise<void>;
  /** Runs a command inside the node, such as `ctr` or `nft list ruleset`. Never rejects for an exit code. */
  exec(command: readonly string[]): Promise<CommandResult>;
  down(): Promise<void>;
}

const run = promisify(execFile);
const NODE = fileURLToPath(new URL('cluster/node.sh', import.meta.url));
const ENVIRONMENT = { ...process.env, PATH: `${BINARIES}:${process.env['PATH']}:/usr/sbin:/sbin` };
/** Numbers of networks `10.N.0.0/16`. */
const NETWORK = { first: 200, last: 250 };
const NEEDED = ['kubelet', 'kube-proxy', 'kube-scheduler', 'containerd', 'containerd-shim-runc-v2', 'ctr', 'coredns'];
const USERS = {
  kubelet: '/O=system:nodes/CN=system:node:node',
  'kube-proxy': '/CN=system:kube-proxy',
  'kube-scheduler': '/CN=system:kube-scheduler',
};
const READY_S = 90;
const POLL_MS = 50;
const LOG_TAIL = 3_000;

/** @throws {Error} without root, when a program is missing, or with the end of a log when the node does not become ready */
export async function startCluster(): Promise<Cluster> {
  if (process.getuid?.() !== 0) throw new Error('a cluster needs root');
  NEEDED.forEach(binary);
  const folder = await reserveFolder('cluster', isFree);
  try {
    const number = numberOf(folder);
    await startNode(folder, number);
    const { machine, services } = networks(number);
    const [plane] = await Promise.all([
      bootControlPlane(folder, { address: machine, serviceRange: services, users: USERS }),
      startContainerd(folder),
    ]);
    const cluster = clusterAt(folder.path, plane);
    await startKubelet(folder, cluster, number);
    return { ...cluster, down: () => plane.down() };
  } catch (error) {
    await folder.close();
    throw error;
  }
}

/** A cluster that another process started; `down` only ends connections. @param folder that of its control plane's kubeconfig */
export async function attachCluster(folder: string): Promise<Cluster> {
  return clusterAt(join(folder, '..'), await attachControlPlane(folder));
}

function clusterAt(path: string, plane: ControlPlane): Cluster {
  return {
    plane,
    machine: new URL(plane.url).hostname,
    exec: (command) => execute(path, command),
    loadImage: (archive) => loadImage(path, archive),
    down: () => plane.down(),
  };
}

function execute(path: string, command: readonly string[]): Promise<CommandResult> {
  return new Promise((resolve) => {
    const [program = '', ...args] = [...enter(path), ...command];
    execFile(program, args, { env: ENVIRONMENT }, (error, stdout, stderr) => {
      resolve({ stdout, stderr, code: typeof error?.code === 'number' ? error.code : Number(error !== null) });
    });
  });
}

async function loadImage(path: string, archive: string): Promise<void> {
  const { code, stderr } = await execute(path, ['ctr', '-n', 'k8s.io', 'images', 'import', '--local', archive]);
  if (code !== 0) throw new Error(`${basename(archive)}: ${stderr}`);
}

/** The wire exists before the control plane listens on it. */
async function startNode(folder: ProcessFolder, number: number): Promise<void> {
  await writeFile(join(folder.path, 'network'), String(number));
  const namespaces = ['--net', '--mount', '--pid', '--uts', '--ipc', '--fork', '--kill-child', '--mount-proc'];
  const command = ['unshare', ...namespaces, '--propagation', 'private', NODE, folder.path, String(number)];
  const { pid } = folder.start('node', command, { environment: ENVIRONMENT });
  const own = (each: number | 'self'): string => readFileSync(`/proc/${each}/mountinfo`, 'utf8');
  await until('the namespaces of the node', folder, 'node', () => own(pid!) !== own('self'));
  const { machine, node, all } = networks(number);
  const wire = `pc${number}`;
  const ip = (...args: string[]): Promise<unknown> => run('ip', args, { env: ENVIRONMENT });
  await ip('link', 'add', wire, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
  await ip('addr', 'add', `${machine}/30`, 'dev', wire);
  await ip('link', 'set', wire, 'up');
  await ip('route', 'add', all, 'via', node);
  await until('the node', folder, 'node', () => existsSync(join(folder.path, 'node-ready')));
}

async function startContainerd(folder: ProcessFolder): Promise<void> {
  const { path } = folder;
  await writeNodeConfiguration(path, numberOf(folder));
  startOnNode(folder, 'containerd', '--config', join(path, 'containerd.toml'));
  const images = { pause: PAUSE_IMAGE, coredns: DNS_IMAGE };
  const archives = await Promise.all(
    Object.entries(images).map(async ([program, image]) => {
      const archive = join(path, `${program}.tar`);
      await writeProgramImage(image, binary(program), archive);
      return archive;
    }),
  );
  const answers = async (): Promise<boolean> => (await execute(path, ['ctr', 'version'])).code === 0;
  await until('containerd', folder, 'containerd', answers);
  for (const archive of archives) await loadImage(path, archive);
}

async function startKubelet(folder: ProcessFolder, cluster: Cluster, number: number): Promise<void> {
  const { node, dns } = networks(number);
  const at = (name: string): string => join(folder.path, name);
  const user = (name: string): string[] => ['--kubeconfig', at(`etc/${name}.kubeconfig`)];
  folder.start('kube-scheduler', [
    binary('kube-scheduler'),
    ...user('kube-scheduler'),
    '--leader-elect=false',
    '--secure-port=0',
  ]);
  startOnNode(folder, 'kube-proxy', '--config', at('kube-proxy.yaml'), '--hostname-override', 'node');
  const identity = [...user('kubelet'), '--hostname-override', 'node', '--node-ip', node];
  startOnNode(folder, 'kubelet', '--config', at('kubelet.yaml'), '--root-dir', at('kubelet'), ...identity);
  await kubectl(cluster, ['apply', '--server-side', '-f', '-'], clusterDns(dns));
  await kubectl(cluster, ['wait', '--for=create', 'node/node', `--timeout=${READY_S}s`]);
  await kubectl(cluster, ['wait', '--for=condition=Ready', 'node/node', `--timeout=${READY_S}s`]);
  await kubectl(cluster, ['-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', `--timeout=${READY_S}s`]);
}

function startOnNode(folder: ProcessFolder, program: string, ...args: string[]): void {
  folder.start(program, [...enter(folder.path), program, ...args], { environment: ENVIRONMENT });
}

async function kubectl({ plane }: Cluster, args: readonly string[], stdin?: string): Promise<void> {
  const { code, stderr } = await plane.kubectl(args, stdin);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
}

/** How to get into the namespaces of the node, whose first process is the child of the one that made them. */
function enter(path: string): string[] {
  const [outside] = readFileSync(join(path, 'node.pid'), 'utf8').split(' ');
  const first = readFileSync(`/proc/${outside}/task/${outside}/children`, 'utf8').trim();
  return ['nsenter', '--target', first, '--all', '--wd=/'];
}

async function until(
  what: string,
  folder: ProcessFolder,
  program: string,
  done: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + READY_S * 1_000;
  while (!(await done())) {
    if (!folder.running(program) || performance.now() > deadline) {
      throw new Error(`${what}: not there.\n${folder.log(program).slice(-LOG_TAIL)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const numberOf = ({ number }: Pick<ProcessFolder, 'number'>): number => NETWORK.first + number - 1;

async function isFree(number: number): Promise<boolean> {
  const network = numberOf({ number });
  if (network > NETWORK.last) return false;
  const { stdout } = await run('ip', ['route', 'show', networks(network).all], { env: ENVIRONMENT });
  return stdout === '';
}
