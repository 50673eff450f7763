/** Memory of an open stream: a fresh process, its resident size before and while thousands of streams are open. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BodyName } from '../bodies.ts';
import { probe } from '../peers/start-server.ts';
import { residentBytes, settledBytes } from '../process-usage.ts';
import { load } from './bench.ts';
import type { Bench } from './bench.ts';

export interface MemoryFigure {
  readonly peer: string;
  readonly body: BodyName;
  /** Streams that were open; fewer than planned where files or the peer set a limit. */
  readonly streams: number;
  readonly planned: number;
  readonly bytesPerStream: number;
}

/** Measures every peer that has a process, with small requests and, in the full plan, with long ones. */
export async function memory(bench: Bench): Promise<MemoryFigure[]> {
  const figures: MemoryFigure[] = [];
  const { streams, perSecond, bodies } = bench.plan.memory;
  for (const body of bodies) {
    for (const peer of bench.peers.filter((candidate) => candidate.name !== 'direct')) {
      bench.say(`memory of ${streams} open streams, ${body} body, ${peer.name}`);
      await bench.upstream.run({ kind: 'json' });
      const running = await peer.start(bench.upstream.ready.url, bench.folder());
      try {
        // What is allocated once, on the first requests, is not the price of a stream.
        for (let count = 0; count < 100; count += 1) await probe(running.url, running.headers);
        await bench.upstream.run({ kind: 'hold' });
        const { url, headers, pid } = running;
        await load(bench, { kind: 'hold', url, headers, body, count: 50, perSecond });
        await load(bench, { kind: 'release' });
        // A process that has just started may still hold pages that streams would only fill again.
        const before = await settledBytes(pid ?? 0);
        const { opened } = await load(bench, { kind: 'hold', url, headers, body, count: streams, perSecond });
        await sleep(1000);
        const bytesPerStream = (residentBytes(pid ?? 0) - before) / Math.max(1, opened);
        figures.push({ peer: peer.name, body, streams: opened, planned: streams, bytesPerStream });
      } finally {
        await load(bench, { kind: 'release' });
        await running.stop();
      }
    }
  }
  return figures;
}
