// What a failover drill measured, on one screen.
import { percentile } from '../bench/statistics.ts';
import type { DrilledCall } from './drill-clients.ts';

export interface Phase {
  readonly name: string;
  readonly calls: readonly DrilledCall[];
  /** Calls that more than one upstream was asked for, and the others. */
  readonly failedOver: readonly DrilledCall[];
  readonly direct: readonly DrilledCall[];
  /** Requests that met the fault. */
  readonly met: number;
}

export function endings({ calls }: Phase, ending: DrilledCall['ending']): number {
  return calls.filter((call) => call.ending === ending).length;
}

/** A line for each phase, under the sums of all. */
export function report(clients: number, phases: readonly Phase[]): string {
  const columns = ['calls', 'met', 'failovers', 'before', 'after', 'p50 ms', 'p99 ms', '+p50 ms', '+p99 ms'];
  const figure = (calls: readonly DrilledCall[], fraction: number): number =>
    percentile(
      calls.flatMap(({ firstByteMs }) => firstByteMs ?? []),
      fraction,
    );
  const line = (each: Phase): string => {
    const added = (fraction: number): number => figure(each.failedOver, fraction) - figure(each.direct, 0.5);
    const times = [figure(each.direct, 0.5), figure(each.direct, 0.99), added(0.5), added(0.99)];
    const cells = [
      each.calls.length,
      each.met,
      each.failedOver.length,
      endings(each, 'refused'),
      endings(each, 'error-event') + endings(each, 'broken'),
      ...times.map((ms) => (Number.isNaN(ms) ? '–' : ms.toFixed(0))),
    ];
    return each.name.padEnd(18) + cells.map((cell) => String(cell).padStart(11)).join('');
  };
  const sum = (of: (phase: Phase) => number): number => phases.reduce((total, phase) => total + of(phase), 0);
  const total = sum(({ calls }) => calls.length);
  const failovers = sum(({ failedOver }) => failedOver.length);
  const [before, after] = [sum((each) => endings(each, 'refused')), sum((each) => endings(each, 'error-event'))];
  return [
    `failover drill with ${clients} clients: ${total} calls, ${failovers} failovers, ${before} failures before the first byte,`,
    `${after} after it with an error event. p50 and p99: time to the first byte without a failover; +: what one adds to p50`,
    ''.padEnd(18) + columns.map((name) => name.padStart(11)).join(''),
    ...phases.map(line),
  ].join('\n');
}
