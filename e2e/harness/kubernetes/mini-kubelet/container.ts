// One container of a pod as a process: started again when it ends or its probes give up on it, ended with grace.
import type { ChildProcess } from 'node:child_process';
import { request } from 'node:http';
import type { Pod } from '#shared/kube/types.ts';
import type { ProcessFolder } from '../process-folder.ts';
import { expand, type Container } from './environment.ts';
import { startProbe } from './probe.ts';

type ContainerStatus = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];
type Lifecycle = NonNullable<NonNullable<Container['lifecycle']>['preStop']>;

export interface ContainerOptions {
  readonly container: Container;
  /** Program and first arguments that stand for its image. */
  readonly entrypoint: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: ProcessFolder;
  /** Of its log and its process, unique in the folder. */
  readonly processName: string;
  readonly workingFolder: string;
  readonly address: string;
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never';
}

export interface ContainerRun {
  readonly status: ContainerStatus;
  readonly pid: number | undefined;
  /** Of a container that is not started again. */
  readonly exitCode: number | undefined;
  /** preStop, SIGTERM, and SIGKILL when that took longer than `grace` milliseconds altogether. */
  terminate(grace: number): Promise<void>;
  kill(): void;
}

/** kubelet waits 10 s to 5 min before it starts a container again. */
const RESTART_MS = { first: 500, most: 10_000 };
const KILLED = 137;

export function runContainer(options: ContainerOptions): ContainerRun {
  const { container, entrypoint, environment, folder, processName, address, restartPolicy } = options;
  const command = [...(container.command ?? entrypoint), ...(container.args ?? [])].map((text) =>
    expand(text, environment),
  );
  let child: ChildProcess;
  let probes: AbortController;
  let restarts = 0;
  let startedAt = '';
  let started = false;
  let ready = false;
  let state: ContainerStatus['state'] = {};
  let exitCode: number | undefined;
  let ending = false;
  let exited = Promise.resolve();

  function start(): void {
    if (ending) return;
    child = folder.start(processName, command, { environment, folder: options.workingFolder });
    startedAt = new Date().toISOString();
    state = { running: { startedAt } };
    probes = new AbortController();
    exited = new Promise((resolve) => child.once('exit', (code) => resolve(ended(code ?? KILLED))));
    const { startupProbe } = container;
    if (startupProbe === undefined) return watchOver();
    startProbe(startupProbe, container, address, probes.signal, (good) => {
      if (good && !started) watchOver();
      if (!good && !started) child.kill('SIGKILL');
    });
  }

  function watchOver(): void {
    const { readinessProbe, livenessProbe } = container;
    started = true;
    if (readinessProbe === undefined) ready = true;
    else startProbe(readinessProbe, container, address, probes.signal, (good) => (ready = good));
    if (livenessProbe === undefined) return;
    startProbe(livenessProbe, container, address, probes.signal, (good) => {
      if (!good && !ending) child.kill('SIGTERM');
    });
  }

  function ended(code: number): void {
    probes.abort();
    started = ready = false;
    const finishedAt = new Date().toISOString();
    state = { terminated: { exitCode: code, reason: code === 0 ? 'Completed' : 'Error', startedAt, finishedAt } };
    const again = restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && code !== 0);
    if (ending || !again) {
      exitCode = code;
      return;
    }
    const pause = Math.min(RESTART_MS.first * 2 ** restarts++, RESTART_MS.most);
    state = { waiting: { reason: 'CrashLoopBackOff', message: `exit code ${code}` } };
    setTimeout(start, pause).unref();
  }

  start();
  return {
    get status() {
      const { name, image = '' } = container;
      return { name, image, imageID: image, ready, started, restartCount: restarts, state };
    },
    get pid() {
      return folder.running(processName) ? child.pid : undefined;
    },
    get exitCode() {
      return exitCode;
    },
    async terminate(grace) {
      ending = true;
      const patience = setTimeout(() => child.kill('SIGKILL'), grace);
      await Promise.race([preStop(container.lifecycle?.preStop, address), exited]);
      child.kill('SIGTERM');
      await exited;
      clearTimeout(patience);
    },
    kill() {
      ending = true;
      child.kill('SIGKILL');
    },
  };
}

async function preStop(handler: Lifecycle | undefined, address: string): Promise<void> {
  if (handler?.sleep !== undefined) {
    const { seconds } = handler.sleep;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  } else if (handler?.httpGet !== undefined) {
    const { path = '/', port } = handler.httpGet;
    await new Promise<void>((resolve) => {
      request({ host: address, path, port: Number(port) }, (answer) => answer.resume().once('end', resolve))
        .once('error', () => resolve())
        .end();
    });
  } else if (handler !== undefined) {
    throw new Error('only sleep and httpGet handlers are supported here');
  }
}
