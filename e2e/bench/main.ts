/**
 * `make bench`: Portcullis beside nginx and the bare forwarder, on one mock upstream, in interleaved rounds.
 * Prints tables with the targets beside and writes `.results/bench.json`. Figures, not a test: it fails only when one
 * could not be taken. `BENCH_QUICK=1` is a short look; `BENCH_PEERS=nginx,bare` restricts the peers, `BENCH_PHASES=operator` what is measured
 * (`make bench PHASES=operator`).
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCommandProcess } from './child-process.ts';
import type { LoadCommand, LoadReply } from './load/load-process.ts';
import type { Bench } from './phases/bench.ts';
import { clouds } from './phases/clouds.ts';
import { firstByte } from './phases/first-byte.ts';
import { manyKeys } from './phases/keys.ts';
import type { KeysFigure } from './phases/keys.ts';
import { memory } from './phases/memory.ts';
import { operatorScale } from './phases/operator.ts';
import { podLoad, type PodLoadFigure } from './phases/pod-load.ts';
import { throughput } from './phases/throughput.ts';
import type { RunningPeer } from './peers/peer.ts';
import { peers } from './peers/peers.ts';
import { fullPlan, isPhase, PHASES, quickPlan } from './plan.ts';
import { judge, render } from './report.ts';
import type { Figures } from './report.ts';
import type { UpstreamMode } from './upstream-process.ts';

const results = new URL('../../.results/', import.meta.url);
const begun = performance.now();
const elapsed = (): string => `${((performance.now() - begun) / 1000).toFixed(0).padStart(4)} s`;

await using stack = new AsyncDisposableStack();
const workFolder = mkdtempSync(join(tmpdir(), 'portcullis-bench-'));
process.once('exit', () => rmSync(workFolder, { recursive: true, force: true }));
// Interrupted, leave through `exit`, where the servers are stopped.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const phases = (process.env['BENCH_PHASES'] || PHASES.join(',')).split(',').map((name) => {
  if (!isPhase(name)) throw new Error(`there is no phase ${name}: ${PHASES.join(', ')}`);
  return name;
});
const wanted = process.env['BENCH_PEERS']?.split(',');
const skipped: string[] = [];
const present = peers.filter((peer) => {
  // The direct connection is what added times are counted from.
  if (wanted !== undefined && peer.name !== 'direct' && !wanted.includes(peer.name)) return false;
  const missing = peer.missing();
  if (missing !== undefined) skipped.push(`${peer.name}: ${missing}`);
  return missing === undefined;
});
for (const line of skipped) console.log(`skipped ${line}`);
// Latencies measured beside other work say more about that work than about the peers.
const loadBefore = loadavg()[0] ?? 0;
if (loadBefore > 0.3)
  console.log(`the machine is busy already (load ${loadBefore.toFixed(2)}): trust ratios, not times`);

const upstream = await startCommandProcess<{ url: string }, UpstreamMode, { received: number }>(
  new URL('./upstream-process.ts', import.meta.url),
);
stack.defer(upstream.stop);
const load = await startCommandProcess<object, LoadCommand, LoadReply>(
  new URL('./load/load-process.ts', import.meta.url),
);
stack.defer(load.stop);

let folders = 0;
const bench: Bench = {
  plan: process.env['BENCH_QUICK'] ? quickPlan : fullPlan,
  peers: present,
  upstream,
  load,
  folder: () => {
    const folder = join(workFolder, String((folders += 1)));
    mkdirSync(folder);
    return folder;
  },
  say: (line) => console.log(`${elapsed()}  ${line}`),
};

const failures: string[] = [];
/** A figure that cannot be taken must not cost the others. */
async function attempt<Figure>(what: string, take: () => Promise<Figure>): Promise<Figure | undefined> {
  try {
    return await take();
  } catch (error) {
    failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function sharedPhases(): Promise<Pick<Figures, 'throughput' | 'firstByte'>> {
  await using running = new AsyncDisposableStack();
  await upstream.run({ kind: 'json' });
  const started: RunningPeer[] = [];
  for (const peer of present) {
    const up = await attempt(`start ${peer.name}`, () => peer.start(upstream.ready.url, bench.folder()));
    if (up === undefined) continue;
    running.defer(up.stop);
    started.push(up);
  }
  return {
    throughput: (await attempt('throughput', () => throughput(bench, started))) ?? [],
    firstByte: (await attempt('first byte', () => firstByte(bench, started))) ?? [],
  };
}

const shared = phases.includes('traffic') ? await sharedPhases() : { throughput: [], firstByte: [] };
const families = phases.includes('clouds') ? ((await attempt('clouds', () => clouds(bench))) ?? []) : [];
const perStream = phases.includes('memory') ? ((await attempt('memory', () => memory(bench))) ?? []) : [];
let many: KeysFigure | undefined;
let reload: KeysFigure | undefined;
let pod: PodLoadFigure | undefined;
if (phases.includes('keys') && present.some((peer) => peer.name === 'portcullis')) {
  const { keys } = bench.plan;
  reload = await attempt('reload', () => manyKeys(bench, 200, 1, bench.plan.reload.switches));
  many = await attempt('many keys', () => manyKeys(bench, keys.count, keys.starts, keys.switches));
  pod = await attempt('pod load', () => podLoad(bench, keys.count, keys.starts));
}

const operator = phases.includes('operator') ? ((await attempt('operator', () => operatorScale(bench))) ?? []) : [];

const figures: Figures = { ...shared, clouds: families, memory: perStream, manyKeys: many, reload, pod, operator };
for (const row of [...figures.throughput, ...figures.firstByte]) {
  if (row.errors > 0) failures.push(`${row.peer}: ${row.errors} requests failed`);
}
for (const { peer, body, accounted } of figures.throughput) {
  if (accounted === undefined || accounted.recorded === accounted.forwarded) continue;
  failures.push(`${peer}, ${body} body: ${accounted.recorded} records of ${accounted.forwarded} forwarded calls`);
}
for (const { cloud, errors } of figures.clouds) if (errors > 0) failures.push(`${cloud}: ${errors} calls failed`);
for (const row of figures.memory) {
  if (row.streams < row.planned) failures.push(`${row.peer}: only ${row.streams} of ${row.planned} streams opened`);
}
console.log(`\n${render(figures)}`);
for (const line of skipped) console.log(`skipped ${line}`);
for (const line of failures) console.error(`failed ${line}`);
mkdirSync(results, { recursive: true });
writeFileSync(
  new URL('bench.json', results),
  `${JSON.stringify({ at: new Date().toISOString(), node: process.version, cores: cpus().length, loadBefore, plan: bench.plan, skipped, failures, figures, targets: judge(figures) }, null, 2)}\n`,
);
console.log(`${elapsed()}  written to .results/bench.json`);
process.exitCode = failures.length === 0 ? 0 : 1;
