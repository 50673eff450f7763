import { expect, test } from 'vitest';
import { callsBetween, readScrape } from './prometheus.ts';
import { slope } from './tables.ts';

const text = (
  applied: number,
): string => `# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.
process_cpu_seconds_total 12.5
nodejs_eventloop_lag_max_seconds 0.2
nodejs_heap_size_used_bytes 1048576
portcullis_operator_status_writes_total{kind="VirtualKey"} 40
portcullis_operator_status_writes_total{kind="Gateway"} 2
portcullis_operator_api_requests_total{verb="apply",resource="virtualkeys",code="200"} ${applied}
portcullis_operator_api_requests_total{verb="apply",resource="virtualkeys",code="409"} 1
portcullis_operator_api_requests_total{verb="patch",resource="leases",code="200"} ${applied}
portcullis_operator_api_requests_total{verb="watch",resource="pods",code="200"} ${applied}
portcullis_operator_phase_seconds_bucket{le="+Inf",phase="compile"} 4
portcullis_operator_phase_seconds_sum{phase="compile"} 0.8
portcullis_operator_phase_seconds_count{phase="compile"} 4
`;

test('a scrape adds up what has labels and takes the rest as it is', () => {
  const scrape = readScrape(text(3));
  expect(scrape).toMatchObject({ cpuSeconds: 12.5, loopHeldSeconds: 0.2, heapBytes: 1_048_576, statusWrites: 42 });
  expect(scrape.requests.get('apply virtualkeys')).toBe(4);
  expect(scrape.phases).toEqual(new Map([['compile', { seconds: 0.8, count: 4 }]]));
});

test('calls for a change are counted without renewals and watches', () => {
  expect(callsBetween(readScrape(text(3)), readScrape(text(10)))).toEqual(new Map([['apply virtualkeys', 7]]));
});

test('the slope is that of the line nearest to all points', () => {
  expect(
    slope([
      [1, 5],
      [2, 7],
      [3, 9],
    ]),
  ).toBeCloseTo(2);
  expect(
    slope([
      [0, 1],
      [1, 0],
      [2, 2],
    ]),
  ).toBeCloseTo(0.5);
});
