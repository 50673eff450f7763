/** Many streams at once: timed on reused connections, or held open so that their cost in memory can be read. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from './connection.ts';
import type { Exchange, Target } from './connection.ts';

export interface TimedStreams {
  readonly connections: number;
  /** Streams measured on each connection, after a first one that opens it. */
  readonly streams: number;
  /** Starts are spread over this time, so that they are not one burst. */
  readonly spreadMs: number;
}

export interface TimedStreamsResult {
  /** Milliseconds to the first byte of the body, one a stream. */
  readonly firstByte: Float64Array;
  /** Milliseconds to the end, one a stream. */
  readonly total: Float64Array;
  readonly errors: number;
}

/** Runs all streams to their end. */
export async function timedStreams(target: Target, plan: TimedStreams, now: () => number): Promise<TimedStreamsResult> {
  const measured: Exchange[] = [];
  let errors = 0;
  await Promise.all(
    Array.from({ length: plan.connections }, async (_, index) => {
      await sleep((plan.spreadMs * index) / plan.connections);
      const connection = new Connection(target, now);
      for (let stream = 0; stream <= plan.streams; stream += 1) {
        const exchange = await new Promise<Exchange | undefined>((resolve) => connection.send(resolve));
        if (exchange?.status !== 200) errors += 1;
        else if (stream > 0) measured.push(exchange);
      }
      connection.close();
    }),
  );
  return {
    firstByte: Float64Array.from(measured, (exchange) => exchange.firstByte),
    total: Float64Array.from(measured, (exchange) => exchange.total),
    errors,
  };
}

/** Opens `count` streams at `perSecond`, resolves when all have a first byte or have failed. */
export async function holdStreams(
  target: Target,
  count: number,
  perSecond: number,
  now: () => number,
): Promise<{ connections: Connection[]; opened: number }> {
  const connections: Connection[] = [];
  const begun = now();
  let opened = 0;
  const starts: Promise<void>[] = [];
  while (connections.length < count) {
    const due = Math.min(count, Math.ceil(((now() - begun) / 1000) * perSecond));
    while (connections.length < due) {
      const connection = new Connection(target, now);
      connections.push(connection);
      starts.push(
        new Promise((resolve) => {
          connection.send(
            () => resolve(),
            () => {
              opened += 1;
              resolve();
            },
          );
        }),
      );
    }
    await sleep(5);
  }
  await Promise.race([Promise.all(starts), sleep(30_000, undefined, { ref: false })]);
  return { connections, opened };
}
