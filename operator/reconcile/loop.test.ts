import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Loop, type Extent } from './loop.ts';

const log = pino({ enabled: false });
let passes: Extent[];
let work: () => Promise<void>;
let loop: Loop;

beforeEach(() => {
  vi.useFakeTimers();
  passes = [];
  work = () => Promise.resolve();
  loop = new Loop({
    run: async (extent) => {
      passes.push(extent);
      await work();
    },
    now: () => performance.now(),
    log,
    rest: { min: 20, max: 5_000 },
    resync: 60_000,
  });
});

afterEach(async () => {
  const stopped = loop.stop();
  await wait(5_000);
  await stopped;
  vi.useRealTimers();
});

const wait = async (ms: number): Promise<void> => void (await vi.advanceTimersByTimeAsync(ms));
const taking = (ms: number) => (): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('many requests before a pass begins are one pass, of the greatest extent asked for', async () => {
  loop.request('settle');
  loop.request('all');
  loop.request('settle');
  await wait(1);
  expect(passes).toEqual(['all']);
});

test('what is asked for during a pass is one more pass after it, and never two at a time', async () => {
  work = taking(100);
  loop.request('all');
  await wait(10);
  loop.request('settle');
  loop.request('settle');
  await wait(89);
  expect(passes).toHaveLength(1);
  await wait(60);
  expect(passes).toEqual(['all', 'settle']);
});

test('after a long pass it rests for half as long', async () => {
  work = taking(2_000);
  loop.request('all');
  await wait(2_000);
  loop.request('all');
  await wait(990);
  expect(passes).toHaveLength(1);
  await wait(20);
  expect(passes).toHaveLength(2);
});

test('a pass that fails is tried again, later each time, in full', async () => {
  work = () => Promise.reject(new Error('no'));
  loop.request('all');
  await wait(1);
  expect(passes).toHaveLength(1);
  await wait(250);
  expect(passes).toHaveLength(2);
  await wait(250);
  expect(passes).toHaveLength(2);
  work = () => Promise.resolve();
  await wait(260);
  expect(passes).toEqual(['all', 'all', 'all']);
  await wait(10_000);
  expect(passes).toHaveLength(3);
});

test('it wakes at the earliest time asked for, and again for a later one asked afterwards', async () => {
  loop.wakeAt(performance.now() + 500);
  loop.wakeAt(performance.now() + 200);
  await wait(199);
  expect(passes).toEqual([]);
  await wait(2);
  expect(passes).toEqual(['all']);
});

test('without any change everything is looked at again now and then', async () => {
  loop.request('all');
  await wait(1);
  await wait(60_100);
  expect(passes).toEqual(['all', 'all']);
});

test('stop lets the running pass end and starts no other', async () => {
  work = taking(100);
  loop.request('all');
  await wait(10);
  loop.request('all');
  const stopped = loop.stop();
  await wait(200);
  await stopped;
  loop.request('all');
  await wait(1_000);
  expect(passes).toHaveLength(1);
});
