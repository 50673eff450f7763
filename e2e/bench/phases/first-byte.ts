/**
 * Time a peer adds to the first byte and to the end of a stream, on reused connections whose events are 250 ms apart:
 * alone, where Nagle, timers and events held back show, and in a crowd, where the cost of each event does.
 */
import type { TimedStreams } from '../load/streams.ts';
import type { RunningPeer } from '../peers/peer.ts';
import { crowdEvents, eventGapMs, singleEvents } from '../plan.ts';
import { cpuMicros } from '../process-usage.ts';
import { median, percentile, rotated } from '../statistics.ts';
import { load } from './bench.ts';
import type { Bench } from './bench.ts';

export interface FirstByteFigure {
  readonly peer: string;
  readonly streams: number;
  /** Milliseconds to the first byte as measured; all figures are medians over the rounds. */
  readonly p50: number;
  readonly p99: number;
  /** The same less those of the direct connection: differences of percentiles, not percentiles of differences. */
  readonly addedP50: number;
  readonly addedP99: number;
  /** Milliseconds added to the median time of the whole stream. */
  readonly addedEnd: number;
  /** CPU microseconds of the peer's process per stream event, its share of requests and connections included. */
  readonly cpuPerEvent: number | undefined;
  readonly errors: number;
}

/** One peer's streams of one round. */
interface Taken {
  readonly p50: number;
  readonly p99: number;
  readonly end: number;
  readonly cpuPerEvent: number;
  readonly errors: number;
}

/** Figures for every peer at one stream and in the crowd. The first peer must be the direct connection. */
export async function firstByte(bench: Bench, running: readonly RunningPeer[]): Promise<FirstByteFigure[]> {
  const { single, crowd } = bench.plan;
  return [
    ...(await measure(bench, running, single.rounds, { connections: 1, streams: single.streams }, singleEvents)),
    ...(await measure(bench, running, crowd.rounds, crowd, crowdEvents)),
  ];
}

async function measure(
  bench: Bench,
  running: readonly RunningPeer[],
  rounds: number,
  { connections, streams }: { readonly connections: number; readonly streams: number },
  events: number,
): Promise<FirstByteFigure[]> {
  await bench.upstream.run({ kind: 'events', events, gapMs: eventGapMs });
  const plan = { connections, streams, spreadMs: connections === 1 ? 0 : (events - 1) * eventGapMs };
  const samples = new Map(running.map((peer): [RunningPeer, Taken[]] => [peer, []]));
  for (let round = 1; round <= rounds; round += 1) {
    bench.say(`first byte at ${connections} streams, round ${round} of ${rounds}`);
    for (const [peer, taken] of rotated([...samples], round - 1)) taken.push(await once(bench, peer, plan, events));
  }
  const directly = samples.values().next().value ?? [];
  return [...samples].map(([peer, taken]) => {
    // Each round is compared with the direct connection of the same round, so that a busy minute weighs on both.
    const added = (figure: 'p50' | 'p99' | 'end'): number =>
      median(taken.map((sample, round) => sample[figure] - (directly[round]?.[figure] ?? Number.NaN)));
    return {
      peer: peer.name,
      streams: connections,
      p50: median(taken.map((sample) => sample.p50)),
      p99: median(taken.map((sample) => sample.p99)),
      addedP50: added('p50'),
      addedP99: added('p99'),
      addedEnd: added('end'),
      // One stream at a time spends less than the clock ticks that CPU time is counted in.
      cpuPerEvent:
        peer.pid === undefined || connections === 1 ? undefined : median(taken.map((sample) => sample.cpuPerEvent)),
      errors: taken.reduce((sum, sample) => sum + sample.errors, 0),
    };
  });
}

async function once(bench: Bench, peer: RunningPeer, plan: TimedStreams, events: number): Promise<Taken> {
  const { url, headers, pid } = peer;
  const used = (): number => (pid === undefined ? Number.NaN : cpuMicros(pid));
  const before = used();
  const result = await load(bench, { kind: 'timed-streams', url, headers, body: 'turn', plan });
  // The stream that opens each connection is not timed, but it is paid for.
  const paid = plan.connections * (plan.streams + 1) * events;
  return {
    p50: percentile(result.firstByte, 0.5),
    p99: percentile(result.firstByte, 0.99),
    end: percentile(result.total, 0.5),
    cpuPerEvent: (used() - before) / paid,
    errors: result.errors,
  };
}
