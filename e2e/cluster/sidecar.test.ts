// The data plane beside a CI job: a native sidecar with a configuration from files, no operator, no store, nothing of ours in the cluster.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { uniqueName } from '../harness/kubernetes/control-plane.ts';
import type { Release } from '../harness/kubernetes/release.ts';
import { sharedCluster } from '../harness/kubernetes/shared-cluster.ts';
import { basicResources, CI_KEY, PROVIDER_KEY } from '../harness/resources.ts';
import { openScene, type Scene } from './scene.ts';

const cluster = await sharedCluster();
const namespace = uniqueName('ci');
/** Of the image, or any other. */
const USER = 12_345;
const WITHIN_S = 5;

let scene: Scene;
let release: Release;

beforeAll(async () => {
  scene = await openScene(cluster);
  release = await scene.release();
  await scene.kubectl('create', 'namespace', namespace);
  await scene.kubectl('label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted');
});

afterAll(async () => {
  await scene?.kubectl('delete', 'namespace', namespace, '--wait=false');
  await scene?.close();
});

/** The step of the pipeline: waits for the sidecar as a script would, calls, and says when the answer was complete. */
const STEP = `
  const { ANTHROPIC_BASE_URL: url, ANTHROPIC_AUTH_TOKEN: key } = process.env;
  const isReady = () => fetch(url + '/readyz').then((answer) => answer.ok, () => false);
  (async () => {
    while (!(await isReady())) await new Promise((resolve) => setTimeout(resolve, 50));
    const answer = await fetch(url + '/v1/messages', {
      method: 'POST',
      headers: { authorization: 'Bearer ' + key, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'claude-haiku-5-5', max_tokens: 8, messages: [{ role: 'user', content: 'Hi' }] }),
    });
    const text = await answer.text();
    console.log(JSON.stringify({ status: answer.status, text, at: Date.now() }));
  })();
`;

function job(): object[] {
  const [gateway, ...others] = basicResources(scene.providerUrl).objects;
  const files = [
    { ...gateway, spec: { publicUrl: 'http://localhost:8080' } },
    ...others,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'anthropic' },
      stringData: { token: '${ANTHROPIC_API_KEY}' },
    },
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys' }, stringData: { ci: '${ANTHROPIC_AUTH_TOKEN}' } },
  ];
  const image = `${release.repository}:${release.version}`;
  const fromSecret = (name: string): object => ({
    name,
    valueFrom: { secretKeyRef: { name: 'portcullis', key: name } },
  });
  const securityContext = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    runAsNonRoot: true,
    runAsUser: USER,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const gatewayContainer = {
    name: 'gateway',
    image,
    restartPolicy: 'Always',
    args: ['run', '/etc/portcullis'],
    env: [fromSecret('ANTHROPIC_API_KEY'), fromSecret('ANTHROPIC_AUTH_TOKEN')],
    volumeMounts: [
      { name: 'config', mountPath: '/etc/portcullis' },
      { name: 'tmp', mountPath: '/tmp' },
    ],
    securityContext,
  };
  const step = {
    name: 'step',
    image,
    command: ['node', '-e', STEP],
    env: [{ name: 'ANTHROPIC_BASE_URL', value: 'http://localhost:8080' }, fromSecret('ANTHROPIC_AUTH_TOKEN')],
    securityContext,
  };
  const spec = {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    initContainers: [gatewayContainer],
    containers: [step],
    volumes: [
      { name: 'config', configMap: { name: 'portcullis' } },
      { name: 'tmp', emptyDir: {} },
    ],
  };
  return [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'portcullis' },
      data: { 'gateway.yaml': files.map((file) => stringify(file)).join('---\n') },
    },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'portcullis' },
      stringData: { ANTHROPIC_API_KEY: PROVIDER_KEY, ANTHROPIC_AUTH_TOKEN: CI_KEY },
    },
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'build' },
      spec: { backoffLimit: 0, template: { metadata: { labels: { job: 'build' } }, spec } },
    },
  ];
}

interface Pod {
  readonly status: {
    readonly initContainerStatuses: readonly [{ readonly restartCount: number; readonly state: ContainerState }];
  };
}
interface ContainerState {
  readonly terminated: { readonly startedAt: string; readonly exitCode: number };
}

test('[OPS-29] [OPS-19] a job is answered by the sidecar within 5 s of its start, and ends when its own work is done', async () => {
  await scene.apply(namespace, job());
  const inNamespace = (...args: string[]): Promise<string> => scene.kubectl('-n', namespace, ...args);
  await inNamespace('wait', '--for=condition=Complete', 'job/build', '--timeout=60s').catch(async (error: unknown) => {
    const said = await inNamespace('logs', 'job/build', '--all-containers').catch(String);
    throw new Error(`${said}\n${await inNamespace('describe', 'pods')}`, { cause: error });
  });

  const answer = JSON.parse(await inNamespace('logs', 'job/build', '-c', 'step')) as Record<string, unknown>;
  expect(answer).toMatchObject({ status: 200, text: expect.stringContaining('"type":"message"') });
  expect(scene.mock.requests.at(-1)?.headers['x-api-key']).toBe(PROVIDER_KEY);

  const { items } = JSON.parse(await inNamespace('get', 'pods', '-l', 'job=build', '-o', 'json')) as { items: [Pod] };
  const [sidecar] = items[0].status.initContainerStatuses;
  expect(sidecar).toMatchObject({ restartCount: 0, state: { terminated: { exitCode: 0 } } });
  // Times of the cluster are whole seconds, rounded down: the figure is never too small.
  const seconds = (Number(answer['at']) - Date.parse(sidecar.state.terminated.startedAt)) / 1_000;
  process.stdout.write(`sidecar: answered ${seconds.toFixed(1)} s after its start\n`);
  expect(seconds).toBeLessThan(WITHIN_S);
});
