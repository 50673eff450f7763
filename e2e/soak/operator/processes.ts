// The processes that are looked at: both operators by what they are, and every pod of the Gateway.
import { podsOf, type Scene } from '../../harness/kubernetes/flood-scene.ts';
import { figuresOf, MIB, readMetric, scrape, type ProcessFigures } from '../process-figures.ts';
import { collectGarbage } from './collection.ts';

/** One process at one moment. */
export interface Look extends ProcessFigures {
  /** `leader`, `standby`, `pod 1` and so on. */
  readonly who: string;
  readonly pid: number;
}

const METRICS_PORT = 9090;

/** @throws {Error} when a process does not run */
export async function lookAtAll(scene: Scene): Promise<Look[]> {
  const leader = await scene.leader();
  const standby = scene.operators.find(({ name }) => name !== leader.name)!;
  const pods = podsOf(scene).sort((a, b) => (a.name < b.name ? -1 : 1));
  const looks: Look[] = [];
  for (const [who, operator] of [
    ['leader', leader],
    ['standby', standby],
  ] as const) {
    looks.push(await lookAt(who, operator.pid, operator.log(), () => operator.metrics()));
  }
  for (const [at, pod] of pods.entries()) {
    const metrics = (): Promise<string> => scrape(`http://${pod.address}:${METRICS_PORT}/metrics`);
    looks.push(await lookAt(`pod ${at + 1}`, pod.pid(), pod.log(), metrics));
  }
  return looks;
}

async function lookAt(
  who: string,
  pid: number | undefined,
  log: string,
  metrics: () => Promise<string>,
): Promise<Look> {
  if (pid === undefined) throw new Error(`${who} does not run`);
  await collectGarbage(log);
  const text = await metrics();
  return { who, pid, ...(await figuresOf(pid, text)), heapMiB: objectBytes(text) / MIB };
}

/** The heap without code, which grows for as long as V8 finds something worth compiling. */
function objectBytes(text: string): number {
  const spaces = ['old', 'large_object'].map((space) =>
    readMetric(text, `nodejs_heap_space_size_used_bytes{space="${space}"}`),
  );
  return spaces.reduce((sum, bytes) => sum + bytes, 0);
}
