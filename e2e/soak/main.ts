// `make soak`: an hour's worth of mixed load in a few minutes (SOAK_MINUTES, default 3) against the built program. Clients that leave,
// upstreams that fail, configurations that change; now and then everybody pauses and the process is looked at. Exit 1 when memory, sockets,
// slots or records are not what they should be.
import { Agent } from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCommandProcess } from '../bench/child-process.ts';
import { copyProgram, startPortcullis } from '../harness/portcullis-process.ts';
import { call, rubbish, type Target } from './client.ts';
import { breakAndMend, configuration, farewell } from './configurations.ts';
import { Ledger } from './ledger.ts';
import { figuresOf, type Figures } from './process-figures.ts';
import type { Upstreams, UpstreamState } from './upstream-process.ts';

const MINUTES = Number(process.env['SOAK_MINUTES'] ?? 3);
const CALLERS = 160;
const ROUND_MS = 10_000;
const EDIT_EVERY_MS = 3_000;
/** Longer than the keep-alive of client connections and any wait for an upstream. */
const SETTLE_MS = 2_500;
/** From the middle to the end, medians of three. Allocators keep what they had at the peak; what grows on is a leak. */
const MAX_GROWTH_MIB = 40;
/** The same for the lowest of three heaps, which is close to what is in use. */
const MAX_HEAP_GROWTH_MIB = 10;
/** `busy`: sockets and slots under load; everything else is looked at in silence. */
const HEADINGS = [
  'asked',
  'records',
  'RSS MiB',
  'heap MiB',
  'sockets',
  'busy',
  'in flight',
  'queued',
  'handles',
  'resources',
];
/** Statuses this load may be answered with: served, unknown model, wrong key. Everything else is ours to explain. */
const EXPECTED_STATUSES: ReadonlySet<number> = new Set([200, 400, 401]);

const upstreams = await startCommandProcess<Upstreams, object, UpstreamState>(
  new URL('upstream-process.ts', import.meta.url),
);
// A copy: the program reads itself again for each reload, and a build beside the soak would make it another one.
const folder = mkdtempSync(join(tmpdir(), 'portcullis-soak-'));
const program = await copyProgram(folder);
const portcullis = await startPortcullis(configuration(upstreams.ready, 0), { program });
const metricsPort = /^ {2}metrics:\n {4}port: (\d+)$/m.exec(
  readFileSync(join(portcullis.folder, 'portcullis.yaml'), 'utf8'),
)?.[1];
const look = (): Promise<Figures> => figuresOf(portcullis.pid, `http://127.0.0.1:${metricsPort}/metrics`);

const ledger = new Ledger();
// Shorter than the gateway's, so that no call meets a connection that is being closed.
const agent = new Agent({ keepAlive: true, maxSockets: CALLERS, timeout: 800 });
const target: Target = { url: portcullis.url, agent, ledger };

