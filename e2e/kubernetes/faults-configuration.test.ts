// Changes that people make to a running system, under a flood with open streams: providers, their credentials and their order, a bad edit, pausing,
// an image for one Gateway. Nobody's call fails, running streams go on as they began, and the other Gateway never hears of it.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { call } from '../harness/kubernetes/flood.ts';
import { answer, GATEWAY, MODEL, podsOf, startScene, valueOf, type Scene } from '../harness/kubernetes/flood-scene.ts';

const POLL = { timeout: 30_000, interval: 50 };
const DEV = { namespace: 'ai-dev', gateway: 'claude-dev' };
let scene: Scene;
let second: MockAnthropic;

beforeAll(async () => {
  [scene, second] = await Promise.all([
    startScene({ namespaces: [DEV.namespace] }),
    startMockAnthropic({ behave: (request) => answer(request.json()) }),
  ]);
  await scene.apply(developmentManifest(), DEV.namespace);
}, 180_000);

afterAll(async () => {
  await scene?.close();
  await second?.close();
});

const statusesOf = (value: string, pods = podsOf(scene)) =>
  Promise.all(pods.map(async (pod) => (await call(pod, { value, model: MODEL })).status));
const devPods = () => podsOf(scene, DEV.gateway, DEV.namespace);
const keyOf = (name: string, environment: string) => `${valueOf(name)}-${environment}`;
const onDev = (name: string, environment: string) => statusesOf(keyOf(name, environment), devPods());
const everywhere = <T>(status: T): T[] => [status, status, status];
const condition = async (kind: 'Gateway' | 'Policy' | 'VirtualKey', name: string, type: string) => {
  const at = { namespace: scene.namespace, name };
  const { status } = await scene.plane.admin.get<KubeObject & { status?: { conditions: Condition[] } }>(
    RESOURCE[kind],
    at,
  );
  return status?.conditions.find((each) => each.type === type);
};
/** One stream to each pod, under way when this resolves. @returns waits for their ends */
async function startStreams(): Promise<() => Promise<string[]>> {
  const begun = scene.mock.received();
  const streams = podsOf(scene).map((pod) => call(pod, { value: valueOf('steady-1'), model: MODEL }, true));
  await expect.poll(() => scene.mock.received(), POLL).toBeGreaterThanOrEqual(begun + streams.length);
  await sleep(500);
  return async () =>
    (await Promise.all(streams)).map(
      ({ status, text }) => `${status} ${text.includes('event: message_stop') ? 'complete' : 'cut'}`,
    );
}

