// The operator and its pods over long churn and faults: objects come, change and go, once a round something breaks, and when all has settled every
// process is looked at. Memory, connections, handles, statuses, answers and objects must be where they were.
import { setTimeout as sleep } from 'node:timers/promises';
import { floodPods } from '../../harness/kubernetes/flood-scene.ts';
import type { Failure } from '../../harness/kubernetes/flood.ts';
import { excess, growthOf, middleOf } from '../growth.ts';
import { leftovers } from '../leftovers.ts';
import { printHeadings, printRow } from '../table.ts';
import { FAULTS, type Fault } from './faults.ts';
import { difference, inventory } from './inventory.ts';
import { lookAtAll, type Look } from './processes.ts';
import { editResidents } from './residents.ts';
import { eventually, openStage, type Stage } from './stage.ts';
import { visit } from './visitors.ts';

/** Churn of a round; what has begun by then is brought to its end. */
const ROUND_MS = 8_000;
/** Visits at a time. */
const SIDE_BY_SIDE = 3;
/** Into the churn. */
const FAULT_AFTER_MS = 1_000;
const SETTLED_WITHIN_MS = 120_000;
/** Part of the time in which processes may be made to end. */
const ENDING_PART = 0.4;
/** Longer than idle connections to the API server are kept. */
const QUIET_MS = 40_000;
/** The lowest of so many looks, a second apart: a Lease that is being renewed is no leak. */
const LAST_LOOKS = 5;
/** Heaps are collected before they are looked at, and tell what is held. Events and dead keys that are remembered are some 50 KiB a round. */
const MAX_GROWTH = { rssMiB: 40, heapMiB: 2 };
const WIDTH = 14;

interface Run {
  readonly stage: Stage;
  readonly begun: number;
  readonly end: number;
  calls: number;
  /** Visits, and how often residents were edited. */
  visits: number;
  waves: number;
  readonly faults: Map<string, number>;
}

/** @returns what is not as it should be, in words */
export async function soakOperator(minutes: number): Promise<string[]> {
  const stage = await openStage();
  try {
    return await soak(stage, minutes * 60_000);
  } finally {
    await stage.close();
  }
}

async function soak(stage: Stage, milliseconds: number): Promise<string[]> {
  const objects = await inventory(stage.scene);
  const baseline = await lookInSilence(stage);
  printHeadings([...baseline.map(({ who }) => who), 'sockets', 'handles', 'resources', 'edits', 'calls'], WIDTH);
  const begun = performance.now();
  const run: Run = { stage, begun, end: begun + milliseconds, calls: 0, visits: 0, waves: 0, faults: new Map() };
  print(run, baseline, '');
  const quiet: (readonly Look[])[] = [];
  for (let turn = 0; performance.now() < run.end; turn++) {
    const fault = nextFault(turn, performance.now() < begun + milliseconds * ENDING_PART);
    await round(run, fault);
    await eventually(stage, async () => difference(objects, await inventory(stage.scene)));
    const looks = await lookAtAll(stage.scene);
    print(run, looks, fault.name);
    quiet.push(looks);
  }
  const last = await lookInSilence(stage);
  print(run, last, '');
  return [...stage.wrong, ...judge(run, baseline, quiet, last)];
}

/** Faults in turn; once processes must live on, only those that they live through. */
function nextFault(turn: number, mayEnd: boolean): Fault {
  const faults = FAULTS.filter(({ ends }) => mayEnd || !ends);
  return faults[turn % faults.length]!;
}

