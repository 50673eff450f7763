import * as fc from 'fast-check';
import { beforeEach, describe, expect, it, test } from 'vitest';
import type { Condition } from '#shared/api/conditions.ts';
import { contributes, ProgrammedTracker, type ProgrammedSubject } from './programmed.ts';
import { compiled, GATEWAY, lease, pod } from './testing.ts';

const gateway = { namespace: 'ai', name: 'claude', uid: 'g1' };
const key = (generation = 1, rest: Partial<ProgrammedSubject> = {}): ProgrammedSubject => ({
  kind: 'VirtualKey',
  uid: 'k1',
  generation,
  ...rest,
});
const self: ProgrammedSubject = { kind: 'Gateway', uid: 'g1', generation: 1 };

let time = 0;
let tracker: ProgrammedTracker;
beforeEach(() => {
  time = 1_000;
  tracker = new ProgrammedTracker({ now: () => time });
});

/** Three ready pods that have loaded these sequences. */
function pods(...sequences: (number | undefined)[]): void {
  for (const [index, sequence] of sequences.entries()) {
    tracker.observePod(pod(`p${index}`));
    tracker.observeLease(lease(`p${index}`, sequence));
  }
}
const publish = (sequence: number, ...generations: number[]): void =>
  tracker.published(gateway, sequence, [
    { uid: 'g1', generation: 1 },
    ...generations.map((generation) => ({ uid: 'k1', generation })),
  ]);
const said = (subject = key()) => tracker.verdict(GATEWAY, subject);
const held = (observedGeneration: number, lastTransitionTime: string): Condition & { lastTransitionTime: string } => ({
  type: 'Programmed',
  status: 'True',
  reason: 'Programmed',
  message: 'Loaded by all 2 ready replicas.',
  observedGeneration,
  lastTransitionTime,
});

describe('an object that was edited', () => {
  it('is Unknown until published, False while replicas are behind, True when all have it', () => {
    pods(5, 5, 5);
    publish(5, 1);
    expect(said(key(2))).toMatchObject({ status: 'Unknown', reason: 'Pending' });
    publish(6, 2);
    expect(said(key(2))).toEqual({
      status: 'False',
      reason: 'ReplicasBehind',
      message: '0 of 3 replicas have loaded it; waiting for pods p0, p1, p2',
    });
    tracker.observeLease(lease('p0', 6));
    tracker.observeLease(lease('p2', 7));
    expect(said(key(2)).message).toBe('2 of 3 replicas have loaded it; waiting for pod p1');
    tracker.observeLease(lease('p1', 6));
    expect(said(key(2))).toEqual({
      status: 'True',
      reason: 'Programmed',
      message: 'Loaded by all 3 ready replicas.',
    });
  });

  it('waits for the publication that first held its generation, not for later ones', () => {
    pods(6, 6, 6);
    publish(6, 1);
    publish(9, 1);
    expect(said().status).toBe('True');
  });

  it('waits anew when it was out of the publication for a while', () => {
    pods(6, 6, 6);
    publish(6, 1);
    publish(7);
    publish(8, 1);
    expect(said()).toMatchObject({ status: 'False', reason: 'ReplicasBehind' });
  });

  it('is not said to be loaded for what an older generation had', () => {
    pods(6, 6, 6);
    publish(6, 1);
    expect(said().status).toBe('True');
    publish(7, 2);
    expect(said(key(2, { current: held(1, '2026-01-01T00:00:00Z') }))).toMatchObject({ reason: 'ReplicasBehind' });
  });
});

