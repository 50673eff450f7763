// A real control plane without nodes: etcd, kube-apiserver and kube-controller-manager on a loopback address of their own, so any number
// may run side by side. Most tests share one (shared-control-plane.ts); those that kill components start their own.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { KubeClient } from '#shared/kube/client.ts';
import type { Connection, Credentials } from '#shared/kube/connection.ts';
import { createKubeClient } from '#shared/kube/kube-client.ts';
import { binary } from './binaries.ts';
import { createAuthority, kubeconfig, signCertificate, tlsOf } from './certificates.ts';
import { API_SERVER_PORT, commandOf, COMPONENTS, ETCD_PORT, type Component, type Layout } from './components.ts';
import { reserveFolder, type ProcessFolder } from './process-folder.ts';
import { rawRequests, type RawRequests } from './raw-request.ts';

export type { Component } from './components.ts';

export interface ControlPlaneOptions {
  /** Added to those of kube-apiserver, such as `--min-request-timeout=5` (watches end after 5 to 10 s). */
  readonly apiServerFlags?: readonly string[];
  /** etcd's compaction interval, such as `2s` to make old versions expire; 5m when left out. */
  readonly compaction?: string;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export interface ControlPlane {
  /** Such as `https://127.77.0.1:6443`. */
  readonly url: string;
  /** Path of a kubeconfig of an administrator. */
  readonly kubeconfig: string;
  readonly caFile: string;
  /** As administrator, without a rate limit of its own. */
  readonly admin: KubeClient;
  /** As administrator, what {@link KubeClient} has no call for. */
  readonly raw: RawRequests;
  /** Never rejects for an exit code. @param stdin such as a manifest for `apply -f -` */
  kubectl(args: readonly string[], stdin?: string): Promise<CommandResult>;
  /** A token of a service account that exists, for an hour. */
  token(namespace: string, serviceAccount: string): Promise<string>;
  /** Acts with the rights of a service account that exists. */
  clientAs(namespace: string, serviceAccount: string): Promise<KubeClient>;
  /** Ends a component; SIGKILL is a crash. @throws {Error} when the control plane is shared */
  stop(component: Component, signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again and waits until the API server is ready. @throws {Error} when the control plane is shared */
  start(component: Component): Promise<void>;
  down(): Promise<void>;
}

/** Subjects of certificates, by the name of the kubeconfig. */
type Users = Readonly<Record<string, string>>;

const READY_MS = 90_000;
const POLL_MS = 50;
const LOG_TAIL = 3_000;

/** @throws {Error} with the end of its log when a component ends or is not ready in time */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  for (const component of COMPONENTS) binary(component);
  const folder = await reserveFolder('control-plane', (number) => isFree(addressOf(number)));
  return bootControlPlane(folder, { ...options, address: addressOf(folder.number), serviceRange: '10.96.0.0/16' });
}

const addressOf = (number: number): string => `127.77.0.${number}`;

/**
 * Takes the folder over: closes it when the start fails, and with `down`.
 * @param options `serviceRange` must end in `.0` and a length; its first address is that of the Service `kubernetes`
 */
export async function bootControlPlane(
  folder: ProcessFolder,
  options: ControlPlaneOptions & Pick<Layout, 'address' | 'serviceRange'> & { readonly users?: Users },
): Promise<ControlPlane> {
  const { address, serviceRange, compaction = '5m', apiServerFlags = [], users = {} } = options;
  const layout: Layout = { folder: join(folder.path, 'etc'), address, serviceRange, compaction, apiServerFlags };
  const url = `https://${address}:${API_SERVER_PORT}`;
  const start = (component: Component): void => void folder.start(component, commandOf(component, layout));
  try {
    await writeCredentials(layout, url, { ...users, 'kube-controller-manager': '/CN=system:kube-controller-manager' });
    COMPONENTS.forEach(start);
    const { raw, ...attached } = await attachControlPlane(layout.folder);
    const ready = (): Promise<void> => untilReady(raw, folder);
    await ready();
    return {
      ...attached,
      raw,
      stop: (component, signal) => folder.stop(component, signal),
      start: async (component) => {
        start(component);
        await ready();
      },
      down: async () => {
        await attached.down();
        await folder.close();
      },
    };
  } catch (error) {
    await folder.close();
    throw error;
  }
}

/** A control plane that another process started. Its components cannot be stopped, and `down` only ends connections. */
export async function attachControlPlane(folder: string): Promise<ControlPlane> {
  const path = join(folder, 'kubeconfig');
  const { tls, url } = JSON.parse(await readFile(join(folder, 'connection.json'), 'utf8')) as {
    tls: Credentials['tls'];
    url: string;
  };
  const connect = (credentials: Credentials): Connection => ({
    server: url,
    namespace: undefined,
    credentials: async () => credentials,
  });
  const admin = connect({ tls });
  const raw = rawRequests(admin);
  const clients: KubeClient[] = [];
  const client = (connection: Connection): KubeClient => {
    const { now, random } = { now: () => performance.now(), random: Math.random };
    const made = createKubeClient({
      connection,
      userAgent: 'portcullis-test',
      qps: 10_000,
      burst: 10_000,
      now,
      random,
    });
    clients.push(made);
    return made;
  };
  const token = async (namespace: string, serviceAccount: string): Promise<string> => {
    const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
    const at = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
    return ((await raw.send('POST', at, request)) as { status: { token: string } }).status.token;
  };
  const refuse = async (): Promise<void> => {
    throw new Error('other test files use this control plane: start one of your own');
  };
  return {
    url,
    kubeconfig: path,
    caFile: join(folder, 'ca.crt'),
    admin: client(admin),
    raw,
    kubectl: (args, stdin) => kubectl(path, args, stdin),
    token,
    clientAs: async (namespace, serviceAccount) =>
      client(connect({ tls: { ca: tls.ca }, authorization: `Bearer ${await token(namespace, serviceAccount)}` })),
    stop: refuse,
    start: refuse,
    down: async () => {
      await Promise.all([raw.close(), ...clients.map((each) => each.close())]);
    },
  };
}

async function writeCredentials({ folder, address, serviceRange }: Layout, url: string, users: Users): Promise<void> {
  await mkdir(folder);
  await createAuthority(folder);
  const service = serviceRange.replace(/\.0\/.*/, '.1');
  const names = ['', '.default', '.default.svc', '.default.svc.cluster.local'].map((end) => `DNS:kubernetes${end}`);
  const addresses = [address, '127.0.0.1', service].map((each) => `IP:${each}`);
  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text, { mode: 0o600 });
  await Promise.all([
    signCertificate(folder, 'apiserver', '/CN=kube-apiserver', ['DNS:localhost', ...names, ...addresses]),
    signCertificate(folder, 'admin', '/O=system:masters/CN=admin'),
    signCertificate(folder, 'front-proxy-client', '/CN=front-proxy-client'),
    ...Object.entries(users).map(async ([user, subject]) => {
      await signCertificate(folder, user, subject);
      await write(`${user}.kubeconfig`, kubeconfig(url, user, await tlsOf(folder, user)));
    }),
  ]);
  const tls = await tlsOf(folder, 'admin');
  await write('connection.json', JSON.stringify({ url, tls }));
  await write('kubeconfig', kubeconfig(url, 'admin', tls));
}

