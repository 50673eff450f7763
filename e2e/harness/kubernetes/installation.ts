// Portcullis installed on a control plane without nodes: the shipped manifest, operators as processes under the service account and the rules
// that it brings, pods of Gateways run by the mini-kubelet, a stand-in for the provider.
import type { ChildProcess } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RESOURCE } from '#shared/kube/object.ts';
import type { Secret } from '#shared/kube/types.ts';
import { startMockAnthropic, type MockAnthropic, type MockAnthropicOptions } from '../mock-anthropic.ts';
import { eventually } from '../resources.ts';
import { startControlPlane, type ControlPlane, type ControlPlaneOptions } from './control-plane.ts';
import { applyCrds } from './crds.ts';
import { startMiniKubelet, type MiniKubelet, type RunningPod } from './mini-kubelet.ts';
import { reserveFolder, type ProcessFolder } from './process-folder.ts';

const fromRoot = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const MANIFEST = fromRoot('charts/install.yaml');
/** Where the shipped manifest puts the operator, and as whom. */
const START_MS = 30_000;
const HOME = { namespace: 'portcullis-system', serviceAccount: 'portcullis' };

export interface InstallationOptions {
  /** Replicas of the operator; 1 when left out. */
  readonly operators?: number;
  /** Namespace of the Gateway, made by the installation; `ai` when left out. */
  readonly namespace?: string;
  /** Further namespaces for Gateways, made as well. */
  readonly namespaces?: readonly string[];
  readonly controlPlane?: ControlPlaneOptions;
  readonly mock?: MockAnthropicOptions;
  /** Milliseconds until mounted files follow; an hour when left out: the watch has to do. */
  readonly volumeLag?: number;
  /** Variables for every operator besides its own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Variables for every pod besides its own. */
  readonly podEnvironment?: Readonly<Record<string, string>>;
  /** Puts something between operators and pods and the API server, such as a proxy that injects faults; they call its URL. */
  readonly between?: (apiServer: string) => Promise<{ readonly url: string }>;
}

export interface OperatorProcess {
  readonly name: string;
  readonly pid: number | undefined;
  /** What it calls itself since its last start, as in the leader's Lease; undefined until it says so. */
  readonly identity: string | undefined;
  /** Everything it has written, over all of its starts. */
  log(): string;
  /** Its Prometheus text. No connection stays. */
  metrics(): Promise<string>;
  /** Ends it and waits for that. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again. @param environment variables besides its own, for this start */
  start(environment?: Readonly<Record<string, string>>): void;
}

export interface Installation {
  readonly plane: ControlPlane;
  readonly namespace: string;
  readonly kubelet: MiniKubelet;
  readonly mock: MockAnthropic;
  readonly operators: readonly OperatorProcess[];
  /** `kubectl apply` of a manifest, in the Gateway's namespace when none is given. @throws {Error} with what kubectl says */
  apply(manifest: string, namespace?: string): Promise<void>;
  /** Runs kubectl in the Gateway's namespace. @returns what it prints @throws {Error} with what it says */
  kubectl(...args: string[]): Promise<string>;
  /** Pods of Gateways that are ready. */
  ready(): readonly RunningPod[];
  /** A value of a Secret of the Gateway's namespace; undefined while it is not there. */
  secret(name: string, key: string): Promise<string | undefined>;
  close(): Promise<void>;
}

export async function install(options: InstallationOptions = {}): Promise<Installation> {
  const { namespace = 'ai', operators: count = 1, volumeLag = 3_600_000 } = options;
  const namespaces = [namespace, ...(options.namespaces ?? [])];
  const [plane, mock, processes] = await Promise.all([
    startControlPlane(options.controlPlane),
    startMockAnthropic(options.mock),
    reserveFolder('installation'),
  ]);
  const run = async (args: readonly string[], stdin?: string): Promise<string> => {
    const { stdout, stderr, code } = await plane.kubectl(args, stdin);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const kubectl = (...args: string[]): Promise<string> => run(['--namespace', namespace, ...args]);

  const { hostname, port } = new URL((await options.between?.(plane.url))?.url ?? plane.url);
  const apiServer = { host: hostname, port: Number(port) };

  await applyCrds(plane);
  await run(['apply', '--server-side', '-f', MANIFEST]);
  for (const name of namespaces) await run(['create', 'namespace', name]);
  const operators = await Promise.all(
    Array.from({ length: count }, (_, i) => startOperator(plane, apiServer, processes, `operator-${i}`, options)),
  );
  const images = { '*': [process.execPath, fromRoot('dataplane/main.ts')] };
  const environment = options.podEnvironment ?? {};
  const kubelet = await startMiniKubelet({ plane, namespaces, images, volumeLag, apiServer, environment });
  return {
    plane,
    namespace,
    kubelet,
    mock,
    operators,
    kubectl,
    async apply(manifest, at = namespace) {
      await run(['--namespace', at, 'apply', '-f', '-'], manifest);
    },
    ready: () => kubelet.pods().filter((pod) => pod.ready),
    async secret(name, key) {
      const { items } = await plane.admin.list<Secret>(
        RESOURCE.Secret,
        { namespace, fieldSelector: `metadata.name=${name}` },
        {},
      );
      const text = items[0]?.data?.[key];
      return text === undefined ? undefined : Buffer.from(text, 'base64').toString();
    },
    async close() {
      await processes.close();
      await kubelet.close();
      await mock.close();
      await plane.down();
    },
  };
}

async function startOperator(
  plane: ControlPlane,
  apiServer: { readonly host: string; readonly port: number },
  processes: ProcessFolder,
  name: string,
  { environment = {} }: InstallationOptions,
): Promise<OperatorProcess> {
  const account = join(processes.path, `${name}-account`);
  await mkdir(account, { recursive: true });
  await writeFile(join(account, 'token'), await plane.token(HOME.namespace, HOME.serviceAccount), { mode: 0o600 });
  await writeFile(join(account, 'ca.crt'), await readFile(plane.caFile));
  await writeFile(join(account, 'namespace'), HOME.namespace);
  let child: ChildProcess | undefined;
  let logged = 0;
  const start = (more: Readonly<Record<string, string>> = {}): void => {
    if (child !== undefined) logged = processes.log(name).length;
    child = processes.start(name, [process.execPath, fromRoot('operator/main.ts')], {
      environment: {
        PATH: process.env['PATH'],
        POD_NAME: name,
        POD_NAMESPACE: HOME.namespace,
        PORTCULLIS_IMAGE: 'portcullis:test',
        PORTCULLIS_HEALTH_HOST: '127.0.0.1',
        PORTCULLIS_HEALTH_PORT: '0',
        PORTCULLIS_SERVICE_ACCOUNT_DIR: account,
        KUBERNETES_SERVICE_HOST: apiServer.host,
        KUBERNETES_SERVICE_PORT: String(apiServer.port),
        ...environment,
        ...more,
      },
    });
  };
  start();
  return {
    name,
    get pid() {
      return processes.running(name) ? child?.pid : undefined;
    },
    get identity() {
      return /"identity":"([^"]+)"/.exec(processes.log(name).slice(logged))?.[1];
    },
    log: () => processes.log(name),
    async metrics() {
      const port = await eventually(() => [...processes.log(name).matchAll(/"health":(\d+)/g)].at(-1)?.[1], START_MS);
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: 'close' } });
      return answer.text();
    },
    kill: (signal) => processes.stop(name, signal),
    start,
  };
}
