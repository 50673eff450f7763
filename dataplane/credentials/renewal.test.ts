// A credential stays fresh: one refresh however many ask, ahead of its end, and a refresh that fails takes nothing away.
import { describe, expect, test } from 'vitest';
import { CredentialError } from './credential-error.ts';
import { Refresher } from './refresher.ts';
import { Renewal, type Minted } from './renewal.ts';
import { FakeClock, settle } from './testing.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;

interface Scene {
  readonly clock: FakeClock;
  readonly refresher: Refresher;
  readonly minted: number[];
  /** What the next exchanges do; a lifetime in milliseconds, or a failure. */
  next: number | Error | 'hang';
  readonly mint: () => Promise<Minted<string>>;
}

function scene(): Scene {
  const clock = new FakeClock();
  const minted: number[] = [];
  const self: Scene = {
    clock,
    refresher: new Refresher(clock),
    minted,
    next: HOUR,
    mint: async () => {
      minted.push(clock.now());
      const count = minted.length;
      if (self.next === 'hang') return new Promise(() => undefined);
      if (typeof self.next !== 'number') throw self.next;
      return { value: `token-${count}`, expiresAt: clock.now() + self.next };
    },
  };
  return self;
}

function renewal({ clock, refresher, mint }: Scene, random = 0, unused?: () => void): Renewal<string> {
  return new Renewal({ mint, clock, refresher, random: () => random, ...(unused === undefined ? {} : { unused }) });
}

const down = new CredentialError('unavailable', 'the token endpoint is down');

test('[PROV-26] is fetched when configured, before anybody asks, and is then at hand without waiting', async () => {
  const here = scene();
  const token = renewal(here);
  expect(token.state().status).toBe('Pending');
  await token.settled();
  expect(here.minted).toHaveLength(1);
  expect(token.get()).toBe('token-1');
  expect(token.state()).toEqual({ status: 'Valid', validUntil: here.clock.now() + HOUR, fault: undefined });
});

test('is refreshed five minutes ahead of its end without a call', async () => {
  const here = scene();
  const token = renewal(here);
  const start = here.clock.now();
  await here.clock.advance(HOUR - 5 * MINUTE - 1);
  expect(here.minted).toHaveLength(1);
  await here.clock.advance(1);
  expect(here.minted).toEqual([start, start + HOUR - 5 * MINUTE]);
  expect(token.get()).toBe('token-2');
});

test.each([
  [0, 48_000],
  [0.999_999, 42_000],
])('short lifetimes are refreshed a fifth ahead, up to half as much earlier by jitter (%s)', async (random, after) => {
  const here = scene();
  here.next = MINUTE;
  const start = here.clock.now();
  renewal(here, random);
  await here.clock.advance(MINUTE - 1_000);
  expect(Math.round((here.minted[1]! - start) / 100) * 100).toBe(after);
});

test('1,000 calls at the moment of expiry are one refresh, and all get the new token', async () => {
  const here = scene();
  const token = renewal(here);
  await token.settled();
  // The refresher did not come to it, as after a sleep of the machine.
  here.refresher.delete(token);
  await here.clock.advance(HOUR);
  const waits = Array.from({ length: 1_000 }, () => token.get());
  expect(waits.every((wait) => wait instanceof Promise)).toBe(true);
  expect(new Set(await Promise.all(waits.map(async (wait) => wait)))).toEqual(new Set(['token-2']));
  expect(here.minted).toHaveLength(2);
});

test('1,000 calls while the endpoint is down are one attempt until the backoff ends', async () => {
  const here = scene();
  here.next = down;
  const token = renewal(here);
  await token.settled();
  const answers = await Promise.allSettled(Array.from({ length: 1_000 }, async () => token.get()));
  expect(answers.every(({ status }) => status === 'rejected')).toBe(true);
  expect(here.minted).toHaveLength(1);
  expect(token.state()).toMatchObject({ status: 'Unusable', fault: { code: 'unavailable' } });
});

test('a failed refresh keeps the old credential until it ends, and backs off meanwhile', async () => {
  const here = scene();
  const token = renewal(here, 1);
  await token.settled();
  const end = here.clock.now() + HOUR;
  here.next = down;
  await here.clock.advance(HOUR - 6_000);
  expect(token.get()).toBe('token-1');
  expect(token.state()).toEqual({
    status: 'Refreshing',
    validUntil: end,
    fault: { code: 'unavailable', message: 'the token endpoint is down' },
  });
  const gaps = here.minted.slice(2).map((at, i) => at - here.minted[i + 1]!);
  expect(gaps.slice(0, 7)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]);
  expect(Math.max(...gaps)).toBe(60_000);
  await here.clock.advance(1_000);
  await expect(token.get()).rejects.toBe(down);
  expect(token.state()).toMatchObject({ status: 'Unusable', validUntil: undefined });
});

test('comes back by itself once the endpoint answers', async () => {
  const here = scene();
  here.next = down;
  const token = renewal(here);
  await here.clock.advance(10 * MINUTE);
  here.next = HOUR;
  await here.clock.advance(MINUTE);
  expect(token.get()).toMatch(/^token-/);
  expect(token.state()).toMatchObject({ status: 'Valid', fault: undefined });
});

