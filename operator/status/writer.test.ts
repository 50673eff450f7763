import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest';
import { ApiError, type KubeClient } from '#shared/kube/client.ts';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import { desiredStatus } from './desired.ts';
import type { StatusObject } from './stored.ts';
import { compiled, LOADED, NOW, object, statusFor } from './testing.ts';
import { StatusWriter, type Reported, type StatusWriterOptions } from './writer.ts';

const type = RESOURCE.VirtualKey;

interface Call {
  readonly name: string;
  readonly intent: KubeObject & { status: StatusObject };
  readonly options: object;
}

/** An API server that notes what it is asked and answers as told. */
class Server implements Pick<KubeClient, 'apply' | 'get'> {
  readonly calls: Call[] = [];
  answer: (name: string) => Promise<void> | void = () => undefined;

  async apply<T extends KubeObject>(_: unknown, intent: KubeObject & object, options: object): Promise<T> {
    this.calls.push({ name: intent.metadata.name, intent: intent as Call['intent'], options });
    await this.answer(intent.metadata.name);
    const metadata = { ...intent.metadata, resourceVersion: `after ${intent.metadata.resourceVersion}` };
    return { ...intent, metadata } as KubeObject as T;
  }

  /** What a read finds; nothing when it is not set. */
  stored: Reported | undefined;

  async get<T extends KubeObject>(): Promise<T> {
    if (this.stored === undefined) throw new ApiError(404, 'NotFound', 'x');
    return this.stored as KubeObject as T;
  }

  get names(): string[] {
    return this.calls.map(({ name }) => name);
  }
}

let server: Server;
let warnings: object[];
let writer: StatusWriter;

function start(options: Partial<StatusWriterOptions> = {}): void {
  const log = { warn: (context: object) => void warnings.push(context) };
  writer = new StatusWriter({ client: server, now: () => Date.now(), log, concurrency: 1, ...options });
}

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  server = new Server();
  warnings = [];
});
afterEach(async () => {
  const stopped = writer.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  await stopped;
  vi.useRealTimers();
});

const named = (name: string, status?: StatusObject): Reported =>
  object(status, { name, uid: `uid-${name}`, resourceVersion: '7' });
const sound = statusFor('VirtualKey');
const broken: StatusObject = statusFor('VirtualKey', {
  object: object(sound),
  lifecycle: { phase: 'Expired' },
});
const settling = statusFor('VirtualKey', { programmed: undefined });
const pass = (milliseconds = 0) => vi.advanceTimersByTimeAsync(milliseconds);

describe('a write', () => {
  it('is a server-side apply of the status alone, for this very object', async () => {
    start();
    writer.offer(type, named('a'), sound);
    await pass();
    expect(server.calls).toEqual([
      {
        name: 'a',
        intent: {
          apiVersion: 'portcullis.dev/v1alpha1',
          kind: 'VirtualKey',
          metadata: { namespace: 'ai', name: 'a', resourceVersion: '7' },
          status: sound,
        },
        options: expect.objectContaining({ fieldManager: 'portcullis-operator-status', subresource: 'status' }),
      },
    ]);
    expect(writer.pending).toBe(0);
  });

  it('is told with what was there before', async () => {
    const onWritten = vi.fn();
    start({ onWritten });
    const before = named('a', sound);
    writer.offer(type, before, broken);
    await pass();
    expect(onWritten).toHaveBeenCalledExactlyOnceWith({ type, object: before }, sound, broken);
  });

  it('does not happen without a difference: 1,000 objects in 3 passes are 0 writes', async () => {
    start();
    const objects = Array.from({ length: 1000 }, (_, index) => named(`k${index}`, structuredClone(sound)));
    for (let round = 0; round < 3; round++) {
      for (const each of objects) {
        const { status } = desiredStatus({
          object: each,
          compiled: compiled('VirtualKey', each.metadata.name),
          programmed: LOADED,
          now: NOW + 1000 * round,
        });
        writer.offer(type, each, status);
      }
      await pass(10_000);
    }
    expect(server.calls).toEqual([]);
  });

  it('does not lead to another: neither before nor after the cache has seen it', async () => {
    start();
    const stale = named('a');
    writer.offer(type, stale, sound);
    await pass();
    writer.offer(type, stale, sound);
    await pass(10_000);
    writer.offer(type, named('a', server.calls[0]!.intent.status), sound);
    await pass(10_000);
    expect(server.calls).toHaveLength(1);
  });

  it('is not made when the wish for it is gone by then', async () => {
    start();
    const held = named('a', { ...sound, phase: 'Active' });
    writer.offer(type, held, { ...sound, phase: 'Grace' });
    writer.offer(type, held, { ...sound, phase: 'Active' });
    await pass(60_000);
    expect(server.calls).toEqual([]);
    expect(writer.pending).toBe(0);
  });

  it('of an object waits for the one before it, and is the latest by then', async () => {
    start({ concurrency: 4 });
    const answer = Promise.withResolvers<void>();
    server.answer = () => answer.promise;
    const cached = named('a', sound);
    writer.offer(type, cached, broken);
    await pass();
    writer.offer(type, cached, { ...broken, phase: 'Revoked' });
    writer.offer(type, cached, sound);
    await pass(10_000);
    expect(server.calls).toHaveLength(1);
    answer.resolve();
    await pass(10_000);
    expect(server.calls.map(({ intent }) => intent.status)).toEqual([broken, sound]);
  });
});

