// One pod from the moment it is bound to a node until it is gone: volumes, containers, status, deletion with grace.
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { RESOURCE } from '#shared/kube/object.ts';
import type { Pod } from '#shared/kube/types.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { ProcessFolder } from '../process-folder.ts';
import { runContainer, type ContainerRun } from './container.ts';
import { containerEnvironment, type Container } from './environment.ts';
import type { VolumeSources } from './volume-sources.ts';
import { podVolumes } from './volumes.ts';

/** What all pods of a node share. */
export interface NodeOptions {
  readonly plane: ControlPlane;
  /** Program and first arguments by image, as an image's entrypoint; `*` stands for every other image. */
  readonly images: Readonly<Record<string, readonly string[]>>;
  /** Where pods find the API server, such as a proxy that injects faults; the control plane's own address when left out. */
  readonly apiServer?: { readonly host: string; readonly port: number };
  /** Variables for every container besides those of its pod. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface PodOptions extends NodeOptions {
  readonly folder: ProcessFolder;
  readonly sources: VolumeSources;
  readonly nodeName: string;
  /** Its own, as every pod has one. */
  readonly address: string;
}

/** A pod that has been given to this kubelet and is not gone yet. */
export interface RunningPod {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  /** Such as `127.1.3.1`: every pod may use the same ports. */
  readonly address: string;
  readonly ready: boolean;
  readonly restarts: number;
  /** Stands for `/` of its mounts. */
  readonly root: string;
  /** Process id of a container that runs. */
  pid(container?: string): number | undefined;
  /** Everything a container has written, over all of its starts. */
  log(container?: string): string;
}

export interface PodRun extends RunningPod {
  /** Its processes have ended and the API server knows. */
  readonly gone: boolean;
  /** Starts what has not been started yet and writes its status when that has changed; call it again and again. */
  report(): Promise<void>;
  syncVolumes(): Promise<void>;
  /** Only the first call counts. @param seconds of grace, preStop included */
  terminate(seconds: number): void;
  /** At once, and without a word to the API server. */
  kill(): void;
}

type Condition = NonNullable<NonNullable<Pod['status']>['conditions']>[number];

const CONFIG = '/etc/portcullis/config';
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

