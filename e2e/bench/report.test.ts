/** The verdicts beside the targets. */
import { expect, test } from 'vitest';
import { loadTime } from './phases/keys.ts';
import type { OperatorFigure } from './phases/operator.ts';
import { judge, render } from './report.ts';
import type { Figures } from './report.ts';

const operatorFigure = (keys: number, cpuMsPerChange: number): OperatorFigure => ({
  keys,
  createdPerSecond: 500,
  coldStart: { cachesMs: 1_000, publishedMs: 2_000, servedMs: 3_000 },
  coldCpuSeconds: 4,
  statuses: { written: keys, perSecond: 100, cpuMicrosEach: 200 },
  residentBytes: keys * 2048,
  heapBytes: keys * 1024,
  peakBytes: keys * 4096,
  enforced: { p50: 100, p99: 2_100 },
  cpuMsPerChange,
  loopHeldMs: 50,
  callsPerChange: 3,
  calls: { 'apply virtualkeys': 1 },
  phases: {},
});

const row = { body: 'small', perSecond: 1, p50: 1, p99: 2, errors: 0, accounted: undefined } as const;
const figures: Figures = {
  throughput: [
    { ...row, peer: 'bare', cpuMicros: 40 },
    { ...row, peer: 'portcullis', cpuMicros: 100 },
    { ...row, peer: 'bare', body: 'turn', cpuMicros: 100 },
    { ...row, peer: 'portcullis', body: 'turn', cpuMicros: 151 },
  ],
  firstByte: [],
  clouds: [
    { cloud: 'anthropic', call: 100, events: 10_000, bulkEvents: 1, errors: 0 },
    { cloud: 'bedrock', call: 200, events: 16_100, bulkEvents: 1, errors: 0 },
  ],
  memory: [{ peer: 'portcullis', body: 'small', streams: 5000, planned: 5000, bytesPerStream: 41 * 1024 }],
  manyKeys: undefined,
  reload: undefined,
  pod: { keys: 100_000, loadMs: 450, heldBytes: 150 * 1024 * 1024, peakBytes: 300 * 1024 * 1024 },
  operator: [operatorFigure(10_000, 30), operatorFigure(100_000, 300)],
};

test('a target is met up to its limit, missed above it, and never met without a figure', () => {
  expect(judge(figures).map((line) => line.verdict)).toEqual([
    'ok',
    'over',
    'ok',
    'not measured',
    'over',
    'not measured',
    'over',
    'not measured',
    'not measured',
    'not measured',
    'not measured',
    'over',
    'ok',
  ]);
  expect(render(figures)).toMatch(/87 KB turn, times bare +1\.5 × +1\.51 × +over/);
  expect(render(figures)).toMatch(/100000 +0\.45 +150 +300/);
});

test('the operator is told with its slopes: what one more key costs', () => {
  const text = render(figures);
  expect(text).toMatch(/100000 +100 +2100 +300 +50 +3\.0 +195 +98 +391/);
  expect(text).toMatch(
    /slope +0\.0 µs\/key +0\.0 µs\/key +3\.0 µs\/key +0\.0 µs\/key +2\.0 KB\/key +1\.0 KB\/key +4\.0 KB\/key/,
  );
  expect(render({ ...figures, operator: [] })).not.toContain('Operator');
});

test('the logged load time is that of the last reload', () => {
  const log = 'ready\nreloaded revision aa in 900 ms\nreloaded revision bb in 12.5 ms\n{"text":"reloaded x in 3 ms"}\n';
  expect([loadTime(log), loadTime('ready\n')]).toEqual([12.5, undefined]);
});