describe('order', () => {
  it('is: edited objects, conditions that turned False, other conditions, figures', async () => {
    start({ rate: { perSecond: 1, burst: 1 } });
    writer.offer(type, named('first', sound), broken);
    await pass();
    writer.offer(type, named('figures', sound), { ...sound, prefix: 'x' });
    await pass(4_950);
    const reworded = { ...sound, conditions: sound.conditions.map((each) => ({ ...each, message: 'x' })) };
    writer.offer(type, named('condition', sound), reworded);
    writer.offer(type, named('fault', sound), broken);
    writer.offer(type, named('generation', { ...sound, observedGeneration: 0 }), sound);
    await pass(10_000);
    expect(server.names).toEqual(['first', 'generation', 'fault', 'condition', 'figures']);
  });

  it('lets an edit through a bulk of 100,000 and keeps the pace', async () => {
    start({ rate: { perSecond: 100, burst: 100 } });
    for (let index = 0; index < 100_000; index++) writer.offer(type, named(`k${index}`), sound);
    await pass(2_000);
    expect(server.calls.length).toBeGreaterThanOrEqual(290);
    expect(server.calls.length).toBeLessThanOrEqual(310);
    const before = server.calls.length;
    writer.offer(type, named('mine'), sound);
    await pass(100);
    expect(server.names.indexOf('mine')).toBeGreaterThanOrEqual(before);
    // And those who came first are not forgotten: they have every second turn.
    expect(server.names).toContain('k0');
  });

  it('writes each object once, however often it is offered meanwhile', async () => {
    start({ rate: { perSecond: 100, burst: 100 } });
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < 2_000; index++) writer.offer(type, named(`k${index}`), sound);
    }
    await pass(20_100);
    expect(writer.pending).toBe(0);
    expect(new Set(server.names).size).toBe(2_000);
    expect(server.calls).toHaveLength(2_000);
  });
});

describe('holding back', () => {
  it('gives pods a second to load, so that one write says it all', async () => {
    start();
    writer.offer(type, named('a'), settling);
    await pass(500);
    expect(server.calls).toEqual([]);
    writer.offer(type, named('a'), sound);
    await pass();
    expect(server.calls.map(({ intent }) => intent.status)).toEqual([sound]);
  });

  it('ends after that second', async () => {
    start();
    writer.offer(type, named('a'), settling);
    await pass(600);
    writer.offer(type, named('a'), settling);
    await pass(600);
    expect(server.calls).toHaveLength(1);
  });

  it('is not for a fault of the manifest', async () => {
    start();
    const invalid = { type: 'Accepted', status: 'False', reason: 'Invalid', message: '' } as const;
    writer.offer(type, named('a'), statusFor('VirtualKey', { compiled: compiled('VirtualKey', 'a', [invalid]) }));
    await pass();
    expect(server.calls).toHaveLength(1);
  });

  it('joins the figures of five seconds', async () => {
    start();
    const cached = named('a', sound);
    for (let second = 0; second < 5; second++) {
      writer.offer(type, cached, { ...sound, prefix: String(second) });
      await pass(1_000);
    }
    expect(server.calls.map(({ intent }) => intent.status['prefix'])).toEqual(['4']);
  });
});

