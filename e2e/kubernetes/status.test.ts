// Statuses on a real API server: written, left alone, printed, waited for; what belongs to others untouched; Events; and the health that
// Argo CD would see in what the server gives back.
import { beforeEach, describe, expect, test } from 'vitest';
import { desiredStatus } from '#operator/status/desired.ts';
import { eventsOf, recordTransitions } from '#operator/status/events.ts';
import { ProgrammedTracker } from '#operator/status/programmed.ts';
import type { LeaseObject, PodObject } from '#operator/status/replicas.ts';
import { conditionOf, statusOf, type StatusObject } from '#operator/status/stored.ts';
import { compiled, LOADED } from '#operator/status/testing.ts';
import { StatusWriter, type Reported } from '#operator/status/writer.ts';
import { EventRecorder } from '#operator/kube/events.ts';
import { KINDS, type Kind } from '#shared/api/kinds.ts';
import {
  GATEWAY_LABEL,
  LOADED_SEQUENCE_ANNOTATION,
  LOAD_FAULT_ANNOTATION,
  STATUS_MANAGER,
} from '#shared/kube/labels.ts';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import type { KubeEvent } from '#shared/kube/types.ts';
import { healthOf } from '../harness/argo-health.ts';
import { sharedControlPlane, testNamespace } from '../harness/kubernetes/shared-control-plane.ts';

const plane = await sharedControlPlane();
const SPECS: Readonly<Record<Kind, object>> = {
  Gateway: { publicUrl: 'https://claude.corp' },
  Upstream: {
    gatewayRef: { name: 'x' },
    provider: 'Anthropic',
    anthropic: { auth: { type: 'APIKey', apiKey: { name: 'a', key: 'b' } } },
  },
  Policy: { gatewayRef: { name: 'x' }, match: { everyone: {} } },
  VirtualKey: {
    gatewayRef: { name: 'x' },
    owner: { type: 'Service', name: 'ci' },
    credential: { type: 'Generated', generated: { secretName: 'ci' } },
  },
};
const kinds = KINDS.map(({ kind }) => kind);
const gatewayState = {
  replicas: { ready: 3, current: 3 },
  revision: '0123456789abcdef',
  address: 'x.ai.svc:8080',
  paused: false,
  available: { status: 'True', reason: 'Available', message: '' },
} as const;

let namespace: string;
let requests: number;
let writer: StatusWriter;

beforeEach(async () => {
  namespace = await testNamespace('status');
  requests = 0;
  const stop = writer?.stop();
  await stop;
  writer = new StatusWriter({
    client: {
      get: (type, name, options) => plane.admin.get(type, name, options),
      apply: (type, object, options) => {
        requests++;
        return plane.admin.apply(type, object, options);
      },
    },
    now: () => performance.now(),
    log: { warn: (context, text) => expect.fail(`${text} ${JSON.stringify(context)}`) },
  });
});

const at = (name = 'x') => ({ namespace, name });
const live = (kind: Kind, name?: string) => plane.admin.get<Reported>(RESOURCE[kind], at(name));
const make = (kind: Kind, spec: object = SPECS[kind]): Promise<Reported> =>
  plane.admin.create<Reported>(RESOURCE[kind], {
    apiVersion: 'portcullis.dev/v1alpha1',
    kind,
    metadata: at(),
    spec,
  } as KubeObject);

function wanted(kind: Kind, object: Reported, input: Partial<Parameters<typeof desiredStatus>[0]> = {}): StatusObject {
  const { generation = 1 } = object.metadata;
  return desiredStatus({
    object,
    compiled: compiled(kind, 'x', [], { generation }),
    programmed: LOADED,
    now: Date.now() + 60_000,
    ...(kind === 'Gateway' ? { gateway: gatewayState } : {}),
    ...input,
  }).status;
}

async function write(kind: Kind, object: Reported, status: StatusObject): Promise<Reported> {
  writer.offer(RESOURCE[kind], object, status);
  await expect.poll(() => writer.pending, { timeout: 5_000 }).toBe(0);
  return live(kind);
}

