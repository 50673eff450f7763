// Pods under the service account and the Role that are shipped, and a real API server: boot, changes, revocations, faults, outages, drain.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INDEX_KEY, indexName } from '#shared/bundle/publication.ts';
import { isApiError } from '#shared/kube/client.ts';
import { GATEWAY_LABEL, LOAD_FAULT_ANNOTATION } from '#shared/kube/labels.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import type { ConfigMap, Secret } from '#shared/kube/types.ts';
import { startControlPlane, uniqueName } from '../harness/kubernetes/control-plane.ts';
import { applyCrds } from '../harness/kubernetes/crds.ts';
import type { RunningPod } from '../harness/kubernetes/mini-kubelet.ts';
import { startMockAnthropic } from '../harness/mock-anthropic.ts';
import { basicResources, CI_KEY, importedKey, policy, withObjects, type Resources } from '../harness/resources.ts';
import { GATEWAY, loadedOf, startGatewayPods, urlOf, type GatewayPods } from './gateway-pods.ts';

const REPLICAS = 2;
const OTHER_KEY = 'other-0123456789-abcdefghijklmnop-QRSTUVWX';
const BODY = { model: 'claude-haiku-5-5', max_tokens: 1, messages: [] };
const WAIT = { timeout: 20_000, interval: 25 };

const plane = await startControlPlane();
const mock = await startMockAnthropic();
const namespace = uniqueName('source');
let pods: GatewayPods;

beforeAll(async () => {
  await applyCrds(plane);
  await plane.admin.create(RESOURCE.Namespace, { metadata: { name: namespace, namespace: '' } });
  pods = await startGatewayPods(plane, namespace, { deployment: { replicas: REPLICAS, drainDelay: '1s' } });
});
afterAll(async () => {
  await pods?.close();
  await mock.close();
  await plane.down();
});

/** Two keys, and a policy that lets them use these models. */
function resources(allow = ['claude-*'], other: Record<string, unknown> = {}): Resources {
  return withObjects(
    basicResources(mock.url),
    [policy('everyone', { match: { everyone: {} }, models: { allow } }), importedKey('other', other)],
    { 'default/keys': { other: OTHER_KEY } },
  );
}

