/** What a pod does with many virtual keys: it compiles nothing, it loads the parts that the operator published. */
import { startCommandProcess } from '../child-process.ts';
import { writePublication } from '../peers/publication-files.ts';
import type { PodLoadReply } from '../pod-process.ts';
import { peakResidentBytes, residentBytes, settledBytes } from '../process-usage.ts';
import { median } from '../statistics.ts';
import type { Bench } from './bench.ts';

export interface PodLoadFigure {
  readonly keys: number;
  /** Milliseconds from the first read to a snapshot that can be put into force, median of fresh processes. */
  readonly loadMs: number;
  /** What the keys take: resident bytes after the load, once its pages are given back, above those before it. */
  readonly heldBytes: number;
  readonly peakBytes: number;
}

/** Loads one publication in as many fresh processes as asked, from files, as a pod without API server does. */
export async function podLoad(bench: Bench, keys: number, starts: number): Promise<PodLoadFigure> {
  const folder = bench.folder();
  await writePublication(folder, keys);
  const times: number[] = [];
  const held: number[] = [];
  const peaks: number[] = [];
  for (let start = 1; start <= starts; start += 1) {
    bench.say(`a pod loads ${keys} virtual keys, ${start} of ${starts}`);
    const pod = await startCommandProcess<object, object, PodLoadReply>(new URL('../pod-process.ts', import.meta.url), [
      folder,
    ]);
    try {
      const before = residentBytes(pod.pid);
      const { loadMs, keys: read } = await pod.run({});
      if (read !== keys) throw new Error(`the pod holds ${read} keys of ${keys}`);
      times.push(loadMs);
      held.push((await settledBytes(pod.pid)) - before);
      peaks.push(peakResidentBytes(pod.pid));
    } finally {
      await pod.stop();
    }
  }
  return { keys, loadMs: median(times), heldBytes: Math.max(...held), peakBytes: Math.max(...peaks) };
}