describe.each(kinds)('the status of a %s', (kind) => {
  test('is written whole and read back without a difference', async () => {
    const made = await make(kind);
    const status = wanted(kind, made);
    const stored = await write(kind, made, status);
    expect(statusOf(stored)).toEqual(status);
    expect(stored.metadata.generation).toBe(1);
    writer.offer(RESOURCE[kind], stored, wanted(kind, stored));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(requests).toBe(1);
  });

  test('is in force for kubectl wait only once it is about the latest generation', async () => {
    const made = await make(kind);
    await write(kind, made, wanted(kind, made));
    const wait = (seconds: number) =>
      plane.kubectl([
        'wait',
        `${kind.toLowerCase()}/x`,
        '-n',
        namespace,
        '--for=condition=Ready',
        `--timeout=${seconds}s`,
      ]);
    expect(await wait(5)).toMatchObject({ code: 0 });
    const change =
      kind === 'Gateway' ? { paused: true } : kind === 'VirtualKey' ? { scopes: ['read'] } : { priority: 7 };
    const edited = await plane.admin.patch<Reported>(RESOURCE[kind], at(), { spec: change });
    expect(await wait(1)).toMatchObject({ code: 1 });
    await write(kind, edited, wanted(kind, edited));
    expect(await wait(5)).toMatchObject({ code: 0 });
  });

  test('gives Argo CD the health it has, as the server returns it', async () => {
    const made = await make(kind);
    expect(healthOf(made).status).toBe('Progressing');
    const healthy = await write(kind, made, wanted(kind, made));
    expect(healthOf(healthy).status).toBe('Healthy');
    const invalid = { type: 'Accepted', status: 'False', reason: 'Invalid', message: 'spec.x: mend it' } as const;
    const broken = wanted(kind, healthy, { compiled: compiled(kind, 'x', [invalid]) });
    expect(healthOf(await write(kind, healthy, broken))).toEqual({
      status: 'Degraded',
      message: 'Accepted: Invalid: spec.x: mend it',
    });
  });
});

describe('a write', () => {
  test('leaves to other managers what is theirs, and takes back only what is ours', async () => {
    await make('VirtualKey');
    const theirs = { previous: { serial: 1, hash: 'ab'.repeat(32), prefix: 'sk-pc-1' } };
    const intent = { apiVersion: 'portcullis.dev/v1alpha1', kind: 'VirtualKey', metadata: at(), status: theirs };
    const options = { fieldManager: 'portcullis-operator-keys', subresource: 'status' } as const;
    const before = await plane.admin.apply<Reported>(RESOURCE.VirtualKey, intent, options);
    const kept = statusOf(before)['previous'];
    expect(kept).toBeDefined();
    const expiring = { type: 'Expiring', status: 'True', reason: 'Soon', message: 'In 3 days.' } as const;
    const first = await write(
      'VirtualKey',
      before,
      wanted('VirtualKey', before, { lifecycle: { phase: 'Active', conditions: [expiring] } }),
    );
    expect(conditionOf(statusOf(first), 'Expiring')).toMatchObject(expiring);
    const second = await write('VirtualKey', first, wanted('VirtualKey', first, { lifecycle: { phase: 'Active' } }));
    expect(conditionOf(statusOf(second), 'Expiring')).toBeUndefined();
    expect(statusOf(second)['previous']).toEqual(kept);
    const { metadata } = await plane.admin.get<Reported & { metadata: { managedFields: { manager: string }[] } }>(
      RESOURCE.VirtualKey,
      at(),
    );
    expect(metadata.managedFields.map(({ manager }) => manager)).toContain(STATUS_MANAGER);
  });

  test('never reaches an object that was deleted and made again', async () => {
    const old = await make('Policy');
    await plane.admin.delete(RESOURCE.Policy, at());
    await write('Upstream', await make('Upstream'), wanted('Upstream', await live('Upstream')));
    const young = await make('Policy');
    expect(young.metadata.uid).not.toBe(old.metadata.uid);
    expect(statusOf(await write('Policy', old, wanted('Policy', old)))).toEqual({ conditions: [] });
    expect(requests).toBe(2);
  });

  test('is made all the same when somebody else wrote in between', async () => {
    const made = await make('Policy');
    await plane.admin.patch(RESOURCE.Policy, at(), { metadata: { labels: { a: 'b' } } });
    const stored = await write('Policy', made, wanted('Policy', made));
    expect(stored.metadata.labels).toEqual({ a: 'b' });
    expect(conditionOf(statusOf(stored), 'Ready')?.status).toBe('True');
    expect(requests).toBe(2);
  });

  test('about an object that is gone is dropped', async () => {
    const made = await make('Policy');
    await plane.admin.delete(RESOURCE.Policy, at());
    writer.offer(RESOURCE.Policy, made, wanted('Policy', made));
    await expect.poll(() => writer.pending).toBe(0);
    expect(requests).toBe(1);
  });
});

