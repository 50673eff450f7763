/**
 * The operator at growing numbers of virtual keys, on a real API server, under the rules it ships with, with real pods: how long it takes from a
 * cold start until pods serve, what it holds, and what one changed key costs it and the API server.
 */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { RESOURCE } from '#shared/kube/object.ts';
import { PLAIN, valueOf } from '../../harness/kubernetes/churn/population.ts';
import { install, type Installation, type OperatorProcess } from '../../harness/kubernetes/installation.ts';
import { createGateway, createKeys, keyName } from '../operator/population.ts';
import { callsBetween, readScrape, type OperatorScrape } from '../operator/prometheus.ts';
import { peakResidentBytes, settledBytes } from '../process-usage.ts';
import { percentile } from '../statistics.ts';
import type { Bench } from './bench.ts';

export interface OperatorFigure {
  readonly keys: number;
  /** Made in a second through the API server. */
  readonly createdPerSecond: number;
  /** From the start of the process, in milliseconds: caches filled, published, obeyed by every pod. */
  readonly coldStart: { readonly cachesMs: number; readonly publishedMs: number; readonly servedMs: number };
  /** CPU seconds from the start until pods serve, and from there until every status is written. */
  readonly coldCpuSeconds: number;
  readonly statuses: { readonly written: number; readonly perSecond: number; readonly cpuMicrosEach: number };
  /** Once what the start left behind is given back. */
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly peakBytes: number;
  /** Milliseconds from the answer to `apply` until every pod obeys. */
  readonly enforced: { readonly p50: number; readonly p99: number };
  /** CPU of the operator for one changed key: its pass, its publication, its status, the pods' Leases. Idle cost taken off. */
  readonly cpuMsPerChange: number;
  /** Longest time its event loop was held, while keys changed. */
  readonly loopHeldMs: number;
  readonly callsPerChange: number;
  /** By verb and resource, a change. */
  readonly calls: Readonly<Record<string, number>>;
  /** Milliseconds a change by phase of a pass. Phases hold one another: `publish` and `workloads` are part of `serve`. */
  readonly phases: Readonly<Record<string, number>>;
}

const REPLICAS = 2;
const PORT = 8080;
/** Statuses are paced at 100 a second by default, which is 17 minutes for 100,000: here they are not what is measured. */
const ENVIRONMENT = { PORTCULLIS_STATUS_QPS: '2000', PORTCULLIS_API_QPS: '4000', PORTCULLIS_API_BURST: '4000' };
const PATIENCE_MS = 300_000;
const PROBE_MS = 10;
/** Figures of a status are written 5 s late: until then a change is not over. */
const TRAILING_MS = 7_000;
/** Longest wait for statuses: what one changed key costs is measured when none is left to write. */
const STATUSES_MS = 900_000;

/** Adds keys to one installation and measures at each size. */
export async function operatorScale(bench: Bench): Promise<OperatorFigure[]> {
  const { sizes, edits } = bench.plan.operator;
  const installation = await install({ environment: ENVIRONMENT, mock: { retain: 0 } });
  const agent = new Agent({ keepAlive: true });
  try {
    const { plane, namespace, mock } = installation;
    const operator = installation.operators[0]!;
    await createGateway(plane.admin, namespace, REPLICAS, mock.url);
    const figures: OperatorFigure[] = [];
    let made = 0;
    for (const keys of sizes) {
      await operator.kill('SIGTERM');
      bench.say(`operator: making ${keys - made} virtual keys`);
      const createdPerSecond = await createKeys(plane.admin, namespace, made, keys);
      made = keys;
      bench.say(`operator: cold start with ${keys} virtual keys`);
      figures.push({
        keys,
        createdPerSecond,
        ...(await measure({ bench, installation, operator, agent, keys, edits })),
      });
    }
    return figures;
  } finally {
    agent.destroy();
    await installation.close();
  }
}

interface Subject {
  readonly bench: Bench;
  readonly installation: Installation;
  readonly operator: OperatorProcess;
  readonly agent: Agent;
  readonly keys: number;
  readonly edits: number;
}

async function measure(subject: Subject): Promise<Omit<OperatorFigure, 'keys' | 'createdPerSecond'>> {
  const { bench, operator, keys } = subject;
  const cold = await coldStart(subject);
  bench.say(`operator: statuses of ${keys} virtual keys`);
  const statuses = await untilReported(operator, cold.scrape);
  const beforeRest = await scrape(operator);
  const began = performance.now();
  const residentBytes = await settledBytes(operator.pid ?? 0);
  const rested = await scrape(operator);
  const idle = (rested.cpuSeconds - beforeRest.cpuSeconds) / (performance.now() - began);
  bench.say(`operator: editing one of ${keys} virtual keys at a time`);
  const changes = await edit(subject, idle);
  return {
    coldStart: cold.times,
    coldCpuSeconds: cold.scrape.cpuSeconds,
    statuses,
    residentBytes,
    heapBytes: rested.heapBytes,
    peakBytes: peakResidentBytes(operator.pid ?? 0),
    ...changes,
  };
}