async function send(pod: RunningPod, key = CI_KEY, body: object = BODY): Promise<Response> {
  return fetch(`${urlOf(pod)}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

const statusOf = async (pod: RunningPod, key?: string): Promise<number> => {
  const response = await send(pod, key);
  await response.arrayBuffer();
  return response.status;
};

const discovery = async (pod: RunningPod): Promise<number> =>
  (await fetch(`${urlOf(pod)}/.well-known/oauth-authorization-server`)).status;

/** Statuses that all ready pods give now. */
const statuses = async (key?: string): Promise<number[]> => Promise.all(pods.ready().map((pod) => statusOf(pod, key)));

const loaded = async (): Promise<number[]> => {
  const leases = await pods.leases();
  return pods.kubelet.pods().map(({ name }) => loadedOf(leases.get(name)));
};

const allReady = async (): Promise<void> => {
  await expect.poll(() => pods.ready().length, WAIT).toBe(REPLICAS);
};

/** Calls to every pod, without pause, until told to stop. @returns how many failed, of how many */
function load(): () => Promise<{ readonly failed: readonly string[]; readonly calls: number }> {
  const stopping = new AbortController();
  let calls = 0;
  const failed: string[] = [];
  const loops = pods.ready().map(async (pod) => {
    while (!stopping.signal.aborted) {
      calls++;
      const status = await statusOf(pod).catch((error: Error) => `${error.message}: ${String(error.cause)}`);
      if (status !== 200) failed.push(String(status));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  return async () => {
    stopping.abort();
    await Promise.all(loops);
    return { failed, calls };
  };
}

test('[OPS-04] [OPS-16] without a configuration a pod waits, is not ready and says what is missing, in its log and in its Lease', async () => {
  await expect.poll(() => pods.kubelet.pods().length, WAIT).toBe(REPLICAS);
  for (const pod of pods.kubelet.pods()) {
    await expect
      .poll(() => pod.log(), WAIT)
      .toMatch(/no configuration yet, so no listener\. API server: ConfigMap claude-index does not exist/);
    expect(pod).toMatchObject({ ready: false, restarts: 0 });
    await expect(send(pod)).rejects.toThrow('fetch failed');
    await expect(discovery(pod)).rejects.toThrow('fetch failed');
    const lease = (await pods.leases()).get(pod.name);
    expect(lease?.metadata.name).toBe(`${GATEWAY}-${pod.name}`);
    expect(lease?.metadata.annotations?.[LOAD_FAULT_ANNOTATION]).toMatch(/^no_index: /);
    expect(lease?.metadata.ownerReferences).toMatchObject([{ kind: 'Pod', name: pod.name, uid: pod.uid }]);
  }
});

test('[OPS-06] [OPS-16] [AUDIT-23] with the first publication they serve, and say which one', async () => {
  const { sequence, revision } = await pods.publish(resources());
  await allReady();
  expect(await statuses()).toEqual([200, 200]);
  expect(await Promise.all(pods.ready().map(discovery))).toEqual([200, 200]);
  await expect.poll(loaded, WAIT).toEqual([sequence, sequence]);
  for (const pod of pods.ready()) {
    const line = pod
      .log()
      .split('\n')
      .find((each) => each.includes('config.load'));
    expect(JSON.parse(line!)).toMatchObject({
      event: 'config.load',
      gateway: `${namespace}/${GATEWAY}`,
      source: 'api',
      path: indexName(GATEWAY),
      revision,
      sequence,
      writer: '0.0.0-test',
      keys: 2,
    });
  }
});

describe('the Role of the pods', () => {
  test.each<[string, (client: Awaited<ReturnType<typeof plane.clientAs>>) => Promise<unknown>]>([
    ['another Secret', (client) => client.get(RESOURCE.Secret, { namespace, name: 'another' })],
    ['the pepper', (client) => client.get(RESOURCE.Secret, { namespace, name: `${GATEWAY}-pepper` })],
    ['the tombstones', (client) => client.get(RESOURCE.Secret, { namespace, name: `${GATEWAY}-tombstones` })],
    ['a list of Secrets', (client) => client.list(RESOURCE.Secret, { namespace }, {})],
    [
      'a list of Secrets by a label of ours',
      (client) => client.list(RESOURCE.Secret, { namespace, labelSelector: `${GATEWAY_LABEL}=${GATEWAY}` }, {}),
    ],
    [
      'a watch of its own Secrets',
      async (client) => {
        const query = { namespace, fieldSelector: `metadata.name=${GATEWAY}-credentials-a` };
        for await (const _event of client.watch(RESOURCE.Secret, query, '0', AbortSignal.timeout(5_000))) return;
      },
    ],
    ['another ConfigMap', (client) => client.get(RESOURCE.ConfigMap, { namespace, name: 'kube-root-ca.crt' })],
    ['all ConfigMaps', (client) => client.list(RESOURCE.ConfigMap, { namespace }, {})],
    ['the Leases of others', (client) => client.list(RESOURCE.Lease, { namespace }, {})],
    [
      'to write its configuration',
      (client) => client.patch(RESOURCE.ConfigMap, { namespace, name: indexName(GATEWAY) }, { data: {} }),
    ],
    ['the four kinds', (client) => client.list(RESOURCE.VirtualKey, { namespace }, {})],
  ])('does not let them have %s', async (_name, attempt) => {
    const another = { metadata: { namespace, name: 'another' }, stringData: { token: 'planted' } };
    await plane.admin.apply(RESOURCE.Secret, another, { fieldManager: 'test' });
    const client = await plane.clientAs(namespace, pods.serviceAccount);
    const error = await attempt(client).catch((refused: unknown) => refused);
    expect(isApiError(error, 403)).toBe(true);
    expect((error as Error).message).toContain(`system:serviceaccount:${namespace}:${pods.serviceAccount}`);
    await client.close();
  });
});

test('[AUTHZ-23] [OPS-06] a changed policy is in force on every pod within 5 s, and no call fails meanwhile', async () => {
  const latencies: number[] = [];
  const stop = load();
  const until = performance.now() + 3_000;
  for (let i = 0; performance.now() < until; i++) {
    const denied = i % 2 === 0;
    const started = performance.now();
    await pods.publish(resources(denied ? ['claude-haiku-*'] : ['claude-*']));
    const opus = { ...BODY, model: 'claude-opus-5-5' };
    await expect
      .poll(async () => Promise.all(pods.ready().map(async (pod) => (await send(pod, CI_KEY, opus)).status)), {
        timeout: 5_000,
        interval: 5,
      })
      .toEqual(denied ? [400, 400] : [200, 200]);
    latencies.push(performance.now() - started);
  }
  const { failed, calls } = await stop();
  expect(failed).toEqual([]);
  expect(calls).toBeGreaterThan(50);
  const [middle, worst] = [latencies.sort((a, b) => a - b)[latencies.length >> 1], latencies.at(-1)];
  console.log(
    `${latencies.length} edits, publish to in force on ${REPLICAS} pods: p50 ${middle} ms, worst ${worst} ms`,
  );
});

test('[ROUTE-24] a stream that runs keeps the configuration it began with', async () => {
  const [pod] = pods.ready();
  mock.behave(() => ({ kind: 'events', count: 20, gapMs: 50 }));
  const running = await send(pod!, CI_KEY, { ...BODY, stream: true });
  mock.behave(() => ({ kind: 'text' }));
  const { sequence } = await pods.publish(resources(['claude-opus-*']));
  await expect.poll(loaded, WAIT).toEqual([sequence, sequence]);
  expect(await statuses()).toEqual([400, 400]);
  expect(await running.text()).toMatch(/event: message_stop\ndata: .*\n\n$/);
  await pods.publish(resources());
  await expect.poll(() => statuses(), WAIT).toEqual([200, 200]);
});

test('[KEY-08] a revoked key is refused on every pod within 5 s, also when no part of the configuration can be had', async () => {
  expect(await statuses(OTHER_KEY)).toEqual([200, 200]);
  const role = { namespace, name: pods.serviceAccount };
  const before = await plane.admin.get<{ metadata: Secret['metadata']; rules: object[] }>(RESOURCE.Role, role);
  // Pods may see the index and nothing else.
  await plane.admin.patch(RESOURCE.Role, role, { rules: [before.rules[0], before.rules[3]] });
  const started = performance.now();
  await pods.publish(resources(['claude-*'], { state: 'Revoked' }));
  await expect.poll(() => statuses(OTHER_KEY), { timeout: 5_000, interval: 5 }).toEqual([401, 401]);
  console.log(`revoked on ${REPLICAS} pods after ${Math.round(performance.now() - started)} ms`);
  expect(await statuses()).toEqual([200, 200]);
  const faults = async (): Promise<(string | undefined)[]> =>
    [...(await pods.leases()).values()].map(({ metadata }) => metadata.annotations?.[LOAD_FAULT_ANNOTATION]);
  await expect
    .poll(faults, WAIT)
    .toEqual([
      expect.stringMatching(/^part_unavailable: part keys-00 cannot be had: .*forbidden/),
      expect.stringMatching(/^part_unavailable/),
    ]);
  await plane.admin.patch(RESOURCE.Role, role, { rules: before.rules });
  await expect.poll(faults, WAIT).toEqual([undefined, undefined]);
  expect(await statuses(OTHER_KEY)).toEqual([401, 401]);
});

test('[OPS-05] an index that names what is not there changes nothing, the Leases tell, and it is mended', async () => {
  const at = { namespace, name: indexName(GATEWAY) };
  const index = await plane.admin.get<ConfigMap>(RESOURCE.ConfigMap, at);
  const stop = load();
  const text = index.data![INDEX_KEY]!;
  const { sequence } = JSON.parse(text) as { sequence: number };
  const wrong = text
    .replace(/"bundle":\{"sha256":"[0-9a-f]{8}/, '"bundle":{"sha256":"00000000')
    .replace(`"sequence":${sequence}`, `"sequence":${sequence + 1}`);
  expect(wrong).not.toBe(text);
  await plane.admin.patch(RESOURCE.ConfigMap, at, { data: { [INDEX_KEY]: wrong } });
  const faults = async (): Promise<(string | undefined)[]> =>
    [...(await pods.leases()).values()].map(({ metadata }) => metadata.annotations?.[LOAD_FAULT_ANNOTATION]);
  const fault = expect.stringMatching(/^bad_part: bundle: its content is not the one that the index names/) as string;
  await expect.poll(faults, WAIT).toEqual([fault, fault]);
  expect(await loaded()).toEqual([sequence, sequence]);
  await plane.admin.patch(RESOURCE.ConfigMap, at, { data: { [INDEX_KEY]: text } });
  await expect.poll(faults, WAIT).toEqual([undefined, undefined]);
  expect((await stop()).failed).toEqual([]);
});

test('[OPS-06] a pod that leaves gives its Lease up at once and finishes what runs; another takes its place', async () => {
  await allReady();
  const [pod] = pods.ready();
  mock.behave(() => ({ kind: 'events', count: 40, gapMs: 100 }));
  const running = await send(pod!, CI_KEY, { ...BODY, stream: true });
  mock.behave(() => ({ kind: 'text' }));
  await plane.admin.delete(RESOURCE.Pod, { namespace, name: pod!.name });
  const released = async (): Promise<number | undefined> =>
    (await pods.leases()).get(pod!.name)?.spec?.leaseDurationSeconds ?? undefined;
  await expect.poll(released, { timeout: 10_000, interval: 20 }).toBe(1);
  expect(await running.text()).toMatch(/event: message_stop\ndata: .*\n\n$/);
  await expect.poll(() => pods.kubelet.pods().some(({ uid }) => uid === pod!.uid), WAIT).toBe(false);
  await allReady();
});

describe('[OPS-22] while the API server is gone', () => {
  test('traffic goes on, a container that is started anew boots from its mounted files, and all catch up afterwards', async () => {
    const { sequence } = await pods.publish(resources());
    await expect.poll(loaded, WAIT).toEqual([sequence, sequence]);
    await pods.kubelet.syncVolumes();
    await plane.stop('kube-apiserver', 'SIGKILL');
    const stop = load();
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const { failed, calls } = await stop();
    expect(failed).toEqual([]);
    expect(calls).toBeGreaterThan(100);
    const [pod] = pods.ready();
    process.kill(pod!.pid()!, 'SIGKILL');
    const answers = (): Promise<number | string> => statusOf(pod!).catch((error: Error) => error.message);
    await expect.poll(() => pod!.restarts, WAIT).toBe(1);
    await expect.poll(answers, WAIT).toBe(200);
    expect(await statusOf(pod!, OTHER_KEY)).toBe(401);
    // Records leave together, some of them a moment later.
    const lastLoad = (): unknown => {
      const lines = pod!.log().split('\n');
      return JSON.parse(lines.findLast((each) => each.includes('config.load')) ?? '{}');
    };
    await expect.poll(lastLoad, WAIT).toMatchObject({ source: 'mount', sequence });
    await plane.start('kube-apiserver');
    const after = await pods.publish(resources(['claude-haiku-*']));
    await expect.poll(loaded, { ...WAIT, timeout: 40_000 }).toEqual([after.sequence, after.sequence]);
  });
});