/** Credentials and servers that the flood's calls of the next moment use. */
async function used(mock: MockAnthropic): Promise<Set<unknown>> {
  const from = mock.received();
  await sleep(500);
  const fresh = mock.received() - from;
  return new Set(fresh === 0 ? [] : mock.requests.slice(-fresh).map(({ headers }) => headers['x-api-key']));
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

describe('providers', () => {
  test('[PROV-16] [ADMIN-13] a provider Secret that is changed is in force within 30 s, without a restart or a dropped stream', async () => {
    const before = podsOf(scene).map((pod) => [pod.pid(), pod.restarts]);
    expect([...(await used(scene.mock))]).toEqual(['sk-ant-first']);
    scene.flood.take();
    const running = await startStreams();
    const data = { token: Buffer.from('sk-ant-second').toString('base64') };
    await scene.plane.admin.patch(RESOURCE.Secret, { namespace: scene.namespace, name: 'anthropic' }, { data });
    await expect.poll(async () => [...(await used(scene.mock))], POLL).toEqual(['sk-ant-second']);
    expect(await running()).toEqual(everywhere('200 complete'));
    expect(scene.flood.take().failures).toEqual([]);
    expect(podsOf(scene).map((pod) => [pod.pid(), pod.restarts])).toEqual(before);
  });

  test('[ROUTE-32] [ROUTE-24] the order of upstreams that is changed counts for every caller on every pod, and running streams end where they began', async () => {
    scene.flood.take();
    await scene.apply(upstreamManifest('second', GATEWAY, second.url, 90));
    await scene.settle();
    await sleep(500);
    // Pods have looked at it by now, but sent nobody there.
    expect(second.requests.filter(({ method }) => method === 'POST')).toEqual([]);
    const running = await startStreams();
    await scene.edit('Upstream', 'second', { priority: 0 });
    await scene.edit('Upstream', 'anthropic', { priority: 95 });
    await expect.poll(() => used(scene.mock), POLL).toEqual(new Set());
    expect([...(await used(second))]).toEqual(['sk-ant-second']);
    expect(await running()).toEqual(everywhere('200 complete'));
    await scene.plane.admin.delete(RESOURCE.Upstream, { namespace: scene.namespace, name: 'second' });
    await expect.poll(async () => [...(await used(scene.mock))], POLL).toEqual(['sk-ant-second']);
    await scene.settle();
    expect(scene.flood.take().failures).toEqual([]);
  });
});

describe('edits', () => {
  test('[ADMIN-13] a policy that is changed is in force on every pod within 30 s, without a restart', async () => {
    const before = podsOf(scene).map((pod) => [pod.pid(), pod.restarts]);
    const opus = { value: valueOf('steady-2'), model: 'claude-opus-5-5' };
    const allowed = () => Promise.all(podsOf(scene).map(async (pod) => (await call(pod, opus)).status));
    expect(await allowed()).toEqual(everywhere(400));
    await scene.edit('Policy', 'everyone', { models: { allow: ['claude-*'], deny: [] } });
    await expect.poll(allowed, POLL).toEqual(everywhere(200));
    await scene.edit('Policy', 'everyone', { models: { allow: ['claude-*'], deny: ['claude-opus-*'] } });
    await expect.poll(allowed, POLL).toEqual(everywhere(400));
    // For a moment the flood's denied caller was right to be answered.
    await scene.settle();
    scene.flood.take();
    expect(podsOf(scene).map((pod) => [pod.pid(), pod.restarts])).toEqual(before);
  });

  test('[OPS-05] a Gateway that is edited wrong names the field, and the configuration before keeps serving', async () => {
    scene.flood.take();
    await scene.edit('Gateway', GATEWAY, { models: { entries: [{ id: MODEL, target: 'claude-opus-5-5' }] } });
    await expect
      .poll(() => condition('Gateway', GATEWAY, 'Accepted'), POLL)
      .toMatchObject({ status: 'False', message: expect.stringContaining('spec.models.entries') as string });
    // A pod that starts now has the last good one.
    const [pod] = podsOf(scene);
    process.kill(pod!.pid()!, 'SIGKILL');
    await expect.poll(() => scene.kubelet.pods().find(({ name }) => name === pod!.name)?.restarts, POLL).toBe(1);
    await expect.poll(() => podsOf(scene).length, POLL).toBe(2);
    await expect.poll(() => podsOf(scene).length, POLL).toBe(3);
    expect(await statusesOf(valueOf('steady-0'))).toEqual(everywhere(200));
    expect(await statusesOf(valueOf('revoked'))).toEqual(everywhere(401));
    await scene.edit('Gateway', GATEWAY, { models: { entries: [] } });
    await scene.settle();
    expect(scene.flood.take().failures.filter((failure) => failure.pod !== pod!.name)).toEqual([]);
  });
});

describe('two Gateways of two environments', () => {
  test('[TEN-09] [TEN-19] [AUTHZ-24] the keys of one are refused by the other, whatever they are called', async () => {
    await scene.apply(keyManifest('shared', GATEWAY, 'prod'));
    await scene.settle();
    expect(await statusesOf(keyOf('shared', 'prod'))).toEqual(everywhere(200));
    expect(await statusesOf(keyOf('shared', 'dev'))).toEqual(everywhere(401));
    await expect.poll(() => onDev('shared', 'dev'), POLL).toEqual([200, 200]);
    expect(await onDev('shared', 'prod')).toEqual([401, 401]);
    await scene.apply(keyManifest('foreign', GATEWAY, 'dev'));
    await expect
      .poll(() => condition('VirtualKey', 'foreign', 'Accepted'), POLL)
      .toMatchObject({ status: 'False', reason: 'EnvironmentMismatch' });
    const refused = await statusesOf(keyOf('foreign', 'dev'));
    expect(refused.every((status) => status === 401 || status === 403)).toBe(true);
    await scene.kubectl('delete', 'virtualkey', 'foreign');
  });

  test('[ROUTE-21] [ERR-10] one that is paused answers 503 with a text while its Service stays, and the other never notices', async () => {
    scene.flood.take();
    const pause = (paused: boolean) =>
      scene.plane.admin.patch(RESOURCE.Gateway, { namespace: DEV.namespace, name: DEV.gateway }, { spec: { paused } });
    await pause(true);
    await expect.poll(() => onDev('shared', 'dev'), POLL).toEqual([503, 503]);
    const { text } = await call(devPods()[0]!, { value: keyOf('shared', 'dev'), model: MODEL });
    expect(text).toContain('this gateway is paused by its platform team');
    const status = () =>
      scene.kubectl(
        'get',
        '--namespace',
        DEV.namespace,
        'pgw',
        DEV.gateway,
        '-o',
        'jsonpath={.status.conditions[?(@.type=="Ready")].reason}',
      );
    await expect.poll(status, POLL).toBe('Paused');
    expect(await scene.kubectl('get', '--namespace', DEV.namespace, 'service', '-o', 'name')).toContain(
      `service/${DEV.gateway}`,
    );
    expect(devPods().map(({ ready }) => ready)).toEqual([true, true]);
    await pause(false);
    await expect.poll(() => onDev('shared', 'dev'), POLL).toEqual([200, 200]);
    await expect.poll(status, POLL).not.toBe('Paused');
    expect(scene.flood.take().failures).toEqual([]);
  });

  test('[OPS-25] an image pinned on one rolls its pods alone', async () => {
    const images = async (namespace: string) =>
      scene.kubectl('get', '--namespace', namespace, 'pods', '-o', 'jsonpath={.items[*].spec.containers[*].image}');
    const before = podsOf(scene).map(({ name }) => name);
    const old = devPods().map(({ name }) => name);
    scene.flood.take();
    await scene.plane.admin.patch(
      RESOURCE.Gateway,
      { namespace: DEV.namespace, name: DEV.gateway },
      { spec: { deployment: { image: 'registry.test/portcullis:next' } } },
    );
    await expect
      .poll(() => images(DEV.namespace), { timeout: 60_000, interval: 200 })
      .toBe('registry.test/portcullis:next registry.test/portcullis:next');
    await expect.poll(() => devPods().length, POLL).toBe(2);
    expect(devPods().filter(({ name }) => old.includes(name))).toEqual([]);
    expect(await onDev('shared', 'dev')).toEqual([200, 200]);
    expect(podsOf(scene).map(({ name }) => name)).toEqual(before);
    expect(await images(scene.namespace)).not.toContain('next');
    await scene.settle();
    expect(scene.flood.take().failures).toEqual([]);
  }, 120_000);
});

const upstreamManifest = (name: string, gateway: string, url: string, priority: number): string => `
apiVersion: portcullis.dev/v1alpha1
kind: Upstream
metadata: {name: ${name}}
spec:
  gatewayRef: {name: ${gateway}}
  provider: Anthropic
  baseUrl: ${url}
  priority: ${priority}
  anthropic: {auth: {type: APIKey, apiKey: {name: anthropic, key: token}}}
`;

const keyManifest = (name: string, gateway: string, environment: string): string => `
apiVersion: v1
kind: Secret
metadata: {name: ${name}-value}
stringData: {value: ${keyOf(name, environment)}}
---
apiVersion: portcullis.dev/v1alpha1
kind: VirtualKey
metadata: {name: ${name}}
spec:
  gatewayRef: {name: ${gateway}}
  environment: ${environment}
  owner: {type: Service, name: ${name}}
  credential: {type: Imported, imported: {secretRef: {name: ${name}-value, key: value}}}
`;

const developmentManifest = (): string => `
apiVersion: v1
kind: Secret
metadata: {name: anthropic}
stringData: {token: sk-ant-dev}
---
apiVersion: portcullis.dev/v1alpha1
kind: Gateway
metadata: {name: ${DEV.gateway}}
spec: {publicUrl: "http://localhost:8080", environment: dev, listen: {timeouts: {drain: 10s}}, deployment: {replicas: 2}}
---
apiVersion: portcullis.dev/v1alpha1
kind: Policy
metadata: {name: everyone}
spec: {gatewayRef: {name: ${DEV.gateway}}, match: {everyone: {}}, models: {allow: ["claude-*"]}}
---${upstreamManifest('anthropic', DEV.gateway, second.url, 0)}---${keyManifest('shared', DEV.gateway, 'dev')}`;