async function coldStart(subject: Subject): Promise<{ times: OperatorFigure['coldStart']; scrape: OperatorScrape }> {
  const { operator, installation, keys } = subject;
  const said = operator.log().length;
  const wall = Date.now();
  operator.start();
  const deadline = performance.now() + PATIENCE_MS;
  while (installation.ready().length < REPLICAS || !(await everyPod(subject, keyName(keys - 1), 200))) {
    if (performance.now() > deadline) throw new Error(`the pods do not serve ${keys} keys`);
    await sleep(50);
  }
  const servedMs = Date.now() - wall;
  const log = operator.log().slice(said);
  const at = (message: string): number => {
    const line = log.split('\n').findLast((each) => each.includes(`"msg":"${message}"`));
    return line === undefined ? Number.NaN : Date.parse((JSON.parse(line) as { time: string }).time) - wall;
  };
  const times = { cachesMs: at('caches are filled'), publishedMs: at('published'), servedMs };
  return { times, scrape: await scrape(operator) };
}

/** Waits until no status is left to write, or for as long as is bearable: then the figures tell how many were written. */
async function untilReported(operator: OperatorProcess, from: OperatorScrape): Promise<OperatorFigure['statuses']> {
  const began = performance.now();
  let last = from;
  let changedAt = began;
  for (;;) {
    await sleep(1_000);
    const now = await scrape(operator);
    if (now.statusWrites > last.statusWrites) changedAt = performance.now();
    last = now;
    const at = performance.now();
    if (at - changedAt > TRAILING_MS || at - began > STATUSES_MS) break;
  }
  const written = last.statusWrites;
  const perSecond = ((written - from.statusWrites) * 1_000) / Math.max(1, changedAt - began);
  return {
    written,
    perSecond,
    cpuMicrosEach: ((last.cpuSeconds - from.cpuSeconds) * 1e6) / Math.max(1, written - from.statusWrites),
  };
}

async function edit(
  subject: Subject,
  idle: number,
): Promise<Pick<OperatorFigure, 'enforced' | 'cpuMsPerChange' | 'loopHeldMs' | 'callsPerChange' | 'calls' | 'phases'>> {
  const { operator, installation, keys, edits } = subject;
  const { plane, namespace } = installation;
  const before = await scrape(operator);
  const began = performance.now();
  const times: number[] = [];
  for (let count = 0; count < edits; count += 1) {
    const name = keyName(Math.floor(((count >> 1) * keys) / edits));
    const state = count % 2 === 0 ? 'Disabled' : 'Active';
    await plane.admin.patch(RESOURCE.VirtualKey, { namespace, name }, { spec: { state } });
    const applied = performance.now();
    while (!(await everyPod(subject, name, state === 'Active' ? 200 : 403))) {
      if (performance.now() - applied > PATIENCE_MS) throw new Error(`${name} is not ${state} everywhere`);
      await sleep(PROBE_MS);
    }
    times.push(performance.now() - applied);
    // What follows from one change should not fall together with the next.
    await sleep(1_500);
  }
  await sleep(TRAILING_MS);
  const after = await scrape(operator);
  const cpuSeconds = after.cpuSeconds - before.cpuSeconds - idle * (performance.now() - began);
  const perChange = (counts: Iterable<[string, number]>): Record<string, number> =>
    Object.fromEntries(Array.from(counts, ([name, count]) => [name, count / edits]));
  const calls = perChange(callsBetween(before, after));
  return {
    enforced: { p50: percentile(times, 0.5), p99: percentile(times, 0.99) },
    cpuMsPerChange: (cpuSeconds * 1_000) / edits,
    loopHeldMs: after.loopHeldSeconds * 1_000,
    callsPerChange: Object.values(calls).reduce((sum, each) => sum + each, 0),
    calls,
    phases: perChange(
      Array.from(after.phases, ([phase, { seconds }]) => [
        phase,
        (seconds - (before.phases.get(phase)?.seconds ?? 0)) * 1_000,
      ]),
    ),
  };
}

const scrape = async (operator: OperatorProcess): Promise<OperatorScrape> => readScrape(await operator.metrics());

/** Whether every pod gives this answer to a call with the key. */
async function everyPod({ installation, agent }: Subject, key: string, status: number): Promise<boolean> {
  const answers = await Promise.all(installation.ready().map(({ address }) => ask(agent, address, key)));
  return answers.every((answer) => answer === status);
}

/** @returns the HTTP status; 0 when there was no answer */
function ask(agent: Agent, address: string, key: string): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(`http://${address}:${PORT}/v1/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${valueOf(key)}`, 'content-type': 'application/json' },
      agent,
    });
    sent.once('error', () => resolve(0));
    sent.once('response', (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    });
    sent.end(JSON.stringify({ model: PLAIN, max_tokens: 1, messages: [] }));
  });
}
