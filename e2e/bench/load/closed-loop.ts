/** A closed loop: a fixed number of callers, each sending its next request when it has its answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from '../statistics.ts';
import { Connection } from './connection.ts';
import type { Target } from './connection.ts';

export interface ClosedLoop {
  readonly connections: number;
  readonly warmMs: number;
  readonly measureMs: number;
}

export interface ClosedLoopResult {
  /** Answers with status 200 in the measured time, the last of each caller included. */
  readonly requests: number;
  /** Broken connections and other statuses, the warm-up included. */
  readonly errors: number;
  readonly seconds: number;
  /** Milliseconds from the write to the end of the answer. */
  readonly p50: number;
  readonly p99: number;
}

/** Runs the loop; `mark` is called where the measured time begins. */
export async function closedLoop(
  target: Target,
  loop: ClosedLoop,
  now: () => number,
  mark: () => void,
): Promise<ClosedLoopResult> {
  let latencies: number[] = [];
  let errors = 0;
  let running = true;
  const callers = Array.from({ length: loop.connections }, async () => {
    const connection = new Connection(target, now);
    await new Promise<void>((resolve) => {
      const again = (): void => {
        if (!running) return resolve();
        connection.send((exchange) => {
          if (exchange?.status === 200) latencies.push(exchange.total);
          else errors += 1;
          // A refused connection fails at once: without a pause the loop would spin.
          if (exchange === undefined) setTimeout(again, 20);
          else again();
        });
      };
      again();
    });
    connection.close();
  });
  await sleep(loop.warmMs);
  latencies = [];
  mark();
  const begun = now();
  await sleep(loop.measureMs);
  running = false;
  await Promise.all(callers);
  const seconds = (now() - begun) / 1000;
  return {
    requests: latencies.length,
    errors,
    seconds,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
  };
}
