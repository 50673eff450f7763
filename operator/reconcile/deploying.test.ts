import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { gatewaySpec } from '#shared/api/gateway.ts';
import type { Resource } from '#shared/api/kinds.ts';
import type { WorkloadReport, WorkloadWriter } from '../workloads/apply.ts';
import type { Workloads } from '../workloads/render.ts';
import { Deploying } from './deploying.ts';

const SOUND: WorkloadReport = { written: [], deleted: [], faults: [] };
const REFUSED: WorkloadReport = {
  ...SOUND,
  faults: [{ object: 'Service claude', reason: 'Unavailable', message: 'no', retry: true }],
};
let calls: string[];
let answer: (gateway: string) => Promise<WorkloadReport>;
let changes: number;
let deploying: Deploying;

beforeEach(() => {
  vi.useFakeTimers();
  [calls, changes] = [[], 0];
  answer = () => Promise.resolve(SOUND);
  const workloads: WorkloadWriter = {
    apply: ({ gateway }: Workloads) => {
      calls.push(gateway.name);
      return answer(gateway.name);
    },
    forget: () => undefined,
  };
  deploying = new Deploying({
    world: { child: () => undefined },
    workloads,
    workloadOptions: { image: 'portcullis:1' },
    metrics: { phase: async (_phase, work) => work() },
    log: pino({ enabled: false }),
    now: () => performance.now(),
    onChange: () => changes++,
    retry: { first: 100, most: 1_000 },
  });
});

afterEach(async () => {
  await deploying.stop();
  vi.useRealTimers();
});

const gateway = (name: string): Resource<'Gateway'> => ({
  kind: 'Gateway',
  metadata: { name, namespace: 'ai', uid: `uid-${name}` },
  spec: gatewaySpec.parse({ publicUrl: 'http://localhost:8080' }),
});
const want = (name: string): void => deploying.want(gateway(name), { ports: [], metadata: false });
const wait = async (ms: number): Promise<void> => void (await vi.advanceTimersByTimeAsync(ms));

test('a Gateway whose calls hang holds up no other', async () => {
  const stuck = Promise.withResolvers<WorkloadReport>();
  answer = (name) => (name === 'stuck' ? stuck.promise : Promise.resolve(SOUND));
  want('stuck');
  want('claude');
  await wait(1);
  want('claude');
  await wait(1);
  expect(calls).toEqual(['stuck', 'claude', 'claude']);
  stuck.resolve(SOUND);
});

test('what failed is told, and tried again later each time until it is mended', async () => {
  answer = () => Promise.resolve(REFUSED);
  want('claude');
  await wait(1);
  expect(deploying.faults('ai/claude')).toEqual([{ reason: 'Unavailable', message: 'Service claude: no' }]);
  expect([calls.length, changes]).toEqual([1, 1]);
  await wait(100);
  expect(calls).toHaveLength(2);
  await wait(100);
  expect(calls).toHaveLength(2);
  answer = () => Promise.resolve(SOUND);
  await wait(100);
  expect(calls).toHaveLength(3);
  expect(deploying.faults('ai/claude')).toEqual([]);
  // The same fault twice was no news; its end was.
  expect(changes).toBe(2);
  await wait(10_000);
  expect(calls).toHaveLength(3);
});

test('a fault that only people can mend is told and not tried again', async () => {
  const [fault] = REFUSED.faults;
  answer = () => Promise.resolve({ ...SOUND, faults: [{ ...fault!, reason: 'NameTaken', retry: false }] });
  want('claude');
  await wait(60_000);
  expect(calls).toHaveLength(1);
  expect(deploying.faults('ai/claude')).toMatchObject([{ reason: 'NameTaken' }]);
});

test('an API server that does not answer is a fault of the Gateway, and goes with it', async () => {
  answer = () => Promise.reject(new Error('away'));
  want('claude');
  await wait(1);
  expect(deploying.faults('ai/claude')).toEqual([{ reason: 'Unavailable', message: 'away' }]);
  deploying.forget('ai/claude', 'uid-claude');
  expect(deploying.faults('ai/claude')).toEqual([]);
  await wait(10_000);
  expect(calls).toHaveLength(1);
});
