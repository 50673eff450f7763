// Somebody's hands on what Portcullis made, under a flood: parts, index, pepper, workloads, Leases and statuses altered or deleted, a pod killed,
// a Gateway deleted and made again. Calls never notice, and everything comes back as it was.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readIndex } from '#shared/bundle/index-text.ts';
import { INDEX_KEY, indexName, partName } from '#shared/bundle/publication.ts';
import { RESOURCE, type KubeObject, type ResourceType } from '#shared/kube/object.ts';
import type { ConfigMap, Lease, Secret } from '#shared/kube/types.ts';
import { call, type Failure } from '../harness/kubernetes/flood.ts';
import { GATEWAY, MODEL, podsOf, startScene, valueOf, type Scene } from '../harness/kubernetes/flood-scene.ts';
import { ourObjects } from '../harness/kubernetes/flood-state.ts';

const POLL = { timeout: 20_000, interval: 100 };
let scene: Scene;

beforeAll(async () => {
  scene = await startScene();
}, 180_000);

afterAll(() => scene?.close());

const at = (name: string) => ({ namespace: scene.namespace, name });
const get = <T extends KubeObject>(type: ResourceType, name: string) => scene.plane.admin.get<T>(type, at(name));
const version = async (type: ResourceType, name: string) =>
  (await scene.plane.admin.get(type, at(name)).catch(() => undefined))?.metadata.resourceVersion;
const slotOf = async (part: string) => {
  const index = await get<ConfigMap>(RESOURCE.ConfigMap, indexName(GATEWAY));
  return partName(GATEWAY, part, readIndex(index.data?.[INDEX_KEY] ?? '').parts[part]!.slot);
};

/** Patches an object by hand, waits until it is another than it was left, and until all has settled. */
async function mended(type: ResourceType, name: string, patch: object): Promise<void> {
  scene.flood.take();
  const { metadata } = await scene.plane.admin.patch(type, at(name), patch);
  await expect.poll(() => version(type, name), POLL).not.toBe(metadata.resourceVersion);
  await scene.settle();
}

/** What the flood saw since it was last asked, and sees in the next moment: nothing, if all is well. */
async function seen(excused: (failure: Failure) => boolean = () => false): Promise<readonly Failure[]> {
  await sleep(500);
  const { calls, failures } = scene.flood.take();
  expect(calls).toBeGreaterThan(10);
  return failures.filter((failure) => !excused(failure));
}

describe('[OPS-05] what is published', () => {
  test.each(['bundle', 'credentials', 'keys-00'])('part %s with other content is written anew', async (part) => {
    const [type, name] = [part === 'bundle' ? RESOURCE.ConfigMap : RESOURCE.Secret, await slotOf(part)];
    const garbage = Buffer.from('not what it was').toString('base64');
    const data = { 'part.json.gz': garbage };
    scene.flood.take();
    await scene.plane.admin.patch(type, at(name), part === 'bundle' ? { binaryData: data } : { data });
    await expect.poll(() => slotOf(part), POLL).not.toBe(name);
    await scene.settle();
    expect(await seen()).toEqual([]);
  });

  test.each(['credentials', 'keys-00'])('part %s that is deleted is there again', async (part) => {
    const name = await slotOf(part);
    scene.flood.take();
    await scene.plane.admin.delete(RESOURCE.Secret, at(name));
    await scene.settle();
    expect(await seen()).toEqual([]);
    expect(await ourObjects(scene.plane)).toEqual(expect.arrayContaining([...scene.made]));
  });

  test.each([
    ['garbage', { [INDEX_KEY]: 'garbage' }],
    ['an index of a format to come', { [INDEX_KEY]: '{"format":2}' }],
    ['nothing', { [INDEX_KEY]: null }],
  ])('the index with %s is written anew, counting on', async (_, data) => {
    const name = indexName(GATEWAY);
    const before = readIndex((await get<ConfigMap>(RESOURCE.ConfigMap, name)).data?.[INDEX_KEY] ?? '').sequence;
    await mended(RESOURCE.ConfigMap, name, { data });
    const after = readIndex((await get<ConfigMap>(RESOURCE.ConfigMap, name)).data?.[INDEX_KEY] ?? '').sequence;
    expect(after).toBeGreaterThan(before);
    expect(await seen()).toEqual([]);
  });

  test('the index that is deleted is there again', async () => {
    scene.flood.take();
    await scene.plane.admin.delete(RESOURCE.ConfigMap, at(indexName(GATEWAY)));
    await scene.settle();
    expect(await seen()).toEqual([]);
  });

  test('the pepper that is deleted comes back the same, from what is published', async () => {
    const name = `${GATEWAY}-pepper`;
    const before = await get<Secret>(RESOURCE.Secret, name);
    scene.flood.take();
    await scene.plane.admin.delete(RESOURCE.Secret, at(name));
    await expect.poll(async () => (await get<Secret>(RESOURCE.Secret, name)).data, POLL).toEqual(before.data);
    await scene.settle();
    expect(await seen()).toEqual([]);
  });
});

