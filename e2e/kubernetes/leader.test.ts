// Elections between processes over a real Lease: killed, frozen, cut off. By their own account there are never two at once.
import { spawn, type ChildProcess } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RESOURCE } from '#shared/kube/object.ts';
import type { KubeEvent, Lease } from '#shared/kube/types.ts';
import { EventRecorder } from '#operator/kube/events.ts';
import { startFaultProxy, type FaultProxy } from '../harness/kubernetes/fault-proxy.ts';
import { sharedControlPlane, testNamespace } from '../harness/kubernetes/shared-control-plane.ts';
import { TIMING } from './leader-timing.ts';
import { until } from './reflected.ts';

const PROGRAM = new URL('leader-process.ts', import.meta.url).pathname;
/** Between a Lease that ran out and the word of the next holder: a retry, two calls, and a busy machine. */
const SLACK_MS = 3_000;

const plane = await sharedControlPlane();

interface Candidate {
  readonly process: ChildProcess;
  /** When it said that it leads. */
  readonly leads: number[];
  readonly said: string[];
}

let namespace: string;
let proxy: FaultProxy;
let kubeconfig: string;
const candidates: Candidate[] = [];

beforeEach(async () => {
  namespace = await testNamespace('leader');
  proxy = await startFaultProxy(plane.url);
  const { stdout } = await plane.kubectl(['config', 'view', '--raw', '--flatten']);
  kubeconfig = join(tmpdir(), `${namespace}.kubeconfig`);
  await writeFile(kubeconfig, stdout.replace(plane.url, proxy.url), { mode: 0o600 });
});
afterEach(async () => {
  for (const { process } of candidates.splice(0)) process.kill('SIGKILL');
  await proxy.close();
  await rm(kubeconfig);
});

function candidate(identity: string, path = plane.kubeconfig): Candidate {
  const child = spawn(process.execPath, [PROGRAM, path, namespace, identity], { stdio: ['ignore', 'pipe', 'inherit'] });
  const one: Candidate = { process: child, leads: [], said: [] };
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (line.startsWith('lead ')) one.leads.push(Number(line.slice(5)));
      else one.said.push(line);
    }
  });
  candidates.push(one);
  return one;
}

const elected = async (one: Candidate): Promise<void> => until(() => one.leads.length > 0);
const lease = async (): Promise<Lease> => plane.admin.get<Lease>(RESOURCE.Lease, { namespace, name: 'leader' });

/** @returns milliseconds between the last word of one and the first of the other; below zero there were two */
const gap = (before: Candidate, after: Candidate): number => after.leads[0]! - before.leads.at(-1)!;

test('one of two leads; when it is killed the other takes over, no sooner than the Lease runs out and not long after', async () => {
  const a = candidate('a');
  await elected(a);
  const b = candidate('b');
  await new Promise((resolve) => setTimeout(resolve, TIMING.leaseDuration + 1_000));
  expect(b.leads).toEqual([]);
  a.process.kill('SIGKILL');
  await elected(b);
  expect(gap(a, b)).toBeGreaterThan(TIMING.leaseDuration - 2 * TIMING.retryPeriod - 100);
  expect(gap(a, b)).toBeLessThan(TIMING.leaseDuration + SLACK_MS);
  expect((await lease()).spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
});

test('one that ends in order gives the Lease back: the other need not wait', async () => {
  const a = candidate('a');
  await elected(a);
  const b = candidate('b');
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  a.process.kill('SIGTERM');
  await elected(b);
  expect(gap(a, b)).toBeGreaterThan(0);
  expect(gap(a, b)).toBeLessThan(TIMING.leaseDuration - TIMING.retryPeriod);
});

test('one that is frozen for longer than its Lease wakes up as nobody', async () => {
  const a = candidate('a');
  await elected(a);
  const b = candidate('b');
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  a.process.kill('SIGSTOP');
  await elected(b);
  const word = a.leads.length;
  a.process.kill('SIGCONT');
  await until(() => a.said.includes('lost'));
  expect(a.leads.length).toBe(word);
  expect(gap(a, b)).toBeGreaterThan(0);
  expect(b.said).toEqual(['elected']);
});

test('one whose line dies without a word stops before the other begins', async () => {
  const a = candidate('a', kubeconfig);
  await elected(a);
  const b = candidate('b');
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  proxy.freeze();
  proxy.refuse();
  await elected(b);
  await until(() => a.said.includes('lost'));
  expect(gap(a, b)).toBeGreaterThan(0);
});

test('connections that are reset all the time cost nobody the Lease', async () => {
  const a = candidate('a', kubeconfig);
  await elected(a);
  const b = candidate('b');
  for (let i = 0; i < 20; i++) {
    proxy.reset();
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  expect([a.said, b.leads]).toEqual([['elected'], []]);
});

test('Events reach the server as it wants them, and count up', async () => {
  const { metadata } = await plane.admin.create(RESOURCE.ConfigMap, { metadata: { namespace, name: 'm' } });
  const warnings: string[] = [];
  const recorder = new EventRecorder({
    client: plane.admin,
    controller: 'portcullis.dev/operator',
    instance: 'operator-0',
    now: () => performance.now(),
    wallClock: Date.now,
    random: Math.random,
    log: { warn: (context, text) => warnings.push(`${text} ${JSON.stringify(context)}`) },
  });
  const regarding = { apiVersion: 'v1', kind: 'ConfigMap', metadata };
  const words = { type: 'Warning', reason: 'InvalidReference', action: 'Compile', note: '😀'.repeat(400) } as const;
  for (let i = 0; i < 3; i++) recorder.record(regarding, words);
  await recorder.flush();
  expect(warnings).toEqual([]);
  const { items } = await plane.admin.list<KubeEvent>(
    RESOURCE.Event,
    { namespace, fieldSelector: 'reason=InvalidReference' },
    {},
  );
  expect(items).toMatchObject([
    { series: { count: 3 }, regarding: { kind: 'ConfigMap', name: 'm', uid: metadata.uid } },
  ]);
  expect((await plane.kubectl(['describe', 'configmap', 'm', '-n', namespace])).stdout).toContain('InvalidReference');
});
