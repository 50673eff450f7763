/** The table people read: every figure, and beside those that have a target whether it is met. */
import type { Cloud, CloudFigure } from './phases/clouds.ts';
import type { FirstByteFigure } from './phases/first-byte.ts';
import type { KeysFigure } from './phases/keys.ts';
import { operatorTables } from './operator/tables.ts';
import type { MemoryFigure } from './phases/memory.ts';
import type { OperatorFigure } from './phases/operator.ts';
import type { PodLoadFigure } from './phases/pod-load.ts';
import type { ThroughputFigure } from './phases/throughput.ts';

export interface Figures {
  readonly throughput: readonly ThroughputFigure[];
  readonly firstByte: readonly FirstByteFigure[];
  readonly clouds: readonly CloudFigure[];
  readonly memory: readonly MemoryFigure[];
  readonly manyKeys: KeysFigure | undefined;
  readonly reload: KeysFigure | undefined;
  readonly pod: PodLoadFigure | undefined;
  /** Ascending by number of keys. */
  readonly operator: readonly OperatorFigure[];
}

/** One target, judged. `actual` is undefined when the figure could not be taken. */
export interface Judgement {
  readonly target: string;
  readonly limit: number;
  readonly actual: number | undefined;
  readonly unit: string;
  readonly verdict: 'ok' | 'over' | 'not measured';
}

const subject = 'portcullis';
const KB = 1024;
const MB = 1024 * 1024;

/** All targets in the order of the table. */
export function judge(figures: Figures): Judgement[] {
  const cpu = (peer: string, body: string): number | undefined =>
    figures.throughput.find((figure) => figure.peer === peer && figure.body === body)?.cpuMicros;
  const ratio = (body: string): number | undefined => {
    const [ours, floor] = [cpu(subject, body), cpu('bare', body)];
    return ours === undefined || floor === undefined ? undefined : ours / floor;
  };
  const dearness = (cloud: Cloud, what: 'call' | 'events'): number | undefined => {
    const of = (name: Cloud) => figures.clouds.find((figure) => figure.cloud === name)?.[what];
    const [theirs, floor] = [of(cloud), of('anthropic')];
    return theirs === undefined || floor === undefined ? undefined : theirs / floor;
  };
  const lone = figures.firstByte.find((figure) => figure.peer === subject && figure.streams === 1);
  const crowd = figures.firstByte.find((figure) => figure.peer === subject && figure.streams > 1);
  const stream = figures.memory.find((figure) => figure.peer === subject && figure.body === 'small');
  const bytes = stream?.bytesPerStream;
  const keys = figures.manyKeys;
  const enforced = figures.operator.find((figure) => figure.keys === 10_000)?.enforced.p99;
  const most = figures.operator.find((figure) => figure.keys === 100_000)?.cpuMsPerChange;
  return [
    judged('CPU per request, 300 B, times bare', 2.5, ratio('small'), '×'),
    judged('CPU per request, 87 KB turn, times bare', 1.5, ratio('turn'), '×'),
    judged('CPU of a small call, Bedrock, times Anthropic', 2, dearness('bedrock', 'call'), '×'),
    judged('CPU of a small call, Vertex, times Anthropic', 2, dearness('vertex', 'call'), '×'),
    judged('CPU of 1,000 events, Bedrock, times Anthropic', 1.6, dearness('bedrock', 'events'), '×'),
    judged('CPU of 1,000 events, Vertex, times Anthropic', 1.6, dearness('vertex', 'events'), '×'),
    judged('memory per open stream', 40, bytes === undefined ? undefined : bytes / KB, 'KB'),
    judged('added first byte, 1 stream, p50', 1, lone?.addedP50, 'ms'),
    judged('added first byte, 500 streams, p99', 10, crowd?.addedP99, 'ms'),
    judged('resident with 100,000 keys', 450, keys === undefined ? undefined : keys.residentBytes / MB, 'MB'),
    judged('start to first answer with 100,000 keys', 3, keys === undefined ? undefined : keys.readyMs / 1000, 's'),
    judged(
      'apply to enforced on every pod, 10,000 keys, p99',
      2,
      enforced === undefined ? undefined : enforced / 1000,
      's',
    ),
    judged('operator, CPU of one change at 100,000 keys', 1, most === undefined ? undefined : most / 1000, 's'),
  ];
}

