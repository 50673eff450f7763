/** The verdicts beside the targets. */
import { expect, test } from 'vitest';
import { loadTime } from './phases/keys.ts';
import { judge, render } from './report.ts';
import type { Figures } from './report.ts';

const row = { body: 'small', perSecond: 1, p50: 1, p99: 2, errors: 0, accounted: undefined } as const;
const figures: Figures = {
  throughput: [
    { ...row, peer: 'bare', cpuMicros: 40 },
    { ...row, peer: 'portcullis', cpuMicros: 100 },
    { ...row, peer: 'bare', body: 'turn', cpuMicros: 100 },
    { ...row, peer: 'portcullis', body: 'turn', cpuMicros: 151 },
  ],
  firstByte: [],
  memory: [{ peer: 'portcullis', body: 'small', streams: 5000, planned: 5000, bytesPerStream: 41 * 1024 }],
  manyKeys: undefined,
  reload: undefined,
};

test('a target is met up to its limit, missed above it, and never met without a figure', () => {
  expect(judge(figures).map((line) => line.verdict)).toEqual([
    'ok',
    'over',
    'over',
    'not measured',
    'not measured',
    'not measured',
    'not measured',
  ]);
  expect(render(figures)).toMatch(/87 KB turn, times bare +1\.5 × +1\.51 × +over/);
});

test('the logged load time is that of the last reload', () => {
  const log = 'ready\nreloaded revision aa in 900 ms\nreloaded revision bb in 12.5 ms\n{"text":"reloaded x in 3 ms"}\n';
  expect([loadTime(log), loadTime('ready\n')]).toEqual([12.5, undefined]);
});
