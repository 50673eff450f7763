// The minter's own bookkeeping: order, pace, retries, what it forgets and when.
import { describe, expect, test } from 'vitest';
import { ApiError } from '#shared/kube/client.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import { FakeOperator, FakeServer, metadataOf, virtualKey } from './testing.ts';
import { writeStored } from './stored-write.ts';
import { keyView } from './view.ts';

const START = Date.parse('2026-01-01T00:00:00Z');

function stage(pods = true) {
  const server = new FakeServer();
  const clock = { now: START };
  const operator = new FakeOperator({ server, now: () => clock.now, pods });
  return { server, clock, operator };
}

const rotate = (server: FakeServer, id: string, value: string) =>
  server.edit(RESOURCE.VirtualKey, id, (key) => {
    key.metadata.annotations = { 'portcullis.dev/rotate': value };
  });

describe('what is done first', () => {
  test('a rotation that somebody asked for before a thousand first values, and those before schedules', async () => {
    const { server, clock, operator } = stage();
    server.put(RESOURCE.VirtualKey, virtualKey('asked'));
    server.put(RESOURCE.VirtualKey, virtualKey('due', { rotation: { every: '48h', automatic: true } }));
    await operator.settle();
    clock.now += 72 * 3_600_000;
    for (let index = 0; index < 50; index++) server.put(RESOURCE.VirtualKey, virtualKey(`new-${index}`));
    rotate(server, 'team/asked', 'now');
    const order = operator.think().actions.map(({ key }) => key.id);
    expect(order[0]).toBe('team/asked');
    expect(order.at(-1)).toBe('team/due');
    expect(order).toHaveLength(52);
  });

  test('no more keys at once than allowed, however many pods have been waited for', async () => {
    const { server, operator } = stage(false);
    let [running, most] = [0, 0];
    const { client } = server;
    const fast = { ...client };
    const slow =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        return call(...args).finally(() => running--);
      };
    Object.assign(client, {
      create: slow((...args: Parameters<typeof client.create>) => fast.create(...args)),
      apply: slow((...args: Parameters<typeof client.apply>) => fast.apply(...args)),
    });
    for (let index = 0; index < 60; index++) server.put(RESOURCE.VirtualKey, virtualKey(`k${index}`));
    await operator.round();
    operator.publish(operator.think());
    operator.minter.offer(operator.think());
    operator.minter.reached('infra/gw', operator.sequence);
    await operator.minter.idle();
    expect(server.of(RESOURCE.Secret)).toHaveLength(60);
    expect(most).toBe(8);
  });
});

test('a publication without the hash is none to wait for', async () => {
  const { server, operator } = stage(false);
  server.put(RESOURCE.VirtualKey, virtualKey('ci'));
  await operator.round();
  operator.minter.reached('infra/gw', undefined);
  operator.minter.published('infra/gw', 1, []);
  operator.minter.offer(operator.think());
  await operator.minter.idle();
  expect(server.secret('team/ci-key')).toBeUndefined();
  operator.publish(operator.think());
  await operator.minter.idle();
  expect(server.secret('team/ci-key')).toBeDefined();
});

