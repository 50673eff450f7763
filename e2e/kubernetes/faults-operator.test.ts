// Operators killed at any moment, frozen past their Lease, absent, and with a clock that is wrong, under a flood with open streams.
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readIndex } from '#shared/bundle/index-text.ts';
import { INDEX_KEY, indexName } from '#shared/bundle/publication.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import type { ConfigMap, Lease } from '#shared/kube/types.ts';
import { call } from '../harness/kubernetes/flood.ts';
import {
  GATEWAY,
  LEASE_SECONDS,
  MODEL,
  podsOf,
  startScene,
  valueOf,
  type Scene,
} from '../harness/kubernetes/flood-scene.ts';
import { ourObjects } from '../harness/kubernetes/flood-state.ts';

const SHIFT = fileURLToPath(new URL('../harness/kubernetes/flood-clock.ts', import.meta.url));
/** Each costs the time of a Lease. */
const KILLS = Number(process.env['FAULTS_KILLS'] ?? 4);
const POLL = { timeout: 30_000, interval: 50 };
let scene: Scene;

beforeAll(async () => {
  scene = await startScene();
}, 180_000);

afterAll(() => scene?.close());

const statuses = (value: string) =>
  Promise.all(podsOf(scene).map(async (pod) => (await call(pod, { value, model: MODEL })).status));
const sequence = async () => {
  const at = { namespace: scene.namespace, name: indexName(GATEWAY) };
  const { data } = await scene.plane.admin.get<ConfigMap>(RESOURCE.ConfigMap, at);
  return readIndex(data?.[INDEX_KEY] ?? '').sequence;
};
const rotate = (name: string, value: string) =>
  scene.plane.admin.patch(
    RESOURCE.VirtualKey,
    { namespace: scene.namespace, name },
    { metadata: { annotations: { 'portcullis.dev/rotate': value } } },
  );

test('[OPS-05] killed again and again while keys change and rotate: no call fails, every edit is in force, no key is lost', async () => {
  scene.flood.take();
  let newest = await sequence();
  const states = new Map<string, 'Active' | 'Disabled'>();
  for (let kill = 0; kill < KILLS; kill++) {
    const names = Array.from({ length: 4 }, (_, i) => `steady-${8 + ((kill * 4 + i) % 14)}`);
    await Promise.all(
      names.map(async (name) => {
        const state = states.get(name) === 'Disabled' ? 'Active' : 'Disabled';
        states.set(name, state);
        await scene.edit('VirtualKey', name, { state });
      }),
    );
    await rotate('made', `kill-${kill}`);
    // From its first look at what is there until after all is written.
    const leader = await scene.leader();
    await sleep(Math.random() * 300);
    await leader.kill('SIGKILL');
    leader.start();
    const now = await sequence();
    expect(now).toBeGreaterThanOrEqual(newest);
    newest = now;
  }
  await scene.settle({ withinMs: 60_000, figures: true });
  for (const [name, state] of states) {
    const expected = state === 'Active' ? 200 : 403;
    await expect.poll(() => statuses(valueOf(name)), POLL).toEqual([expected, expected, expected]);
  }
  await expect
    .poll(async () => statuses((await scene.secret('made-key', 'token')) ?? ''), POLL)
    .toEqual([200, 200, 200]);
  expect(scene.flood.take().failures).toEqual([]);
  expect(await ourObjects(scene.plane)).toEqual(scene.made);
}, 150_000);

test('a leader that is frozen past its Lease ends itself when it goes on, and overwrites nothing', async () => {
  const frozen = await scene.leader();
  scene.flood.take();
  await scene.edit('VirtualKey', 'steady-22', { state: 'Disabled' });
  process.kill(frozen.pid!, 'SIGSTOP');
  await expect
    .poll(async () => (await scene.leader()).name, { timeout: 4_000 * LEASE_SECONDS, interval: 100 })
    .not.toBe(frozen.name);
  await scene.edit('VirtualKey', 'steady-22', { state: 'Active' });
  await scene.edit('VirtualKey', 'steady-23', { state: 'Revoked' });
  await expect.poll(() => statuses(valueOf('steady-23')), POLL).toEqual([401, 401, 401]);
  // With figures: the new leader may write nothing more either.
  await scene.settle({ figures: true });
  const [before, writes] = [await sequence(), await resourceVersions()];
  process.kill(frozen.pid!, 'SIGCONT');
  await expect.poll(() => frozen.pid, POLL).toBeUndefined();
  expect(frozen.log()).toContain('leadership is lost');
  expect(await sequence()).toBe(before);
  expect(await resourceVersions()).toEqual(writes);
  expect(await statuses(valueOf('steady-22'))).toEqual([200, 200, 200]);
  expect(await statuses(valueOf('steady-23'))).toEqual([401, 401, 401]);
  frozen.start();
  await scene.settle();
  expect(scene.flood.take().failures).toEqual([]);
}, 90_000);

