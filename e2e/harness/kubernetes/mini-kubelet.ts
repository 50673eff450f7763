// Pods without nodes: what a Deployment or a Job of a test namespace makes is run as processes of this machine, each pod on a loopback
// address of its own, with the environment, the mounted files and the identity that kubelet would give it, and what becomes of it is
// reported as kubelet does. Images are not run: a table says which program stands for one.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pod } from '#shared/kube/types.ts';
import { RESOURCE, type KubeMeta } from '#shared/kube/object.ts';
import { runPod, type NodeOptions, type PodRun, type RunningPod } from './mini-kubelet/pod.ts';
import { VolumeSources } from './mini-kubelet/volume-sources.ts';
import { reserveFolder } from './process-folder.ts';

export type { RunningPod };

export interface MiniKubeletOptions extends NodeOptions {
  readonly namespaces: readonly string[];
  /** Milliseconds between two looks at what mounted volumes hold; 1,000 when left out. kubelet takes 60 to 90 s. */
  readonly volumeLag?: number;
}

export interface MiniKubelet {
  readonly nodeName: string;
  /** In the order in which they came. */
  pods(): readonly RunningPod[];
  /** Lets volumes follow now, without waiting for the lag. */
  syncVolumes(): Promise<void>;
  /** Kills what still runs. Pods stay as they are on the API server. */
  close(): Promise<void>;
}

type DeletedMeta = KubeMeta & { readonly deletionGracePeriodSeconds?: number };

const LOOK_EVERY_MS = 100;
const CALL_MS = 5_000;
const DEFAULT_LAG_MS = 1_000;

export async function startMiniKubelet(options: MiniKubeletOptions): Promise<MiniKubelet> {
  const { plane, namespaces, volumeLag = DEFAULT_LAG_MS } = options;
  const folder = await reserveFolder('kubelet');
  const nodeName = `mini-kubelet-${folder.number}-${process.pid}`;
  const runs = new Map<string, PodRun>();
  const sources = new VolumeSources(plane);
  let addresses = 0;
  const closing = new AbortController();

  // Pods bound to a node that does not exist are taken for lost.
  await plane.raw.send('POST', '/api/v1/nodes', { metadata: { name: nodeName } });

  /** Addresses are not used again soon: a client that still dials the last pod of one must not reach the next. */
  function nextAddress(): string {
    const taken = new Set([...runs.values()].map(({ address }) => address));
    for (;;) {
      const address = `127.1.${folder.number}.${(addresses++ % 254) + 1}`;
      if (!taken.has(address)) return address;
    }
  }

  async function bind({ metadata: { namespace, name } }: Pod): Promise<void> {
    const target = { apiVersion: 'v1', kind: 'Node', name: nodeName };
    const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target };
    await plane.raw.send('POST', `/api/v1/namespaces/${namespace}/pods/${name}/binding`, body);
  }

  async function look(namespace: string): Promise<void> {
    const { items } = await plane.admin.list<Pod>(RESOURCE.Pod, { namespace }, {}, { timeout: CALL_MS });
    const known = new Set(items.map(({ metadata }) => metadata.uid));
    for (const [uid, run] of runs) {
      if (run.namespace === namespace && !known.has(uid)) run.kill();
    }
    for (const pod of items) {
      const uid = pod.metadata.uid!;
      if (pod.spec?.nodeName === undefined && pod.metadata.deletionTimestamp === undefined) await bind(pod);
      if (pod.spec?.nodeName !== nodeName) continue;
      const run = runs.get(uid) ?? runPod(pod, { ...options, folder, sources, nodeName, address: nextAddress() });
      runs.set(uid, run);
      const { deletionTimestamp, deletionGracePeriodSeconds = 0 }: DeletedMeta = pod.metadata;
      if (deletionTimestamp !== undefined) run.terminate(deletionGracePeriodSeconds);
    }
  }

  /** An API server that is away or refuses changes nothing for pods that run: the next look tries again. */
  async function attempt(work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === undefined) console.error(error);
    });
  }

  async function forever(pause: number, work: () => Promise<void>): Promise<void> {
    const { signal } = closing;
    while (!signal.aborted) {
      await attempt(work);
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  let turn = Promise.resolve();
  async function followVolumes(): Promise<void> {
    sources.forget();
    await Promise.all([...runs.values()].map((run) => attempt(() => run.syncVolumes())));
  }
  const syncVolumes = (): Promise<void> => (turn = turn.then(followVolumes));
  const loops = [
    forever(LOOK_EVERY_MS, async () => {
      for (const namespace of namespaces) await look(namespace);
      for (const [uid, run] of runs) {
        await attempt(() => run.report());
        if (run.gone) runs.delete(uid);
      }
    }),
    forever(volumeLag, syncVolumes),
  ];

  return {
    nodeName,
    pods: () => [...runs.values()],
    syncVolumes,
    async close() {
      closing.abort();
      for (const run of runs.values()) run.kill();
      await folder.close();
      await Promise.all(loops);
      await plane.raw.send('DELETE', `/api/v1/nodes/${nodeName}`).catch(() => undefined);
    },
  };
}