test('[OPS-23] kubectl get shows state, address with port, provider and replicas', async () => {
  for (const kind of kinds) await write(kind, await make(kind), wanted(kind, await live(kind)));
  const printed = async (name: string): Promise<string> =>
    (await plane.kubectl(['get', name, '-n', namespace, '-o', 'wide'])).stdout.replaceAll(/ +/g, ' ');
  expect(await printed('pgw')).toMatch(/x https:\/\/claude\.corp True True True 3 .*x\.ai\.svc:8080 0123456789abcdef/);
  expect(await printed('pup')).toMatch(/x x Anthropic \d+ True True True/);
  expect(await printed('ppol')).toMatch(/x x 0 True True True/);
  expect(await printed('pvk')).toMatch(/x x ci .*True/);
});

test('[AUDIT-19] what changed becomes Events that kubectl describe shows, what did not becomes none', async () => {
  const recorder = new EventRecorder({
    client: plane.admin,
    controller: 'portcullis.dev/operator',
    instance: 'test',
    now: () => performance.now(),
    wallClock: () => Date.now(),
    random: () => Math.random(),
    log: { warn: (context, text) => expect.fail(`${text} ${JSON.stringify(context)}`) },
  });
  const made = await make('Policy');
  const invalid = { type: 'Accepted', status: 'False', reason: 'Invalid', message: 'spec.models: mend it' } as const;
  const broken = wanted('Policy', made, { compiled: compiled('Policy', 'x', [invalid]) });
  expect(eventsOf('Policy', statusOf(made), broken)).toHaveLength(1);
  recordTransitions(recorder, { type: RESOURCE.Policy, object: made }, statusOf(made), broken);
  recordTransitions(recorder, { type: RESOURCE.Policy, object: made }, broken, broken);
  await recorder.flush();
  const { items } = await plane.admin.list<KubeEvent>(RESOURCE.Event, { namespace }, {});
  expect(items.map(({ type, reason, note, regarding }) => [type, reason, note, regarding?.uid])).toEqual([
    ['Warning', 'Invalid', 'spec.models: mend it', made.metadata.uid],
  ]);
  const { stdout } = await plane.kubectl(['describe', 'policies.portcullis.dev', 'x', '-n', namespace]);
  expect(stdout).toMatch(/Warning\s+Invalid\s+.*spec\.models: mend it/);
});

test('pods and Leases as a real server returns them are understood', async () => {
  const tracker = new ProgrammedTracker({ now: () => performance.now() });
  const labels = { [GATEWAY_LABEL]: 'x' };
  const pod = await plane.admin.create<PodObject>(RESOURCE.Pod, {
    metadata: { ...at('p'), labels },
    spec: { containers: [{ name: 'c', image: 'none' }] },
  } as KubeObject);
  await becomeReady(pod);
  tracker.observePod(await plane.admin.get<PodObject>(RESOURCE.Pod, at('p')));
  const say = (sequence: number, fault?: string) =>
    plane.admin.apply<LeaseObject>(
      RESOURCE.Lease,
      {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: {
          ...at('x-p'),
          labels,
          annotations: {
            [LOADED_SEQUENCE_ANNOTATION]: String(sequence),
            ...(fault === undefined ? {} : { [LOAD_FAULT_ANNOTATION]: fault }),
          },
          ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: pod.metadata.uid ?? '' }],
        },
        spec: { holderIdentity: 'p', leaseDurationSeconds: 30, renewTime: '2026-11-21T12:00:00.000000Z' },
      } as KubeObject,
      { fieldManager: 'portcullis-data-plane' },
    );
  const key = { kind: 'Policy', uid: 'u', generation: 1 } as const;
  const gateway = { namespace, name: 'x', uid: 'g' };
  const started = 1_763_726_400_000;
  tracker.published(gateway, started, [{ uid: 'u', generation: 1 }]);
  tracker.observeLease(await say(started - 1, 'part bundle is missing'));
  expect(tracker.verdict(`${namespace}/x`, key)).toEqual({
    status: 'False',
    reason: 'LoadFault',
    message: '0 of 1 replicas have loaded it; pod p cannot load what is published: part bundle is missing',
  });
  tracker.observeLease(await say(started));
  expect(tracker.verdict(`${namespace}/x`, key).message).toBe('Loaded by the one ready replica.');
});

/** There is no kubelet here to say so. */
async function becomeReady({ metadata }: PodObject): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/pods/${metadata.name}/status`;
  const current = (await plane.raw.send('GET', path)) as { status: object };
  const status = { ...current.status, conditions: [{ type: 'Ready', status: 'True' }] };
  await plane.raw.send('PUT', path, { ...current, status });
}