/** Ready to take pods: they are refused until the token controller has made the first service account. */
async function untilReady(raw: RawRequests, folder: ProcessFolder): Promise<void> {
  const deadline = performance.now() + READY_MS;
  const ready = async (): Promise<boolean> => {
    try {
      await raw.send('GET', '/readyz');
      await raw.send('GET', '/api/v1/namespaces/default/serviceaccounts/default');
      return true;
    } catch {
      return false;
    }
  };
  while (!(await ready())) {
    const ended = COMPONENTS.find((component) => !folder.running(component));
    if (ended !== undefined || performance.now() > deadline) {
      const name = ended ?? 'kube-apiserver';
      const why = ended === undefined ? 'is not ready in time' : 'ended';
      throw new Error(`${name} ${why}:\n${folder.log(name).slice(-LOG_TAIL)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Loopback addresses of their own keep parallel control planes apart, unless somebody else listens on all addresses. */
async function isFree(address: string): Promise<boolean> {
  const free = (port: number): Promise<boolean> =>
    new Promise((resolve) => {
      const server = createServer().once('error', () => resolve(false));
      server.listen(port, address, () => server.close(() => resolve(true)));
    });
  return (await free(API_SERVER_PORT)) && (await free(ETCD_PORT));
}

function kubectl(path: string, args: readonly string[], stdin = ''): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(
      binary('kubectl'),
      ['--kubeconfig', path, ...args],
      { maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) =>
        resolve({ stdout, stderr, code: typeof error?.code === 'number' ? error.code : error ? 1 : 0 }),
    );
    child.stdin?.on('error', () => undefined).end(stdin);
  });
}

/** A name no other test uses: namespaces of a test are not waited for when they go. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}