describe('what keeps a replica', () => {
  const rows: [string, () => void, object][] = [
    ['no pod at all', () => undefined, { status: 'False', reason: 'NoReadyReplica' }],
    [
      'a pod that is not ready does not count',
      () => tracker.observePod(pod('p0', false)),
      { reason: 'NoReadyReplica' },
    ],
    [
      'a pod that is going away does not count',
      () => {
        pods(6);
        tracker.observePod(pod('p1', true, { deletionTimestamp: '2026-11-21T12:00:00Z' }));
      },
      { status: 'True', message: 'Loaded by the one ready replica.' },
    ],
    [
      'a pod that has released its Lease does not count',
      () => {
        pods(6, 5);
        tracker.observeLease(lease('p1', 5, { seconds: 1 }));
      },
      { status: 'True' },
    ],
    [
      'a pod whose Lease names no holder does not count',
      () => {
        pods(6, 5);
        tracker.observeLease(lease('p1', 5, { holder: '' }));
      },
      { status: 'True' },
    ],
    [
      'a ready pod without a Lease',
      () => {
        pods(6);
        tracker.observePod(pod('p1'));
      },
      {
        status: 'False',
        reason: 'ReplicaSilent',
        message: '1 of 2 replicas have loaded it; ready, but not telling what they have loaded: pod p1',
      },
    ],
    [
      'a Lease that an earlier pod of the same name left behind',
      () => {
        pods(6, 6);
        tracker.observeLease(lease('p1', 6, { podUid: 'another' }));
      },
      { reason: 'ReplicaSilent' },
    ],
    ['a Lease that says nothing sensible', () => pods(6, undefined), { reason: 'ReplicaSilent' }],
    [
      "a pod that cannot load, in the pod's own words",
      () => {
        pods(6, 5, 5);
        tracker.observeLease(lease('p1', 5, { fault: 'part keys-03:\n digest mismatch' }));
      },
      {
        status: 'False',
        reason: 'LoadFault',
        message: '1 of 3 replicas have loaded it; pod p1 cannot load what is published: part keys-03:  digest mismatch',
      },
    ],
    [
      'many pods: three are named',
      () => pods(6, 1, 1, 1, 1, 1),
      { message: '1 of 6 replicas have loaded it; waiting for pods p1, p2, p3 and 2 more' },
    ],
  ];
  it.each(rows)('%s', (_, arrange, expected) => {
    publish(6, 1);
    arrange();
    expect(said()).toMatchObject(expected);
  });

  it('is bounded and on one line, whatever a pod writes', () => {
    publish(6, 1);
    tracker.observePod(pod('p0'));
    tracker.observeLease(lease('p0', 1, { fault: `a\u0000\u2028b\ud800${'x'.repeat(5000)}` }));
    const { message } = said();
    expect(message.length).toBeLessThan(400);
    expect(message).not.toMatch(/[\p{Cc}\u2028]/u);
    expect(message.isWellFormed()).toBe(true);
  });
});

describe('silence', () => {
  it('is judged by when a Lease was last seen to change, on our own clock', () => {
    pods(5);
    publish(6, 1);
    expect(tracker.wakeAt()).toBe(31_000);
    time = 30_999;
    expect(said().reason).toBe('ReplicasBehind');
    time = 31_000;
    expect(said().reason).toBe('ReplicaSilent');
    expect(tracker.wakeAt()).toBeUndefined();
    // The same Lease seen again, as after a relist, is no sign of life.
    expect(tracker.observeLease(lease('p0', 5))).toBe(false);
    expect(said().reason).toBe('ReplicaSilent');
    expect(tracker.observeLease(lease('p0', 5, { renewed: 1 }))).toBe(true);
    expect(said().reason).toBe('ReplicasBehind');
  });

  it('is put off by a renewal, which asks for no pass', () => {
    pods(6);
    publish(6, 1);
    time = 11_000;
    expect(tracker.observeLease(lease('p0', 6, { renewed: 1 }))).toBe(false);
    expect(tracker.wakeAt()).toBe(41_000);
  });
});

describe('once True', () => {
  it('stays so for this generation while pods roll, restart and go', () => {
    pods(6, 6, 6);
    publish(6, 1);
    const before = said();
    tracker.observePod(pod('p3'));
    expect(said()).toBe(before);
    for (const name of ['p0', 'p1', 'p2']) tracker.forgetPod({ namespace: 'ai', name });
    publish(7, 1);
    expect(said()).toBe(before);
  });

  it('the Gateway, though, follows its pods', () => {
    pods(6, 6);
    publish(6);
    expect(said(self).status).toBe('True');
    tracker.observePod(pod('p2'));
    expect(said(self)).toMatchObject({ status: 'False', reason: 'ReplicaSilent' });
    tracker.observeLease(lease('p2', 6));
    expect(said(self).message).toBe('Loaded by all 3 ready replicas.');
  });

  it('the Gateway tells of a pod that cannot load anything newer', () => {
    pods(6, 6);
    publish(6);
    publish(7);
    tracker.observeLease(lease('p1', 6, { fault: 'part bundle is corrupt' }));
    expect(said(self)).toMatchObject({ status: 'False', reason: 'LoadFault' });
  });
});

describe('a restart of the operator', () => {
  const current = held(1, '2026-11-21T12:00:00Z');

  it('keeps what was found out before, word for word, even before anything is published', () => {
    expect(said(key(1, { current }))).toEqual({
      status: 'True',
      reason: 'Programmed',
      message: 'Loaded by all 2 ready replicas.',
    });
    tracker.observePod(pod('p0'));
    publish(6, 1);
    expect(said(key(1, { current })).message).toBe('Loaded by all 2 ready replicas.');
    expect(tracker.waiting(GATEWAY).size).toBe(1); // The Gateway alone.
  });

  it('counts what is published already as holding what compiles to the same', () => {
    pods(6, 6);
    publish(6, 1);
    expect(said().status).toBe('True');
  });

  it('does not believe what was said before this Gateway was made', () => {
    tracker.published({ ...gateway, creationTimestamp: '2026-11-21T12:00:01Z' }, 1, [{ uid: 'k1', generation: 1 }]);
    pods(0);
    expect(said(key(1, { current }))).toMatchObject({ reason: 'ReplicasBehind' });
  });
});