test('[OPS-22] without any operator calls go on, and what was edited meanwhile is in force when one is back', async () => {
  scene.flood.take();
  for (const operator of scene.operators) await operator.kill('SIGKILL');
  await scene.edit('VirtualKey', 'steady-21', { state: 'Disabled' });
  await scene.plane.admin.delete(RESOURCE.VirtualKey, { namespace: scene.namespace, name: 'steady-20' });
  await sleep(5_000);
  const { calls, failures } = scene.flood.take();
  expect(failures).toEqual([]);
  expect(calls).toBeGreaterThan(50);
  for (const operator of scene.operators) operator.start();
  await expect.poll(() => statuses(valueOf('steady-21')), POLL).toEqual([403, 403, 403]);
  await expect.poll(() => statuses(valueOf('steady-20')), POLL).toEqual([401, 401, 401]);
  await scene.settle();
  expect(scene.flood.take().failures).toEqual([]);
});

test.each([
  ['[KEY-02] an operator whose clock is an hour ahead', 3_600_000],
  ['an operator whose clock is an hour behind', -3_600_000],
])(
  '%s takes over: sequences count up, edits are in force, a key rotates when it is due, nobody is refused',
  async (_, shift) => {
    await scene.apply(scheduledKey());
    await scene.settle();
    const token = async () => (await scene.secret('scheduled-key', 'token')) ?? '';
    const first = await token();
    expect(await statuses(first)).toEqual([200, 200, 200]);
    scene.flood.take();
    const leader = await scene.leader();
    const other = scene.operators.find(({ name }) => name !== leader.name)!;
    const warm = () => other.log().split('caches are filled').length;
    const starts = warm();
    await other.kill('SIGTERM');
    other.start({ NODE_OPTIONS: `--import ${SHIFT}`, FLOOD_CLOCK_SHIFT_MS: String(shift) });
    await expect.poll(warm, POLL).toBe(starts + 1);
    const before = await sequence();
    await leader.kill('SIGKILL');
    await expect.poll(async () => (await scene.leader()).name, POLL).toBe(other.name);
    leader.start();
    await scene.edit('VirtualKey', 'steady-19', { state: 'Disabled' });
    await expect.poll(() => statuses(valueOf('steady-19')), POLL).toEqual([403, 403, 403]);
    await scene.edit('VirtualKey', 'steady-19', { state: 'Active' });
    await expect.poll(() => statuses(valueOf('steady-19')), POLL).toEqual([200, 200, 200]);
    expect(await sequence()).toBeGreaterThan(before);
    await expect.poll(async () => (await token()) !== first, POLL).toBe(shift > 0);
    for (const good of [first, await token()]) expect(await statuses(good)).toEqual([200, 200, 200]);
    await scene.settle();
    // It keeps the Lease: nobody reads another's clock.
    const { leaseTransitions } = (await leaderLease()).spec!;
    await sleep(LEASE_SECONDS * 1_500);
    expect((await scene.leader()).name).toBe(other.name);
    expect((await leaderLease()).spec).toMatchObject({ leaseTransitions });
    await other.kill('SIGTERM');
    other.start();
    await scene.kubectl('delete', 'virtualkey', 'scheduled');
    await expect.poll(() => scene.secret('scheduled-key', 'token'), POLL).toBeUndefined();
    expect(scene.flood.take().failures).toEqual([]);
  },
  90_000,
);

const leaderLease = () =>
  scene.plane.admin.get<Lease>(RESOURCE.Lease, { namespace: 'portcullis-system', name: 'portcullis-operator' });

/** A key that is due within the hour that a clock is wrong by. */
const scheduledKey = (): string => `
apiVersion: portcullis.dev/v1alpha1
kind: VirtualKey
metadata: {name: scheduled}
spec:
  gatewayRef: {name: ${GATEWAY}}
  owner: {type: Service, name: scheduled}
  credential: {type: Generated, generated: {secretName: scheduled-key}}
  rotation: {every: 50m, automatic: true, grace: 30m}
`;

/** Of everything an operator writes but Upstreams, whose statuses follow what the pods report of providers. */
async function resourceVersions(): Promise<Record<string, string>> {
  const kinds = ['gateways', 'policies', 'virtualkeys', 'configmaps', 'secrets', 'services', 'roles'];
  const list = JSON.parse(await scene.kubectl('get', kinds.join(','), '-o', 'json')) as {
    items: { kind: string; metadata: { name: string; resourceVersion: string } }[];
  };
  // A key that was rotated: that its old value is still in use, its status says many seconds late.
  const items = list.items.filter(({ metadata }) => metadata.name !== 'made');
  return Object.fromEntries(items.map(({ kind, metadata }) => [`${kind} ${metadata.name}`, metadata.resourceVersion]));
}
