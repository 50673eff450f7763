// What a pod tells the operator about itself.
import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  LOAD_FAULT_ANNOTATION,
  LOADED_REVISION_ANNOTATION,
  LOADED_SEQUENCE_ANNOTATION,
  PREVIOUS_SECRET_ANNOTATION,
} from '#shared/kube/labels.ts';
import type { KubeMeta } from '#shared/kube/object.ts';
import { PodLease, type LeaseReport } from './cluster-lease.ts';
import { FakeCluster } from './testing.ts';

interface Applied {
  readonly metadata: KubeMeta;
  readonly spec: { readonly leaseDurationSeconds: number; readonly renewTime: string; readonly holderIdentity: string };
}

const NOON = Date.parse('2026-06-01T12:00:00Z');
const NOTHING: LeaseReport = { loaded: undefined, fault: undefined, previousSecrets: {} };

let cluster: FakeCluster;
let report: LeaseReport;
let lease: PodLease;
let lines: string[];

beforeEach(() => {
  vi.useFakeTimers({ now: NOON });
  cluster = new FakeCluster();
  report = NOTHING;
  lines = [];
  lease = new PodLease({
    client: cluster.client,
    identity: { gateway: 'claude', namespace: 'platform', pod: 'claude-1', uid: 'uid-1' },
    report: () => report,
    wallClock: Date.now,
    log: pino({}, { write: (line: string) => void lines.push(line) }),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

const applied = (): Applied[] => cluster.leases as unknown as Applied[];

test('[OPS-06] is owned by the pod and says what it serves', async () => {
  report = {
    loaded: { sequence: 42, revision: 'abc' },
    fault: 'bad_part: bundle',
    previousSecrets: { 'platform/ci': { at: '2026-06-01T11:00:00Z', count: 2, addresses: ['10.0.0.1'] } },
  };
  lease.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(applied()).toEqual([
    {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: 'claude-claude-1',
        namespace: 'platform',
        labels: {
          'app.kubernetes.io/managed-by': 'portcullis',
          'portcullis.dev/gateway': 'claude',
          'portcullis.dev/role': 'data-plane',
        },
        annotations: {
          [LOADED_SEQUENCE_ANNOTATION]: '42',
          [LOADED_REVISION_ANNOTATION]: 'abc',
          [LOAD_FAULT_ANNOTATION]: 'bad_part: bundle',
          [PREVIOUS_SECRET_ANNOTATION]:
            '{"platform/ci":{"at":"2026-06-01T11:00:00Z","count":2,"addresses":["10.0.0.1"]}}',
        },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'claude-1', uid: 'uid-1' }],
      },
      spec: {
        holderIdentity: 'claude-1',
        leaseDurationSeconds: 30,
        acquireTime: '2026-06-01T12:00:00.000000Z',
        renewTime: '2026-06-01T12:00:00.000000Z',
      },
    },
  ]);
});

test('says nothing of what is not the case', async () => {
  lease.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(applied()[0]?.metadata.annotations).toEqual({});
});

test('is renewed three times as often as it has to be, and at once when asked; what is asked meanwhile is one more', async () => {
  lease.start();
  await vi.advanceTimersByTimeAsync(30_000);
  expect(applied().map(({ spec }) => spec.renewTime.slice(17, 19))).toEqual(['00', '10', '20', '30']);
  for (let i = 0; i < 20; i++) {
    report = { ...NOTHING, loaded: { sequence: i, revision: 'r' } };
    lease.renew();
  }
  await vi.advanceTimersByTimeAsync(0);
  expect(applied()).toHaveLength(6);
  expect(applied().at(-1)?.metadata.annotations?.[LOADED_SEQUENCE_ANNOTATION]).toBe('19');
});

test('[OPS-22] an API server that is away is mentioned once, and it goes on by itself', async () => {
  cluster.hinder = async () => {
    throw new Error('connect ECONNREFUSED');
  };
  lease.start();
  await vi.advanceTimersByTimeAsync(300_000);
  expect(lines.filter((line) => line.includes('cannot be renewed'))).toHaveLength(1);
  cluster.hinder = async () => undefined;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(applied()).toHaveLength(1);
  expect(lines.filter((line) => line.includes('renewed again'))).toHaveLength(1);
});

test('a pod that leaves lets it run out within a second, even when a renewal hangs, and does not renew it again', async () => {
  let hangs = true;
  cluster.hinder = () => (hangs ? new Promise(() => undefined) : Promise.resolve());
  vi.spyOn(cluster.client, 'apply').mockImplementation(async (_type, object, { signal }) => {
    await Promise.race([
      cluster.hinder(''),
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))),
    ]);
    cluster.leases.push(object);
    return object;
  });
  lease.start();
  await vi.advanceTimersByTimeAsync(0);
  hangs = false;
  await lease.release();
  lease.renew();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(applied().map(({ spec }) => spec.leaseDurationSeconds)).toEqual([1]);
});

test('a fault of any length fits', async () => {
  report = { ...NOTHING, fault: 'x'.repeat(100_000) };
  lease.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(applied()[0]?.metadata.annotations?.[LOAD_FAULT_ANNOTATION]).toHaveLength(1_000);
});
