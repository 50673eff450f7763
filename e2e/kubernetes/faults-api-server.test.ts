// The API server away, killed again and again, and losing its history, under a flood with open streams: traffic never notices, what was edited
// meanwhile is in force as soon as it is back, and the programs hold no more connections than before. FAULTS_SECONDS is how long it is away.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RESOURCE } from '#shared/kube/object.ts';
import { call } from '../harness/kubernetes/flood.ts';
import { GATEWAY, MODEL, podsOf, startScene, valueOf, type Scene } from '../harness/kubernetes/flood-scene.ts';
import { connectionsTo, ourObjects } from '../harness/kubernetes/flood-state.ts';

const AWAY_MS = Number(process.env['FAULTS_SECONDS'] ?? 20) * 1_000;
const RESTARTS = 4;
const POLL = { timeout: 30_000, interval: 50 };
let scene: Scene;

beforeAll(async () => {
  // Two seconds of history: whoever stays away for longer has to list again.
  scene = await startScene({ controlPlane: { compaction: '2s', apiServerFlags: ['--min-request-timeout=5'] } });
}, 180_000);

afterAll(() => scene?.close());

/** Starts operators that have ended, as a Deployment would. */
function restartOperators(): void {
  for (const operator of scene.operators) if (operator.pid === undefined) operator.start();
}

const statuses = (name: string) =>
  Promise.all(podsOf(scene).map(async (pod) => (await call(pod, { value: valueOf(name), model: MODEL })).status));

/** Edits a key and waits for every pod to obey, which proves that everything between kubectl and a pod works again. */
async function proveAlive(name: string): Promise<void> {
  await scene.edit('VirtualKey', name, { state: 'Disabled' });
  await expect.poll(() => statuses(name), POLL).toEqual([403, 403, 403]);
  await scene.settle();
}

/** Connections to the API server by process: the pods, and operators that have not been started anew. */
async function connections(): Promise<Map<string, number>> {
  const processes = [
    ...podsOf(scene).map((pod) => [pod.name, pod.pid()] as const),
    ...scene.operators.map(({ name, pid }) => [name, pid] as const),
  ];
  const counted = processes.map(async ([name, pid = 0]) => [name, await connectionsTo(pid, scene.plane.url)] as const);
  return new Map(await Promise.all(counted));
}

test(
  '[OPS-22] the API server is away: no call fails, no answer is wrong, and an edit at its return is in force',
  async () => {
    const pids = podsOf(scene).map((pod) => pod.pid());
    scene.flood.take();
    await scene.plane.stop('kube-apiserver', 'SIGKILL');
    await sleep(AWAY_MS);
    const { calls, streams, failures } = scene.flood.take();
    expect(failures).toEqual([]);
    expect(calls).toBeGreaterThan(AWAY_MS / 50);
    expect(streams).toBeGreaterThan(0);
    await scene.plane.start('kube-apiserver');
    restartOperators();
    await proveAlive('steady-10');
    expect(scene.flood.take().failures).toEqual([]);
    expect(podsOf(scene).map((pod) => pod.pid())).toEqual(pids);
  },
  90_000 + AWAY_MS,
);

test('[OPS-22] killed at random again and again, while its history is compacted: keys edited in between are all in force, nothing leaks', async () => {
  const before = await connections();
  const pids = scene.operators.map(({ pid }) => pid);
  scene.flood.take();
  for (let round = 0; round < RESTARTS; round++) {
    const name = `steady-${11 + round}`;
    const edited = scene.edit('VirtualKey', name, { state: 'Disabled' });
    await sleep(Math.random() * 800);
    await scene.plane.stop('kube-apiserver', 'SIGKILL');
    await edited.catch(() => undefined);
    await sleep(500 + Math.random() * 3_000);
    await scene.plane.start('kube-apiserver');
    restartOperators();
    await scene.edit('VirtualKey', name, { state: 'Disabled' });
  }
  for (let round = 0; round < RESTARTS; round++) {
    await expect.poll(() => statuses(`steady-${11 + round}`), POLL).toEqual([403, 403, 403]);
  }
  await proveAlive('steady-20');
  await scene.settle({ figures: true });
  expect(scene.flood.take().failures).toEqual([]);
  expect(await ourObjects(scene.plane)).toEqual(scene.made);
  const stayed = new Set(scene.operators.filter(({ pid }, at) => pid === pids[at]).map(({ name }) => name));
  const grown = async () =>
    [...(await connections())].filter(
      ([name, count]) => (stayed.has(name) || name.startsWith(GATEWAY)) && count > (before.get(name) ?? 0) + 2,
    );
  await expect.poll(grown, POLL).toEqual([]);
}, 120_000);

test('etcd is compacted while an operator is frozen: it lists again and misses nothing', async () => {
  const leader = await scene.leader();
  const standby = scene.operators.find(({ name }) => name !== leader.name)!;
  scene.flood.take();
  process.kill(standby.pid!, 'SIGSTOP');
  try {
    // More than one compaction passes, over writes that the frozen one has not read.
    for (let step = 0; step < 6; step++) {
      await scene.edit('VirtualKey', 'steady-21', { state: step % 2 === 0 ? 'Disabled' : 'Active' });
      await sleep(1_000);
    }
    await scene.edit('VirtualKey', 'steady-22', { state: 'Disabled' });
  } finally {
    process.kill(standby.pid!, 'SIGCONT');
  }
  // From here on it is the only one that can do the work.
  await leader.kill('SIGKILL');
  await scene.edit('VirtualKey', 'steady-23', { state: 'Disabled' });
  await expect.poll(() => statuses('steady-23'), POLL).toEqual([403, 403, 403]);
  expect(await statuses('steady-22')).toEqual([403, 403, 403]);
  leader.start();
  await scene.settle();
  expect(scene.flood.take().failures).toEqual([]);
  const state = await scene.plane.admin.get(RESOURCE.VirtualKey, { namespace: scene.namespace, name: 'steady-21' });
  expect(state).toMatchObject({ spec: { state: 'Active' } });
  expect(await statuses('steady-21')).toEqual([200, 200, 200]);
}, 90_000);