describe('a Gateway made anew', () => {
  it('starts from nothing', () => {
    pods(6, 6);
    publish(6, 1);
    expect(said().status).toBe('True');
    tracker.published({ ...gateway, uid: 'g2' }, 7, [{ uid: 'k1', generation: 1 }]);
    expect(said()).toMatchObject({ status: 'False', reason: 'ReplicasBehind' });
  });

  it('whose sequence starts lower does not leave anything waiting for what will never come', () => {
    pods(6);
    publish(8, 1);
    expect(said().reason).toBe('ReplicasBehind');
    publish(3, 1);
    expect(said().status).toBe('True');
  });

  it('is forgotten with its objects', () => {
    pods(6);
    publish(6, 1);
    tracker.forgetGateway(GATEWAY);
    expect(said().status).toBe('Unknown');
    expect(tracker.replicas(GATEWAY)).toEqual({ ready: 1, current: 0 });
  });
});

test('figures of a Gateway: ready, current, and the sequence that everyone has', () => {
  expect(tracker.reached(GATEWAY)).toBeUndefined();
  pods(6, 7, 8);
  publish(7);
  expect(tracker.replicas(GATEWAY)).toEqual({ ready: 3, current: 2 });
  expect(tracker.reached(GATEWAY)).toBe(6);
  tracker.observePod(pod('p3'));
  expect(tracker.reached(GATEWAY)).toBe(0);
  expect(tracker.replicas('ai/other')).toEqual({ ready: 0, current: 0 });
});

test('pods and Leases of another Gateway, or of none, change nothing here', () => {
  pods(6);
  publish(6, 1);
  tracker.observePod(pod('q', true, { labels: { 'portcullis.dev/gateway': 'other' } }));
  expect(tracker.observePod(pod('r', true, { labels: {} }))).toBe(false);
  expect(tracker.replicas(GATEWAY).ready).toBe(1);
  // A pod that moves to another Gateway leaves this one.
  expect(tracker.observePod(pod('p0', true, { labels: { 'portcullis.dev/gateway': 'other' } }))).toBe(true);
  expect(tracker.replicas(GATEWAY).ready).toBe(0);
});

test('what is waiting is exactly what news of a pod can move', () => {
  pods(5);
  tracker.published(gateway, 5, [{ uid: 'a', generation: 1 }]);
  expect(tracker.verdict(GATEWAY, key(1, { uid: 'a' })).status).toBe('True');
  tracker.published(gateway, 6, [
    { uid: 'a', generation: 1 },
    { uid: 'b', generation: 1 },
  ]);
  expect([...tracker.waiting(GATEWAY)]).toEqual(['b']);
  tracker.observeLease(lease('p0', 6));
  tracker.verdict(GATEWAY, key(1, { uid: 'b' }));
  expect(tracker.waiting(GATEWAY).size).toBe(0);
});

test.each([
  ['Policy', 'ResolvedRefs', true],
  ['Gateway', 'ResolvedRefs', true],
  ['Upstream', 'ResolvedRefs', false],
  ['VirtualKey', 'ResolvedRefs', false],
  ['Policy', 'Accepted', false],
] as const)('a %s with %s False is in the publication: %j', (kind, type, expected) => {
  const no = { type, status: 'False', reason: 'X', message: '' } as const;
  expect(contributes(compiled(kind, 'x', [no]))).toBe(expected);
  expect(contributes(compiled(kind))).toBe(true);
});

test('True never comes before every ready pod has the publication (property)', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('publish' as const), generation: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constant('load' as const), pod: fc.integer({ min: 0, max: 2 }) }),
    fc.record({ do: fc.constant('ready' as const), pod: fc.integer({ min: 0, max: 2 }), ready: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const fresh = new ProgrammedTracker({ now: () => 0 });
      const loaded = [0, 0, 0];
      const ready = [false, false, false];
      let sequence = 0;
      let generation = 0;
      let includedAt = 0;
      for (const each of steps) {
        if (each.do === 'publish') {
          sequence++;
          if (each.generation > generation) [generation, includedAt] = [each.generation, sequence];
          fresh.published(gateway, sequence, [{ uid: 'k1', generation }]);
        } else if (each.do === 'load') {
          loaded[each.pod] = sequence;
          fresh.observeLease(lease(`p${each.pod}`, sequence));
        } else {
          ready[each.pod] = each.ready;
          fresh.observePod(pod(`p${each.pod}`, each.ready));
        }
        const before = fresh.waiting(GATEWAY).has('k1');
        const { status } = fresh.verdict(GATEWAY, key(generation));
        const all = ready.some(Boolean) && loaded.every((value, index) => !ready[index] || value >= includedAt);
        // Turning True needs everyone; once True it stays.
        const due = generation === 0 ? 'Unknown' : !before || all ? 'True' : 'False';
        expect(status).toBe(due);
      }
    }),
    { numRuns: 300 },
  );
});
