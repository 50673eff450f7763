// The operator killed at every point, caches that lag, two leaders at once: a value that a client may have is known to the pods as long as it
// should be good, whatever happens to who made it.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyHash } from '#shared/bundle/key-hash.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import { FakeOperator, FakeServer, PEPPER, virtualKey, type Failure } from './testing.ts';
import { storedKey } from './view.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const HOUR = 3_600_000;
const GRACE = 24 * HOUR;
const hashOf = (value: string) => keyHash(PEPPER.reveal(), value);

/** One key on a server, and the law it is under, looked at after every single write. */
class Stage {
  readonly server = new FakeServer();
  now = START;
  /** Hash that the Secret held last, and the one before with the time it was replaced. */
  held: string | undefined;
  replaced: { hash: string; at: number; serial: number } | undefined;
  readonly faults: string[] = [];

  constructor() {
    this.server.put(RESOURCE.VirtualKey, virtualKey('ci', { rotation: { every: '720h', automatic: true } }));
    this.server.afterWrite = () => this.look();
  }

  operator = () => new FakeOperator({ server: this.server, now: () => this.now });

  get stored() {
    return storedKey(this.server.key('team/ci')?.status);
  }

  /** Hashes an operator without memory would publish. */
  known(): (string | undefined)[] {
    const { credential, previous } = this.stored;
    const good = previous?.until === undefined || this.now < Date.parse(previous.until);
    return [credential?.hash, good ? previous?.hash : undefined];
  }

  look(): void {
    const token = this.server.token('team/ci-key');
    const hash = token === undefined ? undefined : hashOf(token);
    const serial = this.stored.credential?.serial ?? 0;
    if (hash !== undefined && this.held !== undefined && hash !== this.held) {
      this.replaced = { hash: this.held, at: this.now, serial };
    }
    this.held = hash ?? this.held;
    if (this.held !== undefined && !this.known().includes(this.held))
      this.faults.push(`the value of the Secret is unknown (serial ${serial})`);
    const { replaced } = this;
    // Grace: until a further rotation begins.
    if (
      replaced !== undefined &&
      serial === replaced.serial &&
      this.now < replaced.at + GRACE &&
      !this.known().includes(replaced.hash)
    ) {
      this.faults.push(`the replaced value is over before grace is (serial ${serial})`);
    }
  }

  rotate(value: string): void {
    this.server.edit(RESOURCE.VirtualKey, 'team/ci', (key) => {
      key.metadata.annotations = { 'portcullis.dev/rotate': value };
    });
  }
}

/** An operator from then on: works until the caches and the server agree. */
async function recover(stage: Stage): Promise<FakeOperator> {
  stage.server.failure = () => undefined;
  const operator = stage.operator();
  for (let round = 0; round < 6; round++) {
    await operator.settle();
    stage.now += 10_000;
  }
  return operator;
}

async function expectGood(stage: Stage): Promise<void> {
  const operator = await recover(stage);
  expect(stage.faults).toEqual([]);
  expect(stage.stored.credential).toMatchObject({ delivered: true, hash: stage.held });
  expect(operator.entries.map(({ hash }) => hash)).toContain(stage.held);
  expect(operator.think().actions).toEqual([]);
  expect(operator.think().lifecycles.get('team/ci')?.resolvedRefs).toBeUndefined();
}

const FAILURES: Failure[] = ['lost', 'unanswered'];
const SCENES = {
  'a first value': async () => undefined,
  'a rotation by annotation': async (stage: Stage) => {
    await stage.operator().settle();
    stage.rotate('now');
  },
  'a rotation on schedule during grace': async (stage: Stage) => {
    await stage.operator().settle();
    stage.now += 720 * HOUR - 1;
    stage.rotate('now');
    await stage.operator().settle();
    stage.now += 720 * HOUR;
  },
};

describe.each(Object.entries(SCENES))('%s', (_, prepare) => {
  test.each(FAILURES.flatMap((failure) => [0, 1, 2, 3].map((at) => [failure, at] as const)))(
    'killed when write %s, number %i',
    async (failure, at) => {
      const stage = new Stage();
      await prepare(stage);
      const first = stage.server.writes;
      // From that write on nothing goes through any more: the process is gone.
      stage.server.failure = (write) => (write < first + at ? undefined : write === first + at ? failure : 'lost');
      await stage.operator().settle();
      await expectGood(stage);
    },
  );

  test.each(FAILURES.flatMap((failure) => [0, 1, 2, 3].map((at) => [failure, at] as const)))(
    'the same operator goes on after write %s, number %i',
    async (failure, at) => {
      const stage = new Stage();
      await prepare(stage);
      const first = stage.server.writes;
      stage.server.failure = (write) => (write === first + at ? failure : undefined);
      const operator = stage.operator();
      for (let round = 0; round < 8; round++) {
        await operator.settle();
        stage.now += 2_000;
      }
      const { serial } = stage.stored.credential!;
      await expectGood(stage);
      // Nothing was made twice but a value whose making was never answered.
      expect(stage.stored.credential?.serial).toBe(serial);
    },
  );
});

