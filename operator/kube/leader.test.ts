// Elections over a Lease in memory, on a clock of the test's own. Every client may be cut off, or its answers lost.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiError, type CallOptions, type KubeClient } from '#shared/kube/client.ts';
import type { Lease } from '#shared/kube/types.ts';
import { LeaderElection, type LeaderOptions } from './leader.ts';

const AT = { namespace: 'portcullis', name: 'operator' };

/** What lies between one replica and the Lease. */
interface Line {
  /** `lost`: requests arrive, answers do not. */
  state: 'up' | 'down' | 'lost' | 'hangs';
}

let stored: Lease | undefined;
let version = 0;
let elections: LeaderElection[];
let told: string[];

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  stored = undefined;
  [elections, told] = [[], []];
});
afterEach(async () => {
  await Promise.all(elections.map(async (election) => election.stop()));
  vi.useRealTimers();
});

function clientOver(line: Line): LeaderOptions['client'] {
  const through = async <T>(work: () => T, options: CallOptions | undefined): Promise<T> => {
    if (line.state === 'down') throw new Error('no route');
    if (line.state === 'hangs') {
      await new Promise((_resolve, reject) => setTimeout(() => reject(new Error('too late')), options?.timeout));
    }
    const answer = work();
    if (line.state === 'lost') throw new Error('connection lost');
    return answer;
  };
  const keep = (lease: Lease): Lease =>
    (stored = { ...lease, metadata: { ...lease.metadata, resourceVersion: `${++version}` } });
  const client = {
    get: async (_type: unknown, _at: unknown, options?: CallOptions) =>
      through(() => {
        if (stored === undefined) throw new ApiError(404, 'NotFound', '');
        return stored;
      }, options),
    create: async (_type: unknown, lease: Lease, options?: CallOptions) =>
      through(() => {
        if (stored !== undefined) throw new ApiError(409, 'AlreadyExists', '');
        return keep(lease);
      }, options),
    replace: async (_type: unknown, lease: Lease, options?: CallOptions) =>
      through(() => {
        if (stored?.metadata.resourceVersion !== lease.metadata.resourceVersion)
          throw new ApiError(409, 'Conflict', '');
        return keep(lease);
      }, options),
  };
  return client as unknown as Pick<KubeClient, 'get' | 'create' | 'replace'>;
}

function candidate(
  identity: string,
  line: Line = { state: 'up' },
  options: Partial<LeaderOptions> = {},
): LeaderElection {
  const silent = { info: () => undefined, warn: () => undefined };
  const election = new LeaderElection({
    client: clientOver(line),
    lease: AT,
    identity,
    now: () => performance.now(),
    wallClock: () => Date.now(),
    random: () => 0.5,
    log: silent,
    onElected: () => told.push(`${identity} elected @${Math.round(performance.now() / 1000)}`),
    onLost: () => told.push(`${identity} lost @${Math.round(performance.now() / 1000)}`),
    ...options,
  });
  elections.push(election);
  election.start();
  return election;
}

const holder = (): string | undefined => stored?.spec?.holderIdentity;

function taken(): void {
  const { metadata, spec } = stored!;
  stored = { metadata: { ...metadata, resourceVersion: 'forced' }, spec: { ...spec, holderIdentity: 'z' } };
}

/** Lets time pass and looks many times a second that there are never two. */
async function pass(milliseconds: number): Promise<void> {
  for (let left = milliseconds; left > 0; left -= 50) {
    await vi.advanceTimersByTimeAsync(Math.min(50, left));
    expect(elections.filter(({ leading }) => leading).length).toBeLessThan(2);
  }
}

test('the first one leads at once and renews; the second waits', async () => {
  const a = candidate('a');
  await pass(100);
  const b = candidate('b');
  await pass(60_000);
  expect([a.leading, b.leading, b.holder]).toEqual([true, false, 'a']);
  expect(told).toEqual(['a elected @0']);
  expect(stored?.spec).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 });
  expect(stored?.spec?.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  expect(Number(stored?.metadata.resourceVersion)).toBeGreaterThan(25);
});