function judged(target: string, limit: number, actual: number | undefined, unit: string): Judgement {
  const known = actual !== undefined && !Number.isNaN(actual);
  return { target, limit, actual, unit, verdict: !known ? 'not measured' : actual <= limit ? 'ok' : 'over' };
}

/** The whole report as text. */
export function render(figures: Figures): string {
  const sections: string[] = [];
  for (const body of ['small', 'turn'] as const) {
    const rows = figures.throughput.filter((figure) => figure.body === body);
    sections.push(
      table(
        body === 'small' ? 'Closed loop, 300 B, JSON answer' : 'Closed loop, 87 KB turn, short stream',
        ['peer', 'req/s', 'CPU µs', 'p50 ms', 'p99 ms', 'errors', 'recorded'],
        rows.map((row) => [
          row.peer,
          fixed(row.perSecond, 0),
          fixed(row.cpuMicros, 0),
          fixed(row.p50),
          fixed(row.p99),
          `${row.errors}`,
          row.accounted === undefined ? '–' : `${row.accounted.recorded} of ${row.accounted.forwarded}`,
        ]),
      ),
    );
  }
  for (const streams of new Set(figures.firstByte.map((figure) => figure.streams))) {
    sections.push(
      table(
        `First byte, ${streams} concurrent, 250 ms between events`,
        ['peer', 'p50 ms', 'p99 ms', 'added p50', 'added p99', 'added end', 'CPU µs/event', 'errors'],
        figures.firstByte
          .filter((figure) => figure.streams === streams)
          .map((row) => [
            row.peer,
            ...[row.p50, row.p99, row.addedP50, row.addedP99, row.addedEnd].map((value) => fixed(value)),
            fixed(row.cpuPerEvent, 1),
            `${row.errors}`,
          ]),
      ),
    );
  }
  sections.push(
    table(
      'Provider families',
      ['upstream', 'CPU µs/call', 'CPU ms/1,000 events', 'in bulk', 'errors'],
      figures.clouds.map((row) => [
        row.cloud,
        fixed(row.call, 0),
        fixed(row.events / 1000, 1),
        fixed(row.bulkEvents / 1000, 1),
        `${row.errors}`,
      ]),
    ),
    table(
      'Memory of open streams',
      ['peer', 'body', 'open', 'KB/stream'],
      figures.memory.map((row) => [
        row.peer,
        row.body,
        row.streams === row.planned ? `${row.streams}` : `${row.streams} of ${row.planned}`,
        fixed(row.bytesPerStream / KB, 1),
      ]),
    ),
    table(
      'Virtual keys',
      ['keys', 'start s', 'RSS MB', 'peak MB', 'reload ms', 'slowest ms', 'logged ms'],
      [figures.reload, figures.manyKeys]
        .filter((row) => row !== undefined)
        .map((row) => [
          `${row.keys}`,
          fixed(row.readyMs / 1000),
          fixed(row.residentBytes / MB, 0),
          fixed(row.peakBytes / MB, 0),
          fixed(row.reloadMs, 0),
          fixed(row.slowestReloadMs, 0),
          fixed(row.loggedLoadMs, 0),
        ]),
    ),
    table(
      'Virtual keys in a pod, as published',
      ['keys', 'load s', 'held MB', 'peak MB'],
      (figures.pod === undefined ? [] : [figures.pod]).map((row) => [
        `${row.keys}`,
        fixed(row.loadMs / 1000),
        fixed(row.heldBytes / MB, 0),
        fixed(row.peakBytes / MB, 0),
      ]),
    ),
    ...operatorTables(figures.operator).map(({ title, head, rows }) => table(title, head, rows)),
    table(
      'Targets',
      ['target', 'limit', 'actual', ''],
      judge(figures).map((row) => [
        row.target,
        `${row.limit} ${row.unit}`,
        `${fixed(row.actual)} ${row.unit}`,
        row.verdict,
      ]),
    ),
  );
  return sections.join('\n');
}

function fixed(value: number | undefined, digits = 2): string {
  return value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits);
}

function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...(rows.length === 0 ? [['(not measured)']] : rows)];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = lines.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
  return `${title}\n  ${text.join('\n  ')}\n`;
}