test('a value that the Secret holds already is kept by an operator that starts anew', async () => {
  const stage = new Stage();
  // The third write says that the Secret, the second, holds the value of the first.
  stage.server.failure = (write) => (write < 2 ? undefined : 'lost');
  await stage.operator().settle();
  const token = stage.server.token('team/ci-key');
  expect(stage.stored.credential).toMatchObject({ serial: 1, delivered: false });
  await expectGood(stage);
  expect(stage.server.token('team/ci-key')).toBe(token);
  expect(stage.stored.credential).toMatchObject({ serial: 1, delivered: true });
});

test('the old leader writes the Secret after the new one has begun anew: what clients may have read is taken over', async () => {
  const stage = new Stage();
  await stage.operator().settle();
  stage.rotate('now');
  const old = new FakeOperator({ server: stage.server, now: () => stage.now, pods: false });
  await old.round();
  old.publish(old.think());
  const late = old.think();
  expect(late.actions.map(({ kind }) => kind)).toEqual(['deliver']);

  const fresh = new FakeOperator({ server: stage.server, now: () => stage.now, pods: false });
  await fresh.round();
  fresh.publish(fresh.think());
  const plan = fresh.think();
  expect(plan.actions.map(({ kind }) => kind)).toEqual(['deliver']);

  const before = stage.faults.length;
  old.minter.offer(late);
  old.minter.reached('infra/gw', old.sequence);
  await old.minter.idle();
  const token = stage.server.token('team/ci-key');
  fresh.minter.offer(plan);
  fresh.minter.reached('infra/gw', fresh.sequence);
  await fresh.minter.idle();
  // Between the two writes nobody knows the value: that moment cannot be helped, and it ends.
  expect(stage.faults.length).toBeGreaterThan(before);
  stage.faults.length = 0;
  await fresh.settle();
  await old.settle();
  await expectGood(stage);
  expect(stage.server.token('team/ci-key')).toBe(token);
});

test('two leaders that see no value make one', async () => {
  const stage = new Stage();
  const [a, b] = [stage.operator(), stage.operator()];
  const [planA, planB] = [a.think(), b.think()];
  a.minter.offer(planA);
  await a.minter.idle();
  const first = stage.stored;
  b.minter.offer(planB);
  await b.minter.idle();
  expect(stage.stored).toEqual(first);
  await a.settle();
  expect(stage.stored.credential).toMatchObject({ serial: 1, delivered: true });
});

type Step =
  | { readonly do: 'rotate' | 'restart' | 'round' | 'toggle' }
  | { readonly do: 'wait'; readonly hours: number }
  | { readonly do: 'fail'; readonly after: number; readonly failure: Failure };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ do: 'round' } as const) },
  { weight: 2, arbitrary: fc.constant({ do: 'rotate' } as const) },
  { weight: 2, arbitrary: fc.constant({ do: 'restart' } as const) },
  { weight: 1, arbitrary: fc.constant({ do: 'toggle' } as const) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), hours: fc.constantFrom(0.001, 1, 23.9, 25, 721) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      after: fc.nat(3),
      failure: fc.constantFrom<Failure>('lost', 'unanswered'),
    }),
  },
);

test('[KEY-03] [KEY-06] at no time is a value that clients have, and that should be good, unknown', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
      const stage = new Stage();
      let operator = stage.operator();
      let marks = 0;
      for (const step of steps) {
        if (step.do === 'round') await operator.round();
        if (step.do === 'rotate') stage.rotate(`mark ${++marks}`);
        if (step.do === 'restart') operator = stage.operator();
        if (step.do === 'wait') stage.now += step.hours * HOUR;
        if (step.do === 'toggle') {
          stage.server.edit(RESOURCE.VirtualKey, 'team/ci', (key) => {
            const spec = key.spec as { state?: string };
            spec.state = spec.state === 'Disabled' ? 'Active' : 'Disabled';
          });
        }
        if (step.do === 'fail') {
          const at = stage.server.writes + step.after;
          stage.server.failure = (write) => (write === at ? step.failure : undefined);
        }
        stage.look();
        expect(stage.faults).toEqual([]);
        // What the running operator would have published knows it too.
        const credential = operator.think().credentials.get('team/ci');
        const known = [credential?.hash, credential?.previous?.hash];
        expect(stage.held === undefined || known.includes(stage.held)).toBe(true);
      }
      await expectGood(stage);
    }),
    { numRuns: 300 },
  );
});