describe('what fails', () => {
  test('is tried again after longer and longer pauses', async () => {
    const { server, clock, operator } = stage();
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    server.failure = () => 'lost';
    const pauses: number[] = [];
    for (let attempt = 0; attempt < 11; attempt++) {
      await operator.round();
      const { writes } = server;
      await operator.round();
      expect(server.writes).toBe(writes);
      pauses.push((operator.minter.wakeAt ?? 0) - clock.now);
      clock.now = operator.minter.wakeAt ?? 0;
    }
    expect(pauses.map((pause) => pause / 1_000)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    server.failure = () => undefined;
    await operator.settle();
    expect(server.token('team/ci-key')).toBeDefined();
    expect(operator.minter.wakeAt).toBeUndefined();
  });

  test('is forgotten with its key', async () => {
    const { server, clock, operator } = stage();
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    server.failure = () => 'lost';
    await operator.round();
    server.remove(RESOURCE.VirtualKey, 'team/ci');
    clock.now += 2_000;
    await operator.round();
    expect(operator.minter.memory.size).toBe(0);
  });

  test('no message holds a value', async () => {
    const { server, operator } = stage();
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    server.client.create = () => Promise.reject(new ApiError(403, 'Forbidden', 'secrets is forbidden'));
    await operator.settle();
    expect(operator.logged.join('\n')).toContain('secrets is forbidden');
    expect(operator.logged.join('\n')).not.toMatch(/sk-pc-[A-Za-z0-9_-]{5}/);
  });
});

describe('what is remembered', () => {
  test('nothing, once the caches show everything', async () => {
    const { server, operator } = stage();
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    rotate(server, 'team/ci', 'now');
    await operator.settle();
    await operator.round();
    expect([...operator.minter.memory]).toEqual([]);
  });

  test('a Secret just written counts as there while its cache lags, but not when its end was seen', async () => {
    const { server, clock, operator } = stage();
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.round();
    await operator.round();
    const secret = metadataOf(server.secret('team/ci-key'));
    expect(secret).toBeDefined();
    server.remove(RESOURCE.Secret, 'team/ci-key');
    const refs = () => operator.think().lifecycles.get('team/ci')?.resolvedRefs?.reason;
    expect(refs()).toBeUndefined();
    operator.minter.secretChanged(secret, undefined);
    expect(refs()).toBe('SecretLost');
    expect(clock.now).toBe(START);
  });

  test('a Secret just written is missed at last, even if its end was never seen', async () => {
    const { server, clock, operator } = stage();
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.round();
    await operator.round();
    server.remove(RESOURCE.Secret, 'team/ci-key');
    const plan = operator.think();
    expect(plan.lifecycles.get('team/ci')?.resolvedRefs).toBeUndefined();
    clock.now = plan.wakeAt ?? 0;
    expect(clock.now - START).toBe(60_000);
    expect(operator.think().lifecycles.get('team/ci')?.resolvedRefs?.reason).toBe('SecretLost');
  });

  test.each(['before', 'after'])('the event of our own write, %s the answer to it, is no news', async (when) => {
    const { server, operator } = stage();
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    const before = metadataOf(server.secret('team/ci-key'));
    const tell = () => {
      const after = metadataOf(server.secret('team/ci-key'));
      if (after !== before) operator.minter.secretChanged(before, after);
    };
    if (when === 'before') server.afterWrite = tell;
    rotate(server, 'team/ci', 'now');
    // Not round(): that tells of Secrets by itself.
    for (let round = 0; round < 2; round++) {
      const plan = operator.think();
      operator.minter.offer(plan);
      operator.publish(plan);
      await operator.minter.idle();
    }
    if (when === 'after') tell();
    expect(operator.think().actions).toEqual([]);
    expect([...operator.minter.memory.values()].map(({ suspect }) => suspect)).not.toContainEqual(expect.any(String));
  });

  test('a clock that was ahead for a while leaves nothing behind', async () => {
    const { server, clock, operator } = stage();
    server.put(RESOURCE.VirtualKey, virtualKey('ci', { ttl: '24h' }));
    await operator.settle();
    await operator.settle();
    const phase = () => operator.think().lifecycles.get('team/ci')?.phase;
    clock.now += 48 * 3_600_000;
    expect(phase()).toBe('Expired');
    clock.now = START;
    expect(phase()).toBe('Active');
  });
});

test('a write whose answer was lost on the way counts as done when it is repeated', async () => {
  const { server } = stage();
  server.put(RESOURCE.VirtualKey, virtualKey('ci'));
  const view = keyView(server.key('team/ci')!)!;
  const credential = {
    serial: 1,
    hash: '0'.repeat(64),
    prefix: 'sk-pc-',
    pepper: '0'.repeat(8),
    delivered: false,
    mintedAt: '2026-01-01T00:00:00Z',
  };
  // As a client does that repeats idempotent calls over a broken connection.
  const once = { ...server.client };
  server.client.apply = async (...args) => {
    await once.apply(...args);
    return once.apply(...args);
  };
  await writeStored(server.client, view, view.stored, { credential });
  expect(server.key('team/ci')?.status).toEqual({ credential });
});
