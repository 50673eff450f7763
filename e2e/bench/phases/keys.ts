/** Portcullis with many virtual keys: how soon it answers, what it holds in memory, and how soon an edit is in force. */
import { setTimeout as sleep } from 'node:timers/promises';
import { probe } from '../peers/start-server.ts';
import { startPortcullis } from '../peers/portcullis.ts';
import type { RunningPortcullis } from '../peers/portcullis.ts';
import { peakResidentBytes, settledBytes } from '../process-usage.ts';
import { median } from '../statistics.ts';
import type { Bench } from './bench.ts';

export interface KeysFigure {
  readonly keys: number;
  /** Milliseconds from process start to the first answered request, median of the starts. */
  readonly readyMs: number;
  /** Once the load is done and its pages are given back. */
  readonly residentBytes: number;
  readonly peakBytes: number;
  /** Milliseconds from the rename of the edited file to its enforcement, median of the switches. */
  readonly reloadMs: number;
  readonly slowestReloadMs: number;
  /** Milliseconds the process itself gives for the last load, if its log says so. */
  readonly loggedLoadMs: number | undefined;
}

/** Time one edit has to take effect before the benchmark gives up. */
const reloadPatienceMs = 60_000;

/** Measures one size of configuration. */
export async function manyKeys(bench: Bench, keys: number, starts: number, switches: number): Promise<KeysFigure> {
  await bench.upstream.run({ kind: 'json' });
  const ready: number[] = [];
  const resident: number[] = [];
  let peak = 0;
  const reloads: number[] = [];
  let loggedLoadMs: number | undefined;
  for (let start = 1; start <= starts; start += 1) {
    bench.say(`${keys} virtual keys, start ${start} of ${starts}`);
    const running = await startPortcullis(bench.upstream.ready.url, bench.folder(), keys);
    try {
      ready.push(running.readyMs);
      resident.push(await settledBytes(running.pid ?? 0));
      peak = Math.max(peak, peakResidentBytes(running.pid ?? 0));
      if (start < starts) continue;
      for (let count = 0; count < switches; count += 1) {
        bench.say(`${keys} virtual keys, edit ${count + 1} of ${switches}`);
        reloads.push(await enforced(running, 'Disabled'), await enforced(running, 'Active'));
      }
      loggedLoadMs = loadTime(running.log());
    } finally {
      await running.stop();
    }
  }
  return {
    keys,
    readyMs: median(ready),
    residentBytes: Math.max(...resident),
    peakBytes: peak,
    reloadMs: median(reloads),
    slowestReloadMs: Math.max(...reloads),
    loggedLoadMs,
  };
}

/** Switches the callers' key and asks until the answer follows; each question waits for the one before it. */
async function enforced(running: RunningPortcullis, state: 'Active' | 'Disabled'): Promise<number> {
  running.switchKey(state);
  const begun = performance.now();
  for (;;) {
    const status = await probe(running.url, running.headers);
    if ((status === 200) === (state === 'Active') && status !== 0) return performance.now() - begun;
    if (performance.now() - begun > reloadPatienceMs) {
      throw new Error(`a key set to ${state} still answers ${status} after ${reloadPatienceMs} ms`);
    }
    await sleep(2);
  }
}

/** Milliseconds in the last log line about a reload, such as `reloaded revision 3f9c in 120 ms`. */
export function loadTime(log: string): number | undefined {
  const took = [...log.matchAll(/^reloaded .* in ([\d.]+) ms$/gm)].at(-1)?.[1];
  return took === undefined ? undefined : Number(took);
}
