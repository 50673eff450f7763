// The promises of client-go's work queue, on a clock of the test's own.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WorkQueue, type WorkQueueOptions } from './work-queue.ts';

let begun: string[];
let release: (() => void)[];
let queue: WorkQueue;

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  [begun, release] = [[], []];
});
afterEach(async () => {
  for (const end of release) end();
  await queue.stop();
  vi.useRealTimers();
});

/** Work lasts until the test releases it. */
const held = async (key: string): Promise<undefined> => {
  begun.push(key);
  await new Promise<void>((resolve) => release.push(resolve));
  return undefined;
};

function start(work: WorkQueueOptions['work'], options: Partial<WorkQueueOptions> = {}): void {
  const log = { warn: () => undefined };
  queue = new WorkQueue({ work, concurrency: 1, log, now: () => performance.now(), ...options });
}

const pass = async (milliseconds: number): Promise<void> => void (await vi.advanceTimersByTimeAsync(milliseconds));
const finish = async (): Promise<void> => {
  release.shift()!();
  await pass(0);
};

test('first come, first served; a key that waits already does not wait twice', async () => {
  start(held);
  for (const key of ['a', 'b', 'c', 'b', 'b']) queue.add(key);
  expect(queue.waiting).toBe(2);
  await finish();
  await finish();
  await finish();
  expect(begun).toEqual(['a', 'b', 'c']);
});

test('a key added while it is worked on is worked on once more, never twice at a time', async () => {
  start(held, { concurrency: 3 });
  for (let i = 0; i < 5; i++) queue.add('a');
  expect(begun).toEqual(['a']);
  await finish();
  expect(begun).toEqual(['a', 'a']);
  await finish();
  expect([begun.length, queue.working, queue.waiting]).toEqual([2, 0, 0]);
});

test('no more than so many at a time', async () => {
  start(held, { concurrency: 2 });
  for (const key of ['a', 'b', 'c']) queue.add(key);
  expect(begun).toEqual(['a', 'b']);
  await finish();
  expect(begun).toEqual(['a', 'b', 'c']);
});

test('changes go before bulk; a key moves up, never down', async () => {
  start(held);
  queue.add('now');
  for (const key of ['x', 'y', 'z']) queue.add(key, 'bulk');
  queue.add('change');
  queue.add('z', 'change');
  queue.add('change', 'bulk');
  for (let i = 0; i < 5; i++) await finish();
  expect(begun).toEqual(['now', 'change', 'z', 'x', 'y']);
});

test('a change that comes during bulk work comes back as a change', async () => {
  start(held);
  queue.add('a', 'bulk');
  queue.add('b', 'bulk');
  queue.add('a', 'bulk');
  queue.add('a');
  await finish();
  expect(begun).toEqual(['a', 'a']);
});

describe('later', () => {
  test('of several times the earliest counts', async () => {
    start(held);
    queue.addAfter('a', 500);
    queue.addAfter('a', 100);
    queue.addAfter('a', 300);
    await pass(99);
    expect(begun).toEqual([]);
    await pass(1);
    expect(begun).toEqual(['a']);
    await finish();
    await pass(1_000);
    expect(begun).toEqual(['a']);
  });

  test('work says itself when it wants to come again', async () => {
    start(async (key) => (begun.push(key) < 3 ? 1_000 : undefined));
    queue.add('a');
    await pass(10_000);
    expect(begun).toEqual(['a', 'a', 'a']);
  });
});

describe('failures', () => {
  test('come back after pauses that double, and start small again after a success', async () => {
    const at: number[] = [];
    start(
      async () => {
        at.push(performance.now());
        if (at.length !== 6) throw new Error('no');
        return 1_000;
      },
      { retry: { first: 5, most: 40 } },
    );
    queue.add('a');
    await pass(1_200);
    expect(at.slice(0, 8).map((time, i) => time - (at[i - 1] ?? time))).toEqual([0, 5, 10, 20, 40, 40, 1_000, 5]);
  });

  test('all together no faster than 10 a second after the first 100', async () => {
    let runs = 0;
    start(
      async () => {
        runs++;
        throw new Error('no');
      },
      { concurrency: 50, retry: { first: 5, most: 5 } },
    );
    for (let i = 0; i < 50; i++) queue.add(`k${i}`);
    await pass(10_000);
    // 50 first runs, 100 retries at once, then 10 a second.
    expect(runs).toBeGreaterThan(200);
    expect(runs).toBeLessThanOrEqual(251);
  });
});

test('stop waits for what is being worked on and begins nothing more', async () => {
  start(held);
  queue.add('a');
  queue.add('b');
  queue.addAfter('c', 10);
  let stopped = false;
  void queue.stop().then(() => (stopped = true));
  await pass(100);
  expect(stopped).toBe(false);
  await finish();
  expect([stopped, begun]).toEqual([true, ['a']]);
  queue.add('d');
  expect(begun).toEqual(['a']);
});