describe('a failure', () => {
  it.each([
    ['404', 404, undefined],
    ['409, and it is gone', 409, undefined],
    ['409, and it is another one by now', 409, object(undefined, { uid: 'another' })],
  ])('%s: nothing is tried again', async (_, code, stored) => {
    start();
    server.stored = stored;
    server.answer = () => Promise.reject(new ApiError(code, 'X', 'x'));
    writer.offer(type, named('a'), sound);
    await pass(120_000);
    expect(server.calls).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  it('409, because somebody else wrote: the status is put on what there is now', async () => {
    const onWritten = vi.fn();
    start({ onWritten });
    server.stored = object(broken, { name: 'a', uid: 'uid-a', resourceVersion: '8' });
    let conflicts = 2;
    server.answer = () => (conflicts-- > 0 ? Promise.reject(new ApiError(409, 'Conflict', 'x')) : undefined);
    writer.offer(type, named('a'), sound);
    await pass();
    expect(server.calls.map(({ intent }) => intent.metadata.resourceVersion)).toEqual(['7', '8', '8']);
    expect(onWritten).toHaveBeenCalledExactlyOnceWith(expect.anything(), broken, sound);
    expect(warnings).toEqual([]);
  });

  it('does not come from our own writing: the next one knows the version', async () => {
    start();
    const cached = named('a', sound);
    writer.offer(type, cached, broken);
    await pass();
    writer.offer(type, cached, sound);
    await pass();
    expect(server.calls.map(({ intent }) => intent.metadata.resourceVersion)).toEqual(['7', 'after 7']);
  });

  it('422: told once, not tried again until the object changes', async () => {
    start();
    server.answer = () => Promise.reject(new ApiError(422, 'Invalid', 'status.phase: unsupported'));
    const cached = named('a');
    for (let round = 0; round < 3; round++) {
      writer.offer(type, cached, sound);
      await pass(60_000);
    }
    expect(server.calls).toHaveLength(1);
    expect(warnings).toMatchObject([{ kind: 'VirtualKey', name: 'a' }]);
    writer.offer(type, named('a'), sound);
    await pass();
    expect(server.calls).toHaveLength(2);
  });

  it('of one object does not hold up the others', async () => {
    start({ rate: { perSecond: 1000, burst: 1000 } });
    server.answer = (name) => (name === 'poison' ? Promise.reject(new ApiError(403, 'Forbidden', 'x')) : undefined);
    writer.offer(type, named('poison'), sound);
    for (let index = 0; index < 100; index++) writer.offer(type, named(`k${index}`), sound);
    await pass(1_000);
    expect(new Set(server.names).size).toBe(101);
    expect(server.names.filter((name) => name === 'poison')).toHaveLength(1);
    await pass(30_000);
    expect(server.names.filter((name) => name === 'poison')).toHaveLength(2);
  });

  it.each([
    ['no answer', () => new Error('socket hang up')],
    ['503', () => new ApiError(503, 'ServiceUnavailable', 'x')],
    ['429', () => new ApiError(429, 'TooManyRequests', 'x')],
  ])('%s: all wait, ever longer, and nothing is lost', async (_, fault) => {
    start({ rate: { perSecond: 1000, burst: 1000 } });
    server.answer = () => Promise.reject(fault());
    for (let index = 0; index < 50; index++) writer.offer(type, named(`k${index}`), sound);
    await pass(60_000);
    expect(server.calls.length).toBeLessThan(10);
    expect(writer.pending).toBe(50);
    server.answer = () => undefined;
    await pass(31_000);
    expect(writer.pending).toBe(0);
    expect(new Set(server.names).size).toBe(50);
  });
});

test('a leader that is none any more drops everything and breaks off what is on its way', async () => {
  start();
  let signal: AbortSignal | undefined;
  const apply = vi.spyOn(server, 'apply').mockImplementation(async (_, __, options) => {
    signal = (options as { signal: AbortSignal }).signal;
    return new Promise<never>((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(new Error('aborted')));
    });
  });
  for (let index = 0; index < 10; index++) writer.offer(type, named(`k${index}`), sound);
  await pass();
  await writer.stop();
  expect(signal?.aborted).toBe(true);
  expect(writer.pending).toBe(0);
  writer.offer(type, named('late'), sound);
  await pass(60_000);
  expect(apply).toHaveBeenCalledOnce();
  expect(warnings).toEqual([]);
});
