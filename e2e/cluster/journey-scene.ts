// The installation that the journey goes through: both charts, a Gateway behind TLS in namespace `ai`, a key in the namespace of a team.
import { setTimeout as sleep } from 'node:timers/promises';
import { helm } from '../charts/helm.ts';
import type { Release } from '../harness/kubernetes/release.ts';
import { callOnce, startLoad, type Answer, type LoadReport, type Target } from '../harness/kubernetes/service-load.ts';
import { sharedCluster } from '../harness/kubernetes/shared-cluster.ts';
import { object, policy, PROVIDER_KEY, upstream } from '../harness/resources.ts';
import { openScene, REPOSITORY, type Scene } from './scene.ts';

export const HOME = 'portcullis-system';
export const PLATFORM = 'ai';
export const TEAM = 'team';
/** Name of the Service in namespace `edge` that stands for the company's load balancer. */
const HOST = 'claude.edge.svc';
export const PUBLIC_URL = `https://${HOST}`;
export const KEY_SECRET = 'ci-claude-key';
/** A stream of the provider lasts 20 s. */
export const STREAM = { count: 80, gapMs: 250 };
/** Only a tool of the client can have brought this to the provider. */
export const SECRET_WORD = 'medlar-5820';
const RESTRICTED = 'pod-security.kubernetes.io/enforce=restricted';
const POLL_MS = 100;

export interface PodFacts {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly containers: readonly [{ readonly image: string }] };
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

export interface JourneyScene extends Scene {
  /** `helm upgrade --install` of both charts, waiting for the operator. */
  helmUpgrade(release: Release): Promise<void>;
  helm(...args: string[]): Promise<string>;
  /** What clients and the load balancer call, with the value that the key's Secret holds now. */
  target(): Promise<Target>;
  call(body?: object): Promise<Answer>;
  /** Runs something under load. @returns what the load saw */
  underLoad(work: (use: (key: string) => void) => Promise<void>): Promise<LoadReport>;
  /** Pods of the Gateway that are not on their way out. */
  pods(): Promise<PodFacts[]>;
  /** Runs a change and waits until every pod there was has been replaced and is gone. @returns milliseconds */
  replaced(change: () => Promise<unknown>): Promise<number>;
  /** Audit records of authenticated calls that the pods of now have written. */
  records(): Promise<Readonly<Record<string, unknown>>[]>;
  json<T>(...args: string[]): Promise<T>;
  until(what: string, done: () => Promise<boolean>, withinMs?: number): Promise<void>;
}

