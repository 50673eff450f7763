// What a soak of the operator plays on: the scene of the fault tests with two pods, behind a proxy that breaks connections, and the record of
// what was done and what went wrong.
import { setTimeout as sleep } from 'node:timers/promises';
import { startFaultProxy, type FaultProxy } from '../../harness/kubernetes/fault-proxy.ts';
import { answer, startScene, type Scene } from '../../harness/kubernetes/flood-scene.ts';
import { INSPECTABLE } from './collection.ts';

export interface Stage {
  readonly scene: Scene;
  readonly proxy: FaultProxy;
  /** What was not as it should be, in words. */
  readonly wrong: string[];
  /** Pods that were killed, whose calls may break. */
  readonly killed: Set<string>;
  /** Writes to the API server so far. */
  edits: number;
  /** Ends what {@link openStage} began. */
  close(): Promise<void>;
}

/**
 * Longer than the API server takes to start again on a busy machine: a leader that cannot renew for two thirds of this ends itself, and its
 * memory could not be followed.
 */
export const LEASE_SECONDS = 24;
const PODS = 2;
const RESTART_MS = 200;
const RETRY_MS = 250;
const PATIENCE_MS = 90_000;

export async function openStage(): Promise<Stage> {
  let proxy: FaultProxy | undefined;
  const scene = await startScene({
    replicas: PODS,
    between: async (url) => (proxy = await startFaultProxy(url)),
    // Short watches and two seconds of history: whoever was away for longer lists again.
    controlPlane: { compaction: '2s', apiServerFlags: ['--min-request-timeout=30'] },
    environment: { PORTCULLIS_LEASE_SECONDS: String(LEASE_SECONDS), NODE_OPTIONS: INSPECTABLE },
    podEnvironment: { NODE_OPTIONS: INSPECTABLE },
    mock: { behave: (request) => answer(request.json()), retain: 0 },
  });
  // Each round has a flood of its own, so that there are quiet moments.
  await scene.flood.stop();
  const closing = new AbortController();
  const restarting = restartOperators(scene, closing.signal);
  return {
    scene,
    proxy: proxy!,
    wrong: [],
    killed: new Set(),
    edits: 0,
    async close() {
      closing.abort();
      await restarting;
      await scene.close();
      await proxy?.close();
    },
  };
}

/** Starts operators that have ended, as a Deployment would. */
async function restartOperators({ operators }: Scene, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const operator of operators) if (operator.pid === undefined) operator.start();
    await sleep(RESTART_MS);
  }
}

/** A write that must come about though the API server is away for a while: the same once as many times. */
export async function write(stage: Stage, work: () => Promise<unknown>): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      await work();
      stage.edits++;
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await sleep(RETRY_MS);
    }
  }
}

/** Waits until nothing is missing any more, and notes as wrong what still is. @param missing says what, in words; no answer is asked again */
export async function eventually(stage: Stage, missing: () => Promise<string | undefined>): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const what = await missing().catch((error: Error) => error.message);
    if (what === undefined) return;
    if (performance.now() > until) {
      stage.wrong.push(what);
      return;
    }
    await sleep(RETRY_MS);
  }
}