export function runPod(pod: Pod, options: PodOptions): PodRun {
  const { folder, sources, address, plane } = options;
  const { name, namespace, uid = '' } = pod.metadata;
  const root = join(folder.path, `pod-${uid}`);
  mkdirSync(join(root, 'tmp'), { recursive: true });
  const volumes = podVolumes(pod, root, sources);
  const specs = pod.spec?.containers ?? [];
  const containers = new Map<string, ContainerRun>();
  const since = new Map<string, { status: string; at: string }>();
  const startTime = new Date().toISOString();
  let trouble: string | undefined;
  let written = '';
  let ending = false;
  let ended = false;
  let gone = false;

  const processName = (container: string): string => `${name}.${container}`;
  const run = (container = specs[0]?.name ?? ''): ContainerRun | undefined => containers.get(container);

  async function startContainers(): Promise<void> {
    if (pod.spec?.initContainers !== undefined) throw new Error('init containers are not supported here');
    sources.forget();
    await volumes.sync(pod);
    for (const container of specs) {
      if (ending || containers.has(container.name)) continue;
      const environment = await environmentOf(container);
      const entrypoint = options.images[container.image ?? ''] ?? options.images['*'] ?? [];
      const restartPolicy = (pod.spec?.restartPolicy ?? 'Always') as 'Always';
      const place = { folder, processName: processName(container.name), workingFolder: root, address };
      containers.set(container.name, runContainer({ container, entrypoint, environment, restartPolicy, ...place }));
    }
  }

  async function environmentOf(container: Container): Promise<Record<string, string>> {
    const { hostname, port } = new URL(plane.url);
    const { apiServer = { host: hostname, port: Number(port) } } = options;
    const [config, account] = [volumes.path(CONFIG), volumes.path(SERVICE_ACCOUNT)];
    return {
      // First the Node of the tests, for an entrypoint that only says `node`.
      PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
      HOSTNAME: name,
      HOME: root,
      TMPDIR: join(root, 'tmp'),
      KUBERNETES_SERVICE_HOST: apiServer.host,
      KUBERNETES_SERVICE_PORT: String(apiServer.port),
      ...(await containerEnvironment(pod, container, address, sources)),
      ...options.environment,
      PORTCULLIS_LISTEN_HOST: address,
      ...(config === undefined ? {} : { PORTCULLIS_CONFIG_DIR: config }),
      ...(account === undefined ? {} : { PORTCULLIS_SERVICE_ACCOUNT_DIR: account }),
    };
  }

  function condition(type: string, status: boolean, reason?: string, message?: string): Condition {
    const known = since.get(type);
    const text = status ? 'True' : 'False';
    const at = known?.status === text ? known.at : new Date().toISOString();
    since.set(type, { status: text, at });
    return { type, status: text, lastTransitionTime: at, ...(status ? {} : { reason, message }) };
  }

  function status(): Pod['status'] {
    const statuses = specs.map(({ name, image = '' }) => {
      const waiting = {
        waiting: { reason: 'ContainerCreating', ...(trouble === undefined ? {} : { message: trouble }) },
      };
      const creating = { name, image, imageID: '', ready: false, started: false, restartCount: 0, state: waiting };
      return containers.get(name)?.status ?? creating;
    });
    const codes = specs.map(({ name }) => containers.get(name)?.exitCode);
    const finished = codes.every((code) => code !== undefined);
    const failed = codes.some((code) => code !== 0);
    const ready = statuses.every((each) => each.ready);
    const running = containers.size === specs.length ? 'Running' : 'Pending';
    return {
      phase: finished ? (failed ? 'Failed' : 'Succeeded') : running,
      conditions: [
        condition('Initialized', true),
        condition('ContainersReady', ready, 'ContainersNotReady'),
        condition('Ready', ready, 'ContainersNotReady', trouble),
      ],
      hostIP: '127.0.0.1',
      podIP: address,
      podIPs: [{ ip: address }],
      startTime,
      containerStatuses: statuses,
    };
  }

  async function remove(): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, preconditions: { uid } };
    await plane.raw.send('DELETE', `/api/v1/namespaces/${namespace}/pods/${name}`, body);
  }

  async function end(seconds: number): Promise<void> {
    await Promise.all([...containers.values()].map((each) => each.terminate(seconds * 1_000)));
    ended = true;
  }

  return {
    name,
    namespace,
    uid,
    address,
    root,
    get ready() {
      return since.get('Ready')?.status === 'True';
    },
    get restarts() {
      return [...containers.values()].reduce((sum, { status }) => sum + status.restartCount, 0);
    },
    get gone() {
      return gone;
    },
    pid: (container) => run(container)?.pid,
    log: (container = specs[0]?.name ?? '') =>
      containers.has(container) ? folder.log(processName(container)) : (trouble ?? ''),
    async report() {
      if (containers.size < specs.length && !ending) {
        trouble = await startContainers().then(
          () => undefined,
          (error: unknown) => (error as Error).message,
        );
      }
      const now = status();
      const text = JSON.stringify(now);
      if (text !== written && !gone) {
        const object = { metadata: { namespace, name, uid }, status: now };
        await plane.admin.apply(RESOURCE.Pod, object, { fieldManager: 'mini-kubelet', subresource: 'status' });
        written = text;
      }
      if (!ended || gone) return;
      await remove();
      rmSync(root, { recursive: true, force: true });
      gone = true;
    },
    async syncVolumes() {
      if (containers.size > 0 && !ended) await volumes.sync(pod);
    },
    terminate(seconds) {
      if (ending) return;
      ending = true;
      void end(seconds);
    },
    kill() {
      ending = gone = true;
      for (const each of containers.values()) each.kill();
    },
  };
}