export async function openJourney(): Promise<JourneyScene> {
  const cluster = await sharedCluster();
  const scene = await openScene(cluster);
  const kubectl = (...args: string[]): Promise<string> => scene.kubectl(...args);
  scene.mock.behave((call) => {
    const body = call.json();
    if (Array.isArray(body?.['tools']) && body['tools'].length > 0) {
      const input = { command: 'cat word.txt', description: 'Reads the word' };
      return { kind: 'tool', name: 'Bash', input, finalText: 'I have read the word.' };
    }
    return body?.['stream'] === true ? { kind: 'events', ...STREAM } : { kind: 'text' };
  });
  for (const namespace of [HOME, PLATFORM, TEAM, 'edge']) await kubectl('create', 'namespace', namespace);
  for (const namespace of [HOME, PLATFORM]) await kubectl('label', 'namespace', namespace, RESTRICTED);

  const json = async <T>(...args: string[]): Promise<T> => JSON.parse(await kubectl(...args, '-o', 'json')) as T;
  const runHelm = (...args: string[]): Promise<string> => helm(['--kubeconfig', cluster.plane.kubeconfig, ...args]);
  const pods = async (): Promise<PodFacts[]> => {
    const selector = 'portcullis.dev/gateway=claude';
    return (await json<{ items: PodFacts[] }>('-n', PLATFORM, 'get', 'pods', '-l', selector)).items;
  };
  const living = async (): Promise<PodFacts[]> =>
    (await pods()).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const until: JourneyScene['until'] = async (what, done, withinMs = 60_000) => {
    const deadline = performance.now() + withinMs;
    while (!(await done())) {
      if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`);
      await sleep(POLL_MS);
    }
  };
  const target = async (): Promise<Target> => {
    const address = await kubectl('-n', PLATFORM, 'get', 'service', 'claude', '-o', 'jsonpath={.spec.clusterIP}');
    const { data } = await json<{ data: Record<string, string> }>('-n', TEAM, 'get', 'secret', KEY_SECRET);
    return { url: `http://${address}:8080`, key: Buffer.from(data['ANTHROPIC_AUTH_TOKEN']!, 'base64').toString() };
  };
  return {
    ...scene,
    json,
    until,
    target,
    pods: living,
    helm: runHelm,
    call: async (body) => callOnce(await target(), body),
    async helmUpgrade({ charts }) {
      const install = ['upgrade', '--install'];
      await runHelm(...install, 'portcullis-crds', `${charts}/portcullis-crds`, '-n', HOME, '--server-side=true');
      const image = ['--set', `image.repository=${REPOSITORY}`];
      await runHelm(
        ...install,
        'portcullis',
        `${charts}/portcullis`,
        '-n',
        HOME,
        ...image,
        '--wait',
        '--timeout',
        '2m',
      );
    },
    async records() {
      const all = ['--container', 'gateway', '--tail', '-1'];
      const lines = await kubectl('-n', PLATFORM, 'logs', '--selector', 'portcullis.dev/gateway=claude', ...all);
      return lines
        .split('\n')
        .filter((line) => line.includes('"key":'))
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    async underLoad(work) {
      const load = startLoad(await target());
      await work((key) => load.use(key)).catch(async (error: unknown) => {
        await load.stop();
        throw error;
      });
      return load.stop();
    },
    async replaced(change) {
      const before = new Set((await pods()).map(({ metadata }) => metadata.uid));
      const begun = performance.now();
      await change();
      await until(
        'every pod is a new one and ready',
        async () => {
          const now = await pods();
          return now.length >= 2 && now.every((pod) => !before.has(pod.metadata.uid) && isReady(pod));
        },
        120_000,
      );
      return performance.now() - begun;
    },
  };
}

const isReady = ({ status }: PodFacts): boolean =>
  status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;

/** The samples of the README: a Gateway that a team's namespace may use, its provider, a policy, and a key of the team. */
export function manifests(scene: Pick<Scene, 'providerUrl'>): { platform: object[]; team: object[] } {
  const bare = ({ metadata: { name, labels }, ...rest }: ReturnType<typeof object>): object => ({
    ...rest,
    metadata: { name, ...(labels === undefined ? {} : { labels }) },
  });
  const gateway = {
    publicUrl: PUBLIC_URL,
    allowedNamespaces: { virtualKeys: { from: 'All' } },
    deployment: { replicas: 2, drainDelay: '3s', resources: { requests: { cpu: '100m' } } },
  };
  const generated = { type: 'Generated', generated: { secretName: KEY_SECRET } };
  return {
    platform: [
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'anthropic' }, stringData: { token: PROVIDER_KEY } },
      bare(object('Gateway', 'claude', gateway)),
      bare(upstream('anthropic', scene.providerUrl, { validation: { enabled: true } })),
      bare(policy('everyone', { match: { everyone: {} }, models: { allow: ['claude-*'] } })),
    ],
    team: [
      bare(
        object('VirtualKey', 'ci', {
          gatewayRef: { name: 'claude', namespace: PLATFORM },
          owner: { type: 'Service', name: 'ci' },
          rotation: { grace: '1h' },
          credential: generated,
        }),
      ),
    ],
  };
}

/** The company's load balancer: a name of the cluster whose only address is outside of the nodes, where TLS ends. */
export async function openEdge(scene: JourneyScene, machine: string): Promise<void> {
  const { url } = await scene.target();
  const { port } = await scene.front(HOST, url);
  const metadata = { name: 'claude' };
  const labels = { 'kubernetes.io/service-name': 'claude' };
  await scene.apply('edge', [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ name: 'https', port: 443, targetPort: port }] } },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, labels },
      addressType: 'IPv4',
      ports: [{ name: 'https', port }],
      endpoints: [{ addresses: [machine], conditions: { ready: true } }],
    },
  ]);
}
