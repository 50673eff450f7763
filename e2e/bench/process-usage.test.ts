/** Reading /proc: a wrong field would make every CPU figure wrong without a sign. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { childOf, cpuMicros, cpuTicks, residentBytes } from './process-usage.ts';

test('ticks are fields 14 and 15, whatever the name of the command holds', () => {
  const after = 'S 1 2 3 0 -1 4194560 100 0 0 0 40 2 7 9 20 0 1 0 500 1000 200';
  expect(cpuTicks(`77 (a) b (c) ${after}`)).toBe(42);
});

test('CPU time agrees with what the process says of itself', () => {
  const end = performance.now() + 300;
  while (performance.now() < end);
  const own = process.cpuUsage();
  expect(Math.abs(cpuMicros(process.pid) - own.user - own.system)).toBeLessThan(60_000);
});

test('resident memory agrees with what the process says of itself', () => {
  const ratio = residentBytes(process.pid) / process.memoryUsage.rss();
  expect(ratio).toBeGreaterThan(0.8);
  expect(ratio).toBeLessThan(1.2);
});

test('the child of a process is found', async () => {
  const child = spawn('sh', ['-c', 'sleep 5 & echo $!; wait'], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  expect(childOf(child.pid ?? 0)).toBe(Number(line.toString()));
  process.kill(-(child.pid ?? 0));
});