test('an endpoint that does not answer is given up, and tried again', async () => {
  const here = scene();
  here.next = 'hang';
  const token = renewal(here);
  await here.clock.advance(30_000);
  expect(token.state().fault).toMatchObject({ code: 'timed_out' });
  here.next = HOUR;
  await here.clock.advance(2_000);
  expect(token.get()).toMatch(/^token-/);
});

test('a credential that arrives past its end is no credential, and says that a clock is wrong', async () => {
  const here = scene();
  here.next = -HOUR;
  const token = renewal(here);
  await expect(token.get()).rejects.toMatchObject({ code: 'expired', message: expect.stringContaining('clock') });
});

test('the same credential again, as metadata servers answer, is asked for less and less ahead but not in a loop', async () => {
  const here = scene();
  const end = here.clock.now() + HOUR;
  const token = new Renewal({
    ...here,
    mint: async () => {
      here.minted.push(here.clock.now());
      return { value: 'same', expiresAt: end };
    },
    random: () => 0,
  });
  await here.clock.advance(HOUR - 6_000);
  expect(here.minted.length).toBeLessThan(8);
  expect(token.get()).toBe('same');
});

test('a jump of the clock past the end is noticed within half a minute', async () => {
  const jumped = new FakeClock();
  let offset = 0;
  const clock = { now: () => jumped.now() + offset, after: jumped.after.bind(jumped) };
  const minted: number[] = [];
  const mint = async (): Promise<Minted<string>> => {
    minted.push(clock.now());
    return { value: 'token', expiresAt: clock.now() + HOUR };
  };
  const token = new Renewal({ mint, clock, refresher: new Refresher(clock), random: () => 0 });
  await settle();
  offset = 2 * HOUR;
  await jumped.advance(30_000);
  expect(minted).toHaveLength(2);
  expect(token.get()).toBe('token');
});

describe('rejected by the provider', () => {
  test('asks for a new one while the old one stays in use, and not on every rejection', async () => {
    const here = scene();
    const token = renewal(here);
    await here.clock.advance(MINUTE);
    token.rejected();
    token.rejected();
    expect(token.get()).toBe('token-1');
    await settle();
    expect(token.get()).toBe('token-2');
    for (let i = 0; i < 100; i++) token.rejected();
    await settle();
    expect(here.minted).toHaveLength(2);
    await here.clock.advance(30_000);
    token.rejected();
    await settle();
    expect(here.minted).toHaveLength(3);
  });

  test('when no new one can be had, the old one is kept', async () => {
    const here = scene();
    const token = renewal(here);
    await here.clock.advance(MINUTE);
    here.next = down;
    token.rejected();
    await settle();
    expect(token.get()).toBe('token-1');
    expect(token.state().status).toBe('Refreshing');
  });
});

describe('closed', () => {
  test('is not refreshed any more, leaves no timer, and serves calls in flight until it ends', async () => {
    const here = scene();
    const token = renewal(here);
    await token.settled();
    token.close();
    expect(here.clock.waiting).toBe(0);
    await here.clock.advance(HOUR - MINUTE);
    expect(token.get()).toBe('token-1');
    await here.clock.advance(MINUTE);
    await expect(token.get()).rejects.toMatchObject({ code: 'closed' });
    expect(here.minted).toHaveLength(1);
  });

  test('while its first exchange runs, schedules nothing after it', async () => {
    const here = scene();
    const token = renewal(here);
    token.close();
    await here.clock.advance(3 * HOUR);
    expect(here.minted).toHaveLength(1);
    expect(here.clock.waiting).toBe(0);
  });
});

describe('out of use', () => {
  test('is dropped instead of refreshed when nobody asked since the last refresh', async () => {
    const here = scene();
    let dropped = 0;
    const token = renewal(here, 0, () => dropped++);
    await token.settled();
    void token.get();
    await here.clock.advance(HOUR);
    expect([here.minted.length, dropped]).toEqual([2, 0]);
    await here.clock.advance(HOUR);
    expect([here.minted.length, dropped, here.refresher.size]).toEqual([2, 1, 0]);
  });
});

describe('many credentials of one age', () => {
  test('are refreshed a few at a time by one timer', async () => {
    const clock = new FakeClock();
    const refresher = new Refresher(clock, 4);
    let running = 0;
    let most = 0;
    let count = 0;
    const gates: (() => void)[] = [];
    const mint = async (): Promise<Minted<string>> => {
      count++;
      if (count <= 100) return { value: 'first', expiresAt: clock.now() + HOUR };
      most = Math.max(most, ++running);
      await new Promise<void>((open) => gates.push(open));
      running--;
      return { value: 'second', expiresAt: clock.now() + HOUR };
    };
    const tokens = Array.from({ length: 100 }, () => new Renewal({ mint, clock, refresher, random: () => 0 }));
    await settle();
    expect(clock.waiting).toBe(1);
    await clock.advance(HOUR - 5 * MINUTE);
    for (let i = 0; i < 100; i++) {
      gates[i]!();
      await settle();
    }
    expect(most).toBe(4);
    expect(tokens.map((token) => token.get())).toEqual(Array.from({ length: 100 }, () => 'second'));
  });
});
