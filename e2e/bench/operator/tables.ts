/** The operator's figures as rows that people read, with how each grows with the number of keys. */
import type { OperatorFigure } from '../phases/operator.ts';

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const MB = 1024 * 1024;

/** @param figures ascending by number of keys; no tables for none */
export function operatorTables(figures: readonly OperatorFigure[]): Table[] {
  if (figures.length === 0) return [];
  const slopes = figures.length < 2 ? [] : [slopeRow(figures)];
  return [
    {
      title: 'Operator: one changed key',
      head: [
        'keys',
        'apply → enforced p50 ms',
        'p99 ms',
        'CPU ms/change',
        'loop held ms',
        'API calls/change',
        'RSS MB',
        'heap MB',
        'peak MB',
      ],
      rows: [
        ...figures.map((row) => [
          `${row.keys}`,
          row.enforced.p50.toFixed(0),
          row.enforced.p99.toFixed(0),
          row.cpuMsPerChange.toFixed(0),
          row.loopHeldMs.toFixed(0),
          row.callsPerChange.toFixed(1),
          ...[row.residentBytes, row.heapBytes, row.peakBytes].map((bytes) => (bytes / MB).toFixed(0)),
        ]),
        ...slopes,
      ],
    },
    {
      title: 'Operator: cold start',
      head: ['keys', 'caches s', 'published s', 'every pod serves s', 'CPU s', 'statuses', 'a second', 'CPU µs each'],
      rows: figures.map(({ keys, coldStart, coldCpuSeconds, statuses }) => [
        `${keys}`,
        ...[coldStart.cachesMs, coldStart.publishedMs, coldStart.servedMs].map((ms) => (ms / 1_000).toFixed(1)),
        coldCpuSeconds.toFixed(1),
        `${statuses.written}`,
        statuses.perSecond.toFixed(0),
        statuses.cpuMicrosEach.toFixed(0),
      ]),
    },
    {
      title: 'Operator: calls to the API server for one change, at most keys',
      head: ['call', 'a change'],
      rows: Object.entries(figures.at(-1)!.calls).map(([call, count]) => [call, count.toFixed(2)]),
    },
  ];
}

function slopeRow(figures: readonly OperatorFigure[]): string[] {
  const of = (value: (figure: OperatorFigure) => number): number =>
    slope(figures.map((figure) => [figure.keys, value(figure)]));
  const perKey = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KB/key`;
  return [
    'slope',
    `${(of(({ enforced }) => enforced.p50) * 1_000).toFixed(1)} µs/key`,
    `${(of(({ enforced }) => enforced.p99) * 1_000).toFixed(1)} µs/key`,
    `${(of(({ cpuMsPerChange }) => cpuMsPerChange) * 1_000).toFixed(1)} µs/key`,
    `${(of(({ loopHeldMs }) => loopHeldMs) * 1_000).toFixed(1)} µs/key`,
    '',
    ...[of((row) => row.residentBytes), of((row) => row.heapBytes), of((row) => row.peakBytes)].map(perKey),
  ];
}

/** Of the straight line that fits best by least squares. @param points of which two have different x */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return over / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}
