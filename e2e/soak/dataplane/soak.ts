// An hour's worth of mixed load in a few minutes against the built program. Clients that leave, upstreams that fail, configurations that
// change; now and then everybody pauses and the process is looked at: memory, sockets, slots and records.
import { Agent } from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCommandProcess, type CommandProcess } from '../../bench/child-process.ts';
import { copyProgram, startPortcullis, type PortcullisProcess } from '../../harness/portcullis-process.ts';
import { excess, growthOf } from '../growth.ts';
import { leftovers } from '../leftovers.ts';
import { figuresOf, readMetric, scrape, type ProcessFigures } from '../process-figures.ts';
import { printHeadings, printRow } from '../table.ts';
import { call, rubbish, type Target } from './client.ts';
import { breakAndMend, configuration, farewell } from './configurations.ts';
import { Ledger } from './ledger.ts';
import type { Upstreams, UpstreamState } from './upstream-process.ts';

const CALLERS = 160;
const ROUND_MS = 10_000;
const EDIT_EVERY_MS = 3_000;
/** Longer than the keep-alive of client connections and any wait for an upstream. */
const SETTLE_MS = 2_500;
const MAX_GROWTH = { rssMiB: 40, heapMiB: 10 };
const WIDTH = 9;
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

interface Figures extends ProcessFigures {
  readonly inFlight: number;
  readonly queued: number;
}

interface Stage {
  readonly upstreams: CommandProcess<Upstreams, object, UpstreamState>;
  readonly portcullis: PortcullisProcess;
  readonly agent: Agent;
  readonly ledger: Ledger;
  readonly look: () => Promise<Figures>;
}

/** @returns what is not as it should be, in words */
export async function soakDataPlane(minutes: number): Promise<string[]> {
  const upstreams = await startCommandProcess<Upstreams, object, UpstreamState>(
    new URL('upstream-process.ts', import.meta.url),
  );
  // A copy: the program reads itself again for each reload, and a build beside the soak would make it another one.
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-soak-'));
  const program = await copyProgram(folder);
  const portcullis = await startPortcullis(configuration(upstreams.ready, 0), { program });
  // Shorter than the gateway's, so that no call meets a connection that is being closed.
  const agent = new Agent({ keepAlive: true, maxSockets: CALLERS, timeout: 800 });
  try {
    return await soak(
      { upstreams, portcullis, agent, ledger: new Ledger(), look: () => lookAt(portcullis) },
      minutes * 60_000,
    );
  } finally {
    agent.destroy();
    await portcullis.stop();
    await upstreams.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function lookAt({ folder, pid }: PortcullisProcess): Promise<Figures> {
  const configured = readFileSync(join(folder, 'portcullis.yaml'), 'utf8');
  const port = /^ {2}metrics:\n {4}port: (\d+)$/m.exec(configured)?.[1];
  const text = await scrape(`http://127.0.0.1:${port}/metrics`);
  return {
    ...(await figuresOf(pid, text)),
    inFlight: readMetric(text, 'portcullis_in_flight_upstream'),
    queued: readMetric(text, 'portcullis_queued'),
  };
}

async function soak(stage: Stage, milliseconds: number): Promise<string[]> {
  const { agent, look, portcullis, upstreams } = stage;
  const begun = performance.now();
  const print = (now: Figures, under: Figures): void => printFigures(stage, begun, now, under);
  const baseline = await look();
  printHeadings(HEADINGS, WIDTH);
  print(baseline, baseline);
  const quiet: Figures[] = [];
  for (let serial = 1; performance.now() < begun + milliseconds;) {
    const { next, busy } = await round(stage, serial);
    serial = next;
    await sleep(SETTLE_MS);
    const figures = await look();
    print(figures, busy);
    quiet.push(figures);
  }
  await portcullis.edit(farewell(upstreams.ready));
  agent.destroy();
  await sleep(SETTLE_MS);
  const last = await look();
  print(last, last);
  return judge(stage, baseline, quiet, last);
}

/** Load for a while, with edits; resolves when every call is over. */
async function round(stage: Stage, serial: number): Promise<{ next: number; busy: Figures }> {
  const { agent, ledger, look, portcullis, upstreams } = stage;
  const target: Target = { url: portcullis.url, agent, ledger };
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

async function judge(
  { ledger, portcullis, upstreams }: Stage,
  baseline: Figures,
  quiet: readonly Figures[],
  last: Figures,
): Promise<string[]> {
  const growth = growthOf(quiet);
  const faults = [...excess(growth, MAX_GROWTH), ...leftovers(baseline, last)];
  const check = (holds: boolean, text: string): void => void (holds || faults.push(text));
  for (const { inFlight, queued } of [...quiet, last])
    check(inFlight === 0 && queued === 0, `${inFlight} slots and ${queued} places in the queue are taken by nobody`);
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
  const { middle, end } = growth;
  process.stdout.write(
    `\n${ledger.asked} calls, ${received} upstream requests, ${portcullis.audit.length} records\n  ended     ${list(ledger.endings)}\n` +
      `  statuses  ${list(ledger.statuses)}\n  outcomes  ${list(outcomes(portcullis))}\n  reloads   ${portcullis.said().match(/^reloaded revision/gm)?.length ?? 0} applied, ` +
      `${portcullis.said().match(/^refused the edit/gm)?.length ?? 0} refused\n  memory    ${(end.rssMiB - middle.rssMiB).toFixed(1)} MiB, heap ${(end.heapMiB - middle.heapMiB).toFixed(1)} MiB from the middle to the end\n`,
  );
  return faults;
}

function outcomes({ audit }: PortcullisProcess): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { outcome } of audit) {
    const name = typeof outcome === 'string' ? outcome : 'refused';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function printFigures({ ledger, portcullis }: Stage, begun: number, now: Figures, under: Figures): void {
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
  printRow((performance.now() - begun) / 60_000, cells, WIDTH);
}
