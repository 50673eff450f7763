// What goes wrong once a round. Faults that end a process belong to the first part of a soak: memory is compared between moments of one process.
import { setTimeout as sleep } from 'node:timers/promises';
import { readIndex } from '#shared/bundle/index-text.ts';
import { INDEX_KEY, indexName, PART_KEY, partName } from '#shared/bundle/publication.ts';
import { RESOURCE, type ResourceType } from '#shared/kube/object.ts';
import type { ConfigMap } from '#shared/kube/types.ts';
import { GATEWAY, podsOf, type Scene } from '../../harness/kubernetes/flood-scene.ts';
import type { OperatorProcess } from '../../harness/kubernetes/installation.ts';
import type { Stage } from './stage.ts';

export interface Fault {
  readonly name: string;
  /** Whether a process ends of it. */
  readonly ends: boolean;
  /** Resolves when it is over, though not what follows from it. */
  bring(stage: Stage): Promise<void>;
}

/** Well within the time for which a leader may be silent. */
const AWAY_MS = 3_000;
/** Longer than the history that is kept. */
const FROZEN_MS = 5_000;
const GARBAGE = Buffer.from('not what it was').toString('base64');

/** In turn, those that end a process among the others. */
export const FAULTS: readonly Fault[] = [
  passing('connections are reset', async ({ proxy }) => proxy.reset()),
  ending('leader killed', async ({ scene }) => (await scene.leader()).kill('SIGKILL')),
  passing('parts spoilt and deleted', spoilParts),
  ending('pod killed', async ({ scene, killed }) => {
    const [pod] = podsOf(scene);
    killed.add(pod!.name);
    process.kill(pod!.pid()!, 'SIGKILL');
  }),
  passing('API server killed', async ({ scene }) => {
    await scene.plane.stop('kube-apiserver', 'SIGKILL');
    await scene.plane.start('kube-apiserver');
  }),
  ending('leader frozen past its Lease', freezeLeader),
  passing('standby frozen, history gone', async ({ scene }) => {
    const { pid } = await standbyOf(scene);
    await frozen(pid!, () => sleep(FROZEN_MS));
  }),
  ending('standby killed', async ({ scene }) => (await standbyOf(scene)).kill('SIGKILL')),
  passing('connections stand still', async ({ proxy }) => {
    proxy.freeze();
    await sleep(AWAY_MS);
    proxy.thaw();
  }),
  passing('index spoilt, pepper deleted', async ({ scene }) => {
    await patch(scene, RESOURCE.ConfigMap, indexName(GATEWAY), { data: { [INDEX_KEY]: 'garbage' } });
    await remove(scene, RESOURCE.Secret, `${GATEWAY}-pepper`);
  }),
  passing('API server out of reach', async ({ proxy }) => {
    proxy.refuse();
    proxy.reset();
    await sleep(AWAY_MS);
    proxy.admit();
  }),
  passing('workloads and Leases deleted', async ({ scene }) => {
    await remove(scene, RESOURCE.Service, GATEWAY);
    await remove(scene, RESOURCE.PodDisruptionBudget, GATEWAY);
    await remove(scene, RESOURCE.RoleBinding, `${GATEWAY}-portcullis-data-plane`);
    for (const { name } of podsOf(scene)) await remove(scene, RESOURCE.Lease, `${GATEWAY}-${name}`);
  }),
];

function passing(name: string, bring: Fault['bring']): Fault {
  return { name, ends: false, bring };
}

function ending(name: string, bring: Fault['bring']): Fault {
  return { name, ends: true, bring };
}

async function standbyOf(scene: Scene): Promise<OperatorProcess> {
  const leader = await scene.leader();
  return scene.operators.find(({ name }) => name !== leader.name)!;
}

async function freezeLeader({ scene }: Stage): Promise<void> {
  const leader = await scene.leader();
  const { pid } = leader;
  await frozen(pid!, async () => {
    while ((await scene.leader()).name === leader.name) await sleep(100);
  });
  // It finds out that it leads no more, and ends.
  while (leader.pid === pid) await sleep(100);
}

async function frozen(pid: number, meanwhile: () => Promise<unknown>): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  try {
    await meanwhile();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

async function spoilParts({ scene }: Stage): Promise<void> {
  const { namespace, plane } = scene;
  const at = { namespace, name: indexName(GATEWAY) };
  const { data } = await plane.admin.get<ConfigMap>(RESOURCE.ConfigMap, at);
  const { parts } = readIndex(data?.[INDEX_KEY] ?? '');
  const nameOf = (part: string): string => partName(GATEWAY, part, parts[part]!.slot);
  await patch(scene, RESOURCE.ConfigMap, nameOf('bundle'), { binaryData: { [PART_KEY]: GARBAGE } });
  await patch(scene, RESOURCE.Secret, nameOf('credentials'), { data: { [PART_KEY]: GARBAGE } });
  await remove(scene, RESOURCE.Secret, nameOf('keys-00'));
}

async function patch({ plane, namespace }: Scene, type: ResourceType, name: string, change: object): Promise<void> {
  // A part that was written anew since it was looked up has another name.
  await plane.admin.patch(type, { namespace, name }, change).catch(() => undefined);
}

async function remove({ plane, namespace }: Scene, type: ResourceType, name: string): Promise<void> {
  await plane.admin.delete(type, { namespace, name });
}
