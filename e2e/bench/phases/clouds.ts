/** CPU of the gateway per small call and per 1,000 streamed events, for each provider family it may have behind it. */
import { startCommandProcess } from '../child-process.ts';
import { STREAMED_EVENTS, type StreamPace } from '../clouds/streamed-events.ts';
import { cpuMicros } from '../process-usage.ts';
import { median, rotated } from '../statistics.ts';
import { load } from './bench.ts';
import type { Bench } from './bench.ts';

export const CLOUDS = ['anthropic', 'bedrock', 'vertex'] as const;
export type Cloud = (typeof CLOUDS)[number];

export interface CloudFigure {
  readonly cloud: Cloud;
  /** CPU microseconds of a small call that is answered by one JSON message. */
  readonly call: number;
  /** CPU microseconds of 1,000 events that come one by one, as models write them. */
  readonly events: number;
  /** The same when several come at once: what is left is the work on their bytes. */
  readonly bulkEvents: number;
  readonly errors: number;
}

const ROUTE_HEADER = 'x-org-route';
/** Streams at once, and one after the other on each connection. */
const STREAMS = { connections: 16, streams: 1, spreadMs: 100 };

interface Sample {
  readonly cloud: Cloud;
  readonly call: number[];
  readonly events: number[];
  readonly bulkEvents: number[];
  errors: number;
}

/** Medians over the rounds. */
export async function clouds(bench: Bench): Promise<CloudFigure[]> {
  await using stack = new AsyncDisposableStack();
  const upstream = await startCommandProcess<{ url: string }, { pace: StreamPace }, object>(
    new URL('../clouds/upstream-process.ts', import.meta.url),
  );
  stack.defer(upstream.stop);
  const gateway = await startCommandProcess<{ url: string; key: string }, object, object>(
    new URL('../clouds/gateway-process.ts', import.meta.url),
    [upstream.ready.url, `${bench.folder()}/audit.log`],
  );
  stack.defer(gateway.stop);
  const { url, key } = gateway.ready;
  const aim = (cloud: Cloud) => ({ url, headers: { authorization: `Bearer ${key}`, [ROUTE_HEADER]: cloud } });

  const ofCall = async (sample: Sample): Promise<number> => {
    const { connections, warmMs, measureMs } = bench.plan.throughput;
    let before = Number.NaN;
    const loop = { connections, warmMs, measureMs };
    const command = { kind: 'closed-loop', ...aim(sample.cloud), body: 'small', loop } as const;
    const result = await load(bench, command, () => (before = cpuMicros(gateway.pid)));
    sample.errors += result.errors;
    return (cpuMicros(gateway.pid) - before) / result.requests;
  };
  const ofEvents = async (sample: Sample, pace: StreamPace): Promise<number> => {
    await upstream.run({ pace });
    const streams = pace === 'Paced' ? STREAMS : { ...STREAMS, streams: 20 };
    const before = cpuMicros(gateway.pid);
    const command = { kind: 'timed-streams', ...aim(sample.cloud), body: 'streamed', plan: streams } as const;
    const { errors } = await load(bench, command);
    sample.errors += errors;
    // One more on each connection opens it.
    const answers = streams.connections * (streams.streams + 1);
    return (cpuMicros(gateway.pid) - before) / answers / (STREAMED_EVENTS / 1_000);
  };
  const round = async (sample: Sample): Promise<void> => {
    sample.call.push(await ofCall(sample));
    sample.events.push(await ofEvents(sample, 'Paced'));
    sample.bulkEvents.push(await ofEvents(sample, 'Bulk'));
  };

  const samples = CLOUDS.map((cloud): Sample => ({ cloud, call: [], events: [], bulkEvents: [], errors: 0 }));
  bench.say('clouds, warm-up');
  for (const cloud of CLOUDS) await round({ cloud, call: [], events: [], bulkEvents: [], errors: 0 });
  for (let count = 1; count <= bench.plan.throughput.rounds; count += 1) {
    bench.say(`clouds, round ${count} of ${bench.plan.throughput.rounds}`);
    for (const sample of rotated(samples, count - 1)) await round(sample);
  }
  return samples.map(({ cloud, call, events, bulkEvents, errors }) => ({
    cloud,
    call: median(call),
    events: median(events),
    bulkEvents: median(bulkEvents),
    errors,
  }));
}
