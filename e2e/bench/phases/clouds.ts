/** CPU of the gateway per small call and per 1,000 streamed events, for each provider family it may have behind it. */
import type { BodyName } from '../bodies.ts';
import { startCommandProcess } from '../child-process.ts';
import { STREAMED_EVENTS } from '../clouds/streamed-events.ts';
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
  /** CPU microseconds of 1,000 events of a stream. */
  readonly events: number;
  readonly errors: number;
}

const ROUTE_HEADER = 'x-org-route';

/** Medians over the rounds. */
export async function clouds(bench: Bench): Promise<CloudFigure[]> {
  await using stack = new AsyncDisposableStack();
  const upstream = await startCommandProcess<{ url: string }, object, object>(
    new URL('../clouds/upstream-process.ts', import.meta.url),
  );
  stack.defer(upstream.stop);
  const gateway = await startCommandProcess<{ url: string; key: string }, object, object>(
    new URL('../clouds/gateway-process.ts', import.meta.url),
    [upstream.ready.url, `${bench.folder()}/audit.log`],
  );
  stack.defer(gateway.stop);
  const samples = CLOUDS.map((cloud) => ({ cloud, call: [] as number[], stream: [] as number[], errors: 0 }));
  const take = async (sample: (typeof samples)[number], body: BodyName): Promise<number> => {
    const { connections, warmMs, measureMs } = bench.plan.throughput;
    const { url, key } = gateway.ready;
    const headers = { authorization: `Bearer ${key}`, [ROUTE_HEADER]: sample.cloud };
    let before = Number.NaN;
    const result = await load(
      bench,
      { kind: 'closed-loop', url, headers, body, loop: { connections, warmMs, measureMs } },
      () => (before = cpuMicros(gateway.pid)),
    );
    sample.errors += result.errors;
    return (cpuMicros(gateway.pid) - before) / result.requests;
  };
  bench.say('clouds, warm-up');
  for (const sample of samples) for (const body of ['small', 'streamed'] as const) await take(sample, body);
  for (let round = 1; round <= bench.plan.throughput.rounds; round += 1) {
    bench.say(`clouds, round ${round} of ${bench.plan.throughput.rounds}`);
    for (const sample of rotated(samples, round - 1)) {
      sample.call.push(await take(sample, 'small'));
      sample.stream.push(await take(sample, 'streamed'));
    }
  }
  return samples.map(({ cloud, call, stream, errors }) => ({
    cloud,
    call: median(call),
    events: (median(stream) - median(call)) / (STREAMED_EVENTS / 1_000),
    errors,
  }));
}
