// What reaches the API server of what is recorded.
import { beforeEach, describe, expect, test } from 'vitest';
import { ApiError } from '#shared/kube/client.ts';
import type { KubeObject } from '#shared/kube/object.ts';
import type { KubeEvent } from '#shared/kube/types.ts';
import type { EventWords } from './event-limits.ts';
import { EventRecorder } from './events.ts';

const KEY: KubeObject = {
  apiVersion: 'portcullis.dev/v1alpha1',
  kind: 'VirtualKey',
  metadata: { namespace: 'team-a', name: 'ci', uid: 'u1', resourceVersion: '7' },
};
const WORDS: EventWords = { type: 'Warning', reason: 'InvalidReference', action: 'Compile', note: 'no Secret x' };

let now: number;
let created: KubeEvent[];
let patched: unknown[];
let fault: Error | undefined;
/** The server has forgotten what was created. */
let gone: boolean;
let warnings: string[];
let recorder: EventRecorder;

beforeEach(() => {
  now = 0;
  [created, patched, warnings] = [[], [], []];
  fault = undefined;
  gone = false;
  recorder = new EventRecorder({
    client: {
      create: async <T extends KubeObject>(_type: unknown, event: KubeObject): Promise<T> => {
        if (fault !== undefined) throw fault;
        created.push(event as KubeEvent);
        return event as T;
      },
      patch: async <T extends KubeObject>(_type: unknown, _at: unknown, patch: object): Promise<T> => {
        if (gone) throw new ApiError(404, 'NotFound', '');
        patched.push(patch);
        return KEY as T;
      },
    },
    controller: 'portcullis.dev/operator',
    instance: 'operator-0',
    now: () => now,
    wallClock: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678) + now,
    random: () => 0.5,
    log: { warn: (_context, text) => warnings.push(text) },
  });
});

async function record(words: Partial<EventWords> = {}, object = KEY): Promise<void> {
  recorder.record(object, { ...WORDS, ...words });
  await recorder.flush();
}

test('an Event says about whom, what, and by whom', async () => {
  await record();
  expect(created).toEqual([
    {
      metadata: { namespace: 'team-a', name: expect.stringMatching(/^ci\.[0-9a-f]+$/) },
      eventTime: '2026-01-02T03:04:05.678000Z',
      ...WORDS,
      regarding: { apiVersion: 'portcullis.dev/v1alpha1', kind: 'VirtualKey', ...KEY.metadata },
      reportingController: 'portcullis.dev/operator',
      reportingInstance: 'operator-0',
    },
  ]);
});

test('about an object of the whole cluster it stands in `default`', async () => {
  await record({}, { ...KEY, metadata: { ...KEY.metadata, namespace: '' } });
  expect(created[0]!.metadata.namespace).toBe('default');
});

test('the same again counts up', async () => {
  await record();
  now = 60_000;
  await record();
  await record();
  expect(created).toHaveLength(1);
  expect(patched).toEqual([
    { series: { count: 2, lastObservedTime: '2026-01-02T03:05:05.678000Z' } },
    { series: { count: 3, lastObservedTime: '2026-01-02T03:05:05.678000Z' } },
  ]);
});

test('one that the server has forgotten, or soon will, is begun anew', async () => {
  await record();
  gone = true;
  await record();
  gone = false;
  now = 3_000_001;
  await record();
  expect([created.length, patched.length]).toEqual([3, 0]);
});

describe('chatter', () => {
  test('from the tenth that differs in words only, within ten minutes, they are one', async () => {
    for (let i = 0; i < 15; i++) await record({ note: `attempt ${i}` });
    expect(created).toHaveLength(10);
    expect(created.at(-1)!.note).toBe('(combined from similar events) attempt 9');
    expect(patched).toHaveLength(5);
    now = 600_001;
    await record({ note: 'attempt 99' });
    expect(created.at(-1)!.note).toBe('attempt 99');
  });

  test('25 at once about one object, then one in five minutes; others are not held back', async () => {
    for (let i = 0; i < 40; i++) await record({ reason: `R${i}` });
    expect(created).toHaveLength(25);
    await record({}, { ...KEY, metadata: { ...KEY.metadata, uid: 'u2' } });
    expect(created).toHaveLength(26);
    now = 300_000;
    for (let i = 40; i < 45; i++) await record({ reason: `R${i}` });
    expect(created).toHaveLength(27);
  });

  test('a flood about many objects is cut, and the log says so', async () => {
    for (let i = 0; i < 3_000; i++) recorder.record({ ...KEY, metadata: { ...KEY.metadata, uid: `u${i}` } }, WORDS);
    await recorder.flush();
    expect(created.length).toBeLessThanOrEqual(1_001);
    expect(warnings).toHaveLength(1);
  });
});

test('a server that refuses is logged, nothing is thrown, the next one goes', async () => {
  fault = new ApiError(403, 'Forbidden', 'no');
  await record();
  expect(warnings).toEqual(['an Event could not be written']);
  fault = undefined;
  await record();
  expect(created).toHaveLength(1);
});

test('long words and names are cut where the server would refuse them, never inside of a character', async () => {
  await record({ note: '😀'.repeat(400) }, { ...KEY, metadata: { ...KEY.metadata, name: 'n'.repeat(253) } });
  const [event] = created;
  expect(event!.metadata.name.length).toBeLessThanOrEqual(253);
  expect(Buffer.byteLength(event!.note!)).toBeLessThanOrEqual(1024);
  expect(event!.note).toMatch(/^(?:😀)+…$/u);
});
