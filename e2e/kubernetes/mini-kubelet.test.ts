// Pods as processes: a Deployment of a small program whose answers say what it was given, so that tests of the data plane can rely on it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isApiError } from '#shared/kube/client.ts';
import { createKubeClient } from '#shared/kube/kube-client.ts';
import { inClusterConnection } from '#shared/kube/in-cluster.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import type { Deployment, Pod } from '#shared/kube/types.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { startMiniKubelet, type MiniKubelet, type RunningPod } from '../harness/kubernetes/mini-kubelet.ts';
import { sharedControlPlane, testNamespace } from '../harness/kubernetes/shared-control-plane.ts';
import { eventually } from '../harness/resources.ts';

const WAIT_MS = 15_000;
const GRACE_S = 8;

/** Answers with its environment and a mounted file; not ready for 300 ms; takes 500 ms to stop. */
const PROGRAM = `
  const { createServer } = require('node:http');
  const { readFileSync } = require('node:fs');
  const since = Date.now();
  const read = () => { try { return readFileSync(process.env.PORTCULLIS_CONFIG_DIR + '/greeting/text', 'utf8'); } catch { return null; } };
  const server = createServer((request, response) => {
    if (request.url === '/crash') process.exit(3);
    response.statusCode = request.url === '/ready' && Date.now() - since < 300 ? 503 : 200;
    response.end(JSON.stringify({ env: process.env, file: read(), args: process.argv.slice(2) }));
  });
  server.listen(8080, process.env.PORTCULLIS_LISTEN_HOST, () => console.log('listening'));
  process.on('SIGTERM', () => { console.log('stopping'); setTimeout(() => process.exit(0), 500); });
`;

const plane = await sharedControlPlane();
const folder = mkdtempSync(join(tmpdir(), 'portcullis-program-'));
let namespace: string;
let kubelet: MiniKubelet;

beforeAll(async () => {
  writeFileSync(join(folder, 'program.cjs'), PROGRAM);
  namespace = await testNamespace('kubelet');
  const images = { 'test:1': [process.execPath, join(folder, 'program.cjs')] };
  kubelet = await startMiniKubelet({ plane, namespaces: [namespace], images, volumeLag: 3_600_000 });
  await plane.admin.apply(RESOURCE.Deployment, deployment(), { fieldManager: 'test' });
});

afterAll(async () => {
  await kubelet.close();
  rmSync(folder, { recursive: true });
});

function deployment(): Deployment {
  const field = (name: string, fieldPath: string): object => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const container = {
    name: 'gateway',
    image: 'test:1',
    args: ['serve', '$(POD_NAME)'],
    env: [
      field('POD_NAME', 'metadata.name'),
      field('POD_UID', 'metadata.uid'),
      { name: 'MEMORY', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
      { name: 'PORTCULLIS_LISTEN_HOST', value: '::' },
    ],
    resources: { limits: { memory: '64Mi' } },
    ports: [{ name: 'http', containerPort: 8080 }],
    startupProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 1 },
    readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 1 },
    lifecycle: { preStop: { sleep: { seconds: 1 } } },
    volumeMounts: [{ name: 'config', mountPath: '/etc/portcullis/config' }],
  };
  const source = { configMap: { name: 'greeting', optional: true, items: [{ key: 'text', path: 'greeting/text' }] } };
  const labels = { app: 'test' };
  return {
    metadata: { namespace, name: 'test' },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: GRACE_S,
          containers: [container],
          volumes: [{ name: 'config', projected: { sources: [source] } }],
        },
      },
    },
  } as unknown as Deployment;
}

interface Said {
  readonly env: Readonly<Record<string, string>>;
  readonly file: string | null;
  readonly args: readonly string[];
}

const ask = async ({ address }: RunningPod, path = '/'): Promise<Said> =>
  (await (await fetch(`http://${address}:8080${path}`)).json()) as Said;