test('a holder that stops gives the Lease back, and the next one has it within a retry', async () => {
  const a = candidate('a');
  await pass(100);
  const b = candidate('b');
  await pass(5_000);
  await a.stop();
  expect(stored?.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
  await pass(2_500);
  expect([a.leading, b.leading]).toEqual([false, true]);
  expect(told).toEqual(['a elected @0', 'b elected @7']);
  expect(stored?.spec).toMatchObject({ leaseTransitions: 1 });
});

test.each<Line['state']>(['down', 'lost', 'hangs'])(
  'a holder whose line is %s stops believing before another begins',
  async (state) => {
    const line: Line = { state: 'up' };
    const a = candidate('a', line);
    await pass(100);
    const b = candidate('b');
    await pass(10_000);
    line.state = state;
    await pass(10_100);
    expect([a.leading, b.leading]).toEqual([false, false]);
    await pass(20_000);
    expect([a.leading, b.leading]).toEqual([false, true]);
    expect(told.map((text) => text.split(' @')[0])).toEqual(['a elected', 'a lost', 'b elected']);
  },
);

describe('a process that was frozen for longer than it may believe', () => {
  async function frozen(meanwhile: () => void): Promise<LeaderElection> {
    let ahead = 0;
    const a = candidate('a', { state: 'up' }, { now: () => performance.now() + ahead });
    await pass(1_000);
    expect(a.leading).toBe(true);
    ahead = 12_000;
    // No timer has run yet.
    expect(a.leading).toBe(false);
    meanwhile();
    await pass(3_000);
    return a;
  }

  test('goes on when the Lease is as it left it', async () => {
    expect((await frozen(() => undefined)).leading).toBe(true);
    expect(told).toEqual(['a elected @0']);
  });

  test('is out when another took it meanwhile', async () => {
    expect((await frozen(taken)).leading).toBe(false);
    expect(told).toEqual(['a elected @0', 'a lost @2']);
  });
});

test('a short failure of the server costs nobody the Lease', async () => {
  const line: Line = { state: 'up' };
  const a = candidate('a', line);
  await pass(1_000);
  line.state = 'down';
  await pass(7_000);
  line.state = 'up';
  await pass(10_000);
  expect(a.leading).toBe(true);
  expect(told).toEqual(['a elected @0']);
});

test('a Lease taken by force is believed', async () => {
  const a = candidate('a');
  await pass(1_000);
  taken();
  await pass(5_000);
  expect([a.leading, a.holder]).toEqual([false, 'z']);
  expect(told.map((text) => text.split(' @')[0])).toEqual(['a elected', 'a lost']);
});

test('a Lease deleted by hand is made again', async () => {
  const a = candidate('a');
  await pass(1_000);
  stored = undefined;
  await pass(8_000);
  expect([a.leading, holder()]).toEqual([true, 'a']);
});

test("a clock of the holder's that is years off changes nothing", async () => {
  const a = candidate('a', { state: 'up' }, { wallClock: () => performance.now() });
  await pass(100);
  const b = candidate('b', { state: 'up' }, { wallClock: () => 4e12 - performance.now() });
  await pass(60_000);
  expect([a.leading, b.leading]).toEqual([true, false]);
});

test('many at once: one leads, and when it dies exactly one follows', async () => {
  const lines = Array.from({ length: 5 }, (): Line => ({ state: 'up' }));
  lines.forEach((line, i) => candidate(`r${i}`, line, { random: () => i / 5 }));
  await pass(1_000);
  expect(told).toHaveLength(1);
  lines[elections.findIndex(({ leading }) => leading)]!.state = 'down';
  await pass(40_000);
  expect(elections.filter(({ leading }) => leading)).toHaveLength(1);
  expect(told).toHaveLength(3);
});

describe('times that allow two leaders', () => {
  test.each([
    [{ leaseDuration: 10_000, renewDeadline: 10_000, retryPeriod: 2_000 }],
    [{ leaseDuration: 15_000, renewDeadline: 2_000, retryPeriod: 2_000 }],
  ])('%j are refused', (timing) => {
    expect(() => candidate('a', { state: 'up' }, { timing })).toThrow(RangeError);
  });
});
