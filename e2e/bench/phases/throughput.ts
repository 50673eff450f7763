/** Requests a second, CPU per request and latency in a closed loop, for both bodies, peers in turn. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BodyName } from '../bodies.ts';
import type { RunningPeer } from '../peers/peer.ts';
import { cpuMicros } from '../process-usage.ts';
import { median, rotated } from '../statistics.ts';
import { load } from './bench.ts';
import type { Bench } from './bench.ts';

export interface ThroughputFigure {
  readonly peer: string;
  readonly body: BodyName;
  readonly perSecond: number;
  /** CPU microseconds of the peer's process per request; undefined without a process of its own. */
  readonly cpuMicros: number | undefined;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
  /** Calls the upstream saw and records the peer wrote of them, warm-ups included; undefined where it keeps none. */
  readonly accounted: { readonly forwarded: number; readonly recorded: number } | undefined;
}

/** A round's figures. */
type Sample = Omit<ThroughputFigure, 'accounted'>;

/** Records may be written in batches, a moment after the answer: counted too early they would seem lost, or one too many. */
const settleMs = 1000;

/** Medians over the rounds; `errors` is their sum. */
export async function throughput(bench: Bench, running: readonly RunningPeer[]): Promise<ThroughputFigure[]> {
  const figures: ThroughputFigure[] = [];
  for (const body of ['small', 'turn'] as const) {
    const mode = { kind: body === 'small' ? 'json' : 'sse' } as const;
    await bench.upstream.run(mode);
    const samples = new Map(running.map((peer) => [peer, [] as Sample[]]));
    const forwarded = new Map(running.map((peer) => [peer, 0]));
    await sleep(settleMs);
    const recordedBefore = new Map(running.map((peer) => [peer, peer.records?.()]));
    const take = async (peer: RunningPeer): Promise<Sample> => {
      const before = await bench.upstream.run(mode);
      const sample = await once(bench, peer, body);
      const after = await bench.upstream.run(mode);
      forwarded.set(peer, (forwarded.get(peer) ?? 0) + after.received - before.received);
      return sample;
    };
    bench.say(`throughput, ${body} body, warm-up`);
    for (const peer of running) await take(peer);
    for (let round = 1; round <= bench.plan.throughput.rounds; round += 1) {
      bench.say(`throughput, ${body} body, round ${round} of ${bench.plan.throughput.rounds}`);
      for (const [peer, taken] of rotated([...samples], round - 1)) taken.push(await take(peer));
    }
    await sleep(settleMs);
    for (const [peer, taken] of samples) {
      const written = recordedBefore.get(peer);
      figures.push({
        peer: peer.name,
        body,
        perSecond: median(taken.map((sample) => sample.perSecond)),
        cpuMicros: peer.pid === undefined ? undefined : median(taken.map((sample) => sample.cpuMicros ?? Number.NaN)),
        p50: median(taken.map((sample) => sample.p50)),
        p99: median(taken.map((sample) => sample.p99)),
        errors: taken.reduce((sum, sample) => sum + sample.errors, 0),
        accounted:
          written === undefined
            ? undefined
            : { forwarded: forwarded.get(peer) ?? 0, recorded: (peer.records?.() ?? 0) - written },
      });
    }
  }
  return figures;
}

async function once(bench: Bench, peer: RunningPeer, body: BodyName): Promise<Sample> {
  const { connections, warmMs, measureMs } = bench.plan.throughput;
  const used = (): number => (peer.pid === undefined ? Number.NaN : cpuMicros(peer.pid));
  let before = Number.NaN;
  const { url, headers } = peer;
  const result = await load(
    bench,
    { kind: 'closed-loop', url, headers, body, loop: { connections, warmMs, measureMs } },
    () => (before = used()),
  );
  const spent = (used() - before) / result.requests;
  return {
    peer: peer.name,
    body,
    perSecond: result.requests / result.seconds,
    cpuMicros: peer.pid === undefined ? undefined : spent,
    p50: result.p50,
    p99: result.p99,
    errors: result.errors,
  };
}