describe('workloads', () => {
  test.each([
    ['Deployment', GATEWAY, { spec: { strategy: { rollingUpdate: { maxUnavailable: 3 } } } }],
    ['Service', GATEWAY, { spec: { ports: [{ name: 'http', port: 81, targetPort: 81 }] } }],
    ['Role', `${GATEWAY}-portcullis-data-plane`, { rules: [] }],
    ['PodDisruptionBudget', GATEWAY, { spec: { maxUnavailable: 3 } }],
  ] as const)('%s edited by hand is put right', async (kind, name, patch) => {
    const { spec, rules } = await get<KubeObject & { spec?: object; rules?: object }>(RESOURCE[kind], name);
    await mended(RESOURCE[kind], name, patch);
    await expect
      .poll(() => get(RESOURCE[kind], name), POLL)
      .toMatchObject({ ...(spec && { spec }), ...(rules && { rules }) });
    expect(await seen()).toEqual([]);
  });

  test.each([
    ['Service', GATEWAY],
    ['Role', `${GATEWAY}-portcullis-data-plane`],
    ['RoleBinding', `${GATEWAY}-portcullis-data-plane`],
    ['PodDisruptionBudget', GATEWAY],
  ] as const)('%s deleted by hand is there again', async (kind, name) => {
    scene.flood.take();
    const { uid } = (await get(RESOURCE[kind], name)).metadata;
    await scene.plane.admin.delete(RESOURCE[kind], at(name));
    await expect
      .poll(async () => (await get(RESOURCE[kind], name).catch(() => undefined))?.metadata.uid, POLL)
      .toEqual(expect.any(String));
    expect((await get(RESOURCE[kind], name)).metadata.uid).not.toBe(uid);
    await scene.settle();
    expect(await seen()).toEqual([]);
  });
});

describe('reports', () => {
  test('a Lease of a pod that is deleted is written anew, and nothing else happens', async () => {
    const [pod] = podsOf(scene);
    scene.flood.take();
    await scene.plane.admin.delete(RESOURCE.Lease, at(`${GATEWAY}-${pod!.name}`));
    await expect.poll(() => version(RESOURCE.Lease, `${GATEWAY}-${pod!.name}`), POLL).toEqual(expect.any(String));
    await scene.settle();
    expect(await seen()).toEqual([]);
    const lease = await get<Lease>(RESOURCE.Lease, `${GATEWAY}-${pod!.name}`);
    expect(lease.metadata.ownerReferences).toMatchObject([{ kind: 'Pod', name: pod!.name }]);
  });

  test.each([
    ['VirtualKey', 'steady-3'],
    ['Policy', 'everyone'],
    ['Gateway', GATEWAY],
  ] as const)('the status of a %s edited by hand says the truth again', async (kind, name) => {
    const type = RESOURCE[kind];
    const before = await get<KubeObject & { status?: { conditions: { type: string }[] } }>(type, name);
    const conditions = before.status?.conditions.map((each) =>
      each.type === 'Programmed' ? { ...each, status: 'False', reason: 'ByHand', message: 'a lie' } : each,
    );
    const plural = `/apis/portcullis.dev/v1alpha1/namespaces/${scene.namespace}/${type.plural}/${name}/status`;
    await scene.plane.raw.send('PUT', plural, { ...before, status: { ...before.status, conditions } });
    await scene.settle({ withinMs: 15_000 });
    const after = await get<typeof before>(type, name);
    expect(after.status?.conditions.find(({ type: each }) => each === 'Programmed')).toMatchObject({ status: 'True' });
  });
});