try {
  const violations = await soak();
  for (const violation of violations) process.stdout.write(`VIOLATION  ${violation}\n`);
  process.stdout.write(
    violations.length === 0 ? 'soak: everything is where it was\n' : `soak: ${violations.length} violations\n`,
  );
  process.exitCode = violations.length === 0 ? 0 : 1;
} finally {
  agent.destroy();
  await portcullis.stop();
  await upstreams.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function soak(): Promise<string[]> {
  const baseline = await look();
  row('minute', HEADINGS);
  print(0, baseline, baseline);
  const begun = performance.now();
  const end = begun + MINUTES * 60_000;
  const quiet: Figures[] = [];
  for (let serial = 1; performance.now() < end;) {
    const { next, busy } = await round(serial);
    serial = next;
    await sleep(SETTLE_MS);
    const figures = await look();
    print((performance.now() - begun) / 60_000, figures, busy);
    quiet.push(figures);
  }
  await portcullis.edit(farewell(upstreams.ready));
  agent.destroy();
  await sleep(SETTLE_MS);
  const last = await look();
  print((performance.now() - begun) / 60_000, last, last);
  return judge(baseline, quiet, last);
}

/** Load for a while, with edits; resolves when every call is over. */
async function round(serial: number): Promise<{ next: number; busy: Figures }> {
  const until = performance.now() + ROUND_MS;
  const callers = Array.from({ length: CALLERS }, async () => {
    while (performance.now() < until) {
      await call(target);
      if (Math.random() < 0.02) rubbish(portcullis.url);
    }
  });
  let next = serial;
  while (performance.now() + EDIT_EVERY_MS < until) {
    await sleep(EDIT_EVERY_MS);
    if (next % 4 === 0) await breakAndMend(portcullis, EDIT_EVERY_MS / 3);
    await portcullis.edit(configuration(upstreams.ready, next++));
  }
  const busy = await look();
  await Promise.all(callers);
  return { next, busy };
}

async function judge(baseline: Figures, quiet: readonly Figures[], last: Figures): Promise<string[]> {
  const faults: string[] = [];
  const check = (holds: boolean, text: string): void => void (holds || faults.push(text));
  for (const { inFlight, queued } of [...quiet, last])
    check(inFlight === 0 && queued === 0, `${inFlight} slots and ${queued} places in the queue are taken by nobody`);
  check(last.sockets <= baseline.sockets, `${last.sockets} sockets are open, ${baseline.sockets} were at the start`);
  check(last.handles <= baseline.handles, `${last.handles} handles are active, ${baseline.handles} were at the start`);
  check(
    last.resources <= baseline.resources,
    `${last.resources} resources are active, ${baseline.resources} were at the start`,
  );
  const middle = quiet.slice(Math.floor(quiet.length / 2) - 1, Math.floor(quiet.length / 2) + 2);
  const growth = median(quiet.slice(-3)) - median(middle);
  const heapGrowth = lowestHeap(quiet.slice(-3)) - lowestHeap(middle);
  check(growth <= MAX_GROWTH_MIB, `memory grew by ${growth.toFixed(1)} MiB from the middle to the end`);
  check(heapGrowth <= MAX_HEAP_GROWTH_MIB, `the heap grew by ${heapGrowth.toFixed(1)} MiB from the middle to the end`);
  const { open, received } = await upstreams.run({});
  check(open === 0, `${open} upstream exchanges are still open`);
  const differences = ledger.compare(portcullis.audit);
  check(
    differences.length === 0,
    `records and answers differ in ${differences.length} places: ${differences.slice(0, 5).join('; ')}`,
  );
  check(
    ledger.failures.length === 0,
    `${ledger.failures.length} calls failed: ${ledger.failures.slice(0, 5).join('; ')}`,
  );
  const odd = [...ledger.statuses.keys()].filter((status) => !EXPECTED_STATUSES.has(status));
  check(odd.length === 0, `unexpected statuses ${odd.join(', ')}`);
  check(!/failed unexpectedly/.test(portcullis.said()), 'the log holds a failure nobody expected');
  const list = (counts: ReadonlyMap<unknown, number>): string =>
    [...counts].map(([name, count]) => `${count} × ${String(name)}`).join(', ');
  process.stdout.write(
    `\n${ledger.asked} calls, ${received} upstream requests, ${portcullis.audit.length} records\n  ended     ${list(ledger.endings)}\n` +
      `  statuses  ${list(ledger.statuses)}\n  outcomes  ${list(outcomes())}\n  reloads   ${portcullis.said().match(/^reloaded revision/gm)?.length ?? 0} applied, ` +
      `${portcullis.said().match(/^refused the edit/gm)?.length ?? 0} refused\n  memory    ${growth.toFixed(1)} MiB, heap ${heapGrowth.toFixed(1)} MiB from the middle to the end\n`,
  );
  return faults;
}

function outcomes(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { outcome } of portcullis.audit) {
    const name = typeof outcome === 'string' ? outcome : 'refused';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function median(figures: readonly Figures[]): number {
  const sorted = figures.map(({ rssMiB }) => rssMiB).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function lowestHeap(figures: readonly Figures[]): number {
  return Math.min(...figures.map(({ heapMiB }) => heapMiB));
}

function print(minute: number, now: Figures, under: Figures): void {
  const cells = [
    ledger.asked,
    portcullis.audit.length,
    now.rssMiB.toFixed(1),
    now.heapMiB.toFixed(1),
    now.sockets,
    `${under.sockets}/${under.inFlight}`,
    now.inFlight,
    now.queued,
    now.handles,
    now.resources,
  ];
  row(minute.toFixed(2), cells.map(String));
}

function row(first: string, cells: readonly string[]): void {
  process.stdout.write(`${[first.padStart(6), ...cells.map((cell) => cell.padStart(9))].join(' ')}\n`);
}