/** Load, churn and one fault; resolves when all is over and has settled. */
async function round(run: Run, fault: Fault): Promise<void> {
  const { stage } = run;
  const { scene } = stage;
  const flood = floodPods(scene);
  const until = performance.now() + ROUND_MS;
  const churn = async (): Promise<void> => {
    do {
      const visits = Array.from({ length: SIDE_BY_SIDE }, () => visit(stage, run.visits++));
      await Promise.all([...visits, editResidents(stage, run.waves++)]);
    } while (performance.now() < until);
  };
  const breakage = async (): Promise<void> => {
    await sleep(FAULT_AFTER_MS);
    await fault.bring(stage);
  };
  await Promise.all([churn(), breakage()]);
  run.faults.set(fault.name, (run.faults.get(fault.name) ?? 0) + 1);
  const settled = scene.settle({ withinMs: SETTLED_WITHIN_MS, figures: true }).catch((error: Error) => {
    stage.wrong.push(`after “${fault.name}”: ${error.message}`);
  });
  // Streams that are open end by themselves, meanwhile.
  await Promise.all([settled, flood.stop()]);
  const { calls, streams, failures } = flood.take();
  run.calls += calls + streams;
  const unexplained = failures.filter((failure) => !isExplained(stage, failure));
  stage.wrong.push(...unexplained.map(({ pod, what }) => `during “${fault.name}”, ${pod}: ${what}`));
  stage.killed.clear();
}

/** A pod that is killed takes its own calls with it. */
function isExplained({ killed }: Stage, { pod, what }: Failure): boolean {
  return killed.has(pod) && /ECONNRESET|ECONNREFUSED|socket hang up|aborted/.test(what);
}

/** Looks once idle connections are gone; of each count the lowest of several. */
async function lookInSilence({ scene }: Stage): Promise<Look[]> {
  scene.mock.hangUp();
  await sleep(QUIET_MS);
  let lowest = await lookAtAll(scene);
  for (let more = 1; more < LAST_LOOKS; more++) {
    await sleep(1_000);
    const next = await lookAtAll(scene);
    lowest = lowest.map((look, at) => lower(look, next[at]!));
  }
  return lowest;
}

function lower(a: Look, b: Look): Look {
  return {
    ...b,
    sockets: Math.min(a.sockets, b.sockets),
    descriptors: Math.min(a.descriptors, b.descriptors),
    handles: Math.min(a.handles, b.handles),
    resources: Math.min(a.resources, b.resources),
  };
}

function judge(
  run: Run,
  baseline: readonly Look[],
  quiet: readonly (readonly Look[])[],
  last: readonly Look[],
): string[] {
  const rows: string[] = [];
  const faults = baseline.flatMap((before, at) => {
    const { who } = before;
    const looks = quiet.map((each) => each[at]!);
    const growth = growthOf(looks);
    const { middle, end } = growth;
    rows.push(
      `  ${who.padEnd(8)} RSS ${middle.rssMiB.toFixed(1)} → ${end.rssMiB.toFixed(1)} MiB, heap ${middle.heapMiB.toFixed(2)} → ${end.heapMiB.toFixed(2)} MiB`,
    );
    const lived = new Set(looks.slice(middleOf(looks.length)).map(({ pid }) => pid)).size === 1;
    return [
      ...(lived ? excess(growth, MAX_GROWTH, `${who}: `) : [`${who}: the process ended where it should have lived`]),
      ...leftovers(before, last[at]!, `${who}: `),
    ];
  });
  const { stage, calls, visits } = run;
  const list = [...run.faults].map(([name, count]) => `${count} × ${name}`).join(', ');
  process.stdout.write(
    `\n${quiet.length} rounds, ${visits} visits, ${stage.edits} edits, ${calls} calls\n  faults   ${list}\n${rows.join('\n')}\n`,
  );
  return faults;
}

function print({ stage, begun, calls }: Run, looks: readonly Look[], fault: string): void {
  const all = (name: 'sockets' | 'handles' | 'resources'): string => looks.map((look) => look[name]).join('/');
  const cells = [
    ...looks.map(({ rssMiB, heapMiB }) => `${rssMiB.toFixed(0)} / ${heapMiB.toFixed(2)}`),
    all('sockets'),
    all('handles'),
    all('resources'),
    stage.edits,
    calls,
    ` ${fault}`,
  ];
  printRow((performance.now() - begun) / 60_000, cells, WIDTH);
}