test('a pod that is killed takes its own calls with it and no other, and the next one serves what is in force', async () => {
  const [pod] = podsOf(scene);
  scene.flood.take();
  process.kill(pod!.pid()!, 'SIGKILL');
  await expect.poll(() => scene.kubelet.pods().find(({ name }) => name === pod!.name)?.restarts, POLL).toBe(1);
  await expect.poll(() => podsOf(scene).length, POLL).toBe(2);
  await scene.settle();
  const again = podsOf(scene).find(({ name }) => name === pod!.name);
  for (const [name, status] of Object.entries({ 'steady-0': 200, disabled: 403, revoked: 401 })) {
    expect((await call(again!, { value: valueOf(name), model: MODEL })).status).toBe(status);
  }
  expect(
    await seen(
      (failure) => failure.pod === pod!.name && /ECONNRESET|ECONNREFUSED|socket hang up|aborted/.test(failure.what),
    ),
  ).toEqual([]);
});

test('a Gateway that is deleted takes all it owns along, and one of the same name serves every key again, generated ones included', async () => {
  const old = (await scene.secret('made-key', 'token')) ?? '';
  await expect
    .poll(
      () => Promise.all(podsOf(scene).map(async (pod) => (await call(pod, { value: old, model: MODEL })).status)),
      POLL,
    )
    .toEqual([200, 200, 200]);
  const { metadata, spec } = await get<KubeObject & { spec: object }>(RESOURCE.Gateway, GATEWAY);
  await scene.flood.stop();
  await scene.plane.admin.delete(RESOURCE.Gateway, at(GATEWAY));
  await scene.plane.admin.create(RESOURCE.Gateway, {
    metadata: { namespace: metadata.namespace, name: GATEWAY },
    spec,
  } as KubeObject);
  await scene.settle({ withinMs: 60_000, figures: true });
  const status = async (value: string) =>
    Promise.all(podsOf(scene).map(async (pod) => (await call(pod, { value, model: MODEL })).status));
  expect(await status(valueOf('steady-0'))).toEqual([200, 200, 200]);
  expect(await status(valueOf('revoked'))).toEqual([401, 401, 401]);
  const generated = async () => (await scene.secret('made-key', 'token')) ?? '';
  await expect.poll(async () => status(await generated()), POLL).toEqual([200, 200, 200]);
  await expect.poll(() => ourObjects(scene.plane), { timeout: 60_000, interval: 300 }).toEqual(scene.made);
  const owners = JSON.parse(
    await scene.kubectl(
      'get',
      'secrets,configmaps,services,deployments,roles',
      '-l',
      'app.kubernetes.io/managed-by=portcullis',
      '-o',
      'json',
    ),
  ) as { items: KubeObject[] };
  const { uid } = (await get(RESOURCE.Gateway, GATEWAY)).metadata;
  const foreign = owners.items.filter(({ metadata: { ownerReferences } }) =>
    ownerReferences?.some((owner) => owner.kind === 'Gateway' && owner.uid !== uid),
  );
  expect(foreign.map(({ metadata: { name } }) => name)).toEqual([]);
}, 150_000);