async function readyPods(count: number): Promise<readonly RunningPod[]> {
  return eventually(() => {
    const ready = kubelet.pods().filter((pod) => pod.ready);
    return ready.length === count ? ready : undefined;
  }, WAIT_MS);
}

test('a Deployment becomes available: pods on addresses of their own, told who they are, ready when their probe says so', async () => {
  const pods = await readyPods(2);
  const status = await plane.kubectl(['rollout', 'status', 'deployment/test', '-n', namespace, '--timeout=15s']);
  expect(status).toMatchObject({ code: 0 });
  expect(new Set(pods.map(({ address }) => address)).size).toBe(2);
  for (const pod of pods) {
    const { env, args } = await ask(pod);
    expect(args).toEqual(['serve', pod.name]);
    expect(env).toMatchObject({ POD_NAME: pod.name, POD_UID: pod.uid, MEMORY: String(64 * 1024 * 1024) });
    expect(env['PORTCULLIS_LISTEN_HOST']).toBe(pod.address);
    const seen = await plane.admin.get<Pod>(RESOURCE.Pod, pod);
    expect(seen.status).toMatchObject({ phase: 'Running', podIP: pod.address });
  }
});

test('a pod has the identity of its service account, from files where they always are', async () => {
  const [pod] = await readyPods(2);
  const { env } = await ask(pod!);
  const connection = await inClusterConnection(env, env['PORTCULLIS_SERVICE_ACCOUNT_DIR']!, () => performance.now());
  expect(connection.namespace).toBe(namespace);
  const clock = { now: () => performance.now(), random: Math.random };
  const client = createKubeClient({ connection, userAgent: 'test', ...clock });
  const refused = await client.list(RESOURCE.Secret, { namespace }, {}).catch((error: unknown) => error);
  expect(isApiError(refused, 403)).toBe(true);
  expect((refused as Error).message).toContain(`system:serviceaccount:${namespace}:default`);
  await client.close();
});

test('mounted files follow their object as a whole, only when the lag has passed', async () => {
  const [pod] = await readyPods(2);
  const greeting = { metadata: { namespace, name: 'greeting' }, data: { text: 'hello' } };
  expect((await ask(pod!)).file).toBe(null);
  await plane.admin.apply(RESOURCE.ConfigMap, greeting, { fieldManager: 'test' });
  expect((await ask(pod!)).file).toBe(null);
  await kubelet.syncVolumes();
  expect((await ask(pod!)).file).toBe('hello');
  await plane.admin.delete(RESOURCE.ConfigMap, greeting.metadata);
  await kubelet.syncVolumes();
  expect((await ask(pod!)).file).toBe(null);
});

test('a program that ends is started again, and its pod is not ready meanwhile', async () => {
  const [pod] = await readyPods(2);
  const before = pod!.pid();
  await ask(pod!, '/crash').catch(() => undefined);
  await readyPods(1);
  await readyPods(2);
  expect(pod!.restarts).toBe(1);
  expect(pod!.pid()).not.toBe(before);
});

test('a deleted pod has its pause and its grace, is replaced at once, and is gone after', async () => {
  const [pod] = await readyPods(2);
  const begun = performance.now();
  await plane.admin.delete(RESOURCE.Pod, pod!);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(pod!.log()).not.toContain('stopping');
  await ask(pod!);
  await eventually(() => pod!.log().includes('stopping') || undefined, WAIT_MS);
  await eventually(() => !kubelet.pods().includes(pod!) || undefined, WAIT_MS);
  // A second of preStop and half a second of stopping; far from the end of the grace.
  expect(performance.now() - begun).toBeGreaterThan(1_500);
  expect(performance.now() - begun).toBeLessThan(GRACE_S * 1_000);
  const missing = await plane.admin.get(RESOURCE.Pod, pod!).catch((error: unknown) => error);
  expect(isApiError(missing, 404)).toBe(true);
  expect((await readyPods(2)).map(({ name }) => name)).not.toContain(pod!.name);
});
