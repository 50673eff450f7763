import { describe, expect, test } from 'vitest';
import type { Strategy } from '#shared/bundle/bundle.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { attemptOrder, ROUTE_LABEL } from './order.ts';
import type { RoutingState } from './strategy.ts';
import { askedOf, MODEL, stateAt, targetOf } from './testing.ts';

const STRATEGIES: readonly Strategy[] = ['Ordered', 'Weighted', 'RoundRobin', 'LeastBusy', 'Latency', 'Cheapest'];
const state = stateAt();
const names = (order: readonly UpstreamTarget[]): string => order.map(({ entry }) => entry.name).join('');

function orderOf(
  targets: readonly UpstreamTarget[],
  asked = askedOf(),
  known: RoutingState = state,
  place?: string,
): string {
  return names(attemptOrder(targets, asked, known, place).targets);
}

const ofSession = (session: string) => askedOf({}, { session });

/** Share of 20,000 orders in which each upstream came first. */
function shares(targets: readonly UpstreamTarget[], session?: (i: number) => string): Record<string, number> {
  const first: Record<string, number> = {};
  for (let i = 0; i < 20_000; i++) {
    const name = orderOf(targets, askedOf({}, { session: session?.(i) }))[0]!;
    first[name] = (first[name] ?? 0) + 1 / 20_000;
  }
  return first;
}

describe.each(STRATEGIES)('whatever the strategy: %s', (strategy) => {
  test('[ROUTE-04] [ROUTE-14] lower priority first, whatever the weights', () => {
    const targets = [
      targetOf('c', { priority: 3, weight: 1000 }),
      targetOf('a', { priority: 1 }),
      targetOf('b', { priority: 2 }),
    ];
    for (let i = 0; i < 100; i++) expect(orderOf(targets, askedOf({ strategy }, { session: `s${i}` }))).toBe('abc');
  });

  test('every candidate is in the order once', () => {
    const targets = 'abcdef'.split('').map((name, i) => targetOf(name, { priority: i % 3, weight: i }));
    for (let i = 0; i < 100; i++) {
      expect(orderOf(targets, askedOf({ strategy })).split('').toSorted().join('')).toBe('abcdef');
    }
  });

  test('weight 0 comes after its equals and before the next priority', () => {
    const targets = [targetOf('z', { weight: 0 }), targetOf('a'), targetOf('n', { priority: 11 })];
    for (let i = 0; i < 100; i++) expect(orderOf(targets, askedOf({ strategy }))).toBe('azn');
  });

  test('[ROUTE-04] who is left alone comes last, after failures later than after a 429, and is not lost', () => {
    const sick = stateAt();
    const targets = 'abcd'.split('').map((name, i) => targetOf(name, { priority: i }));
    const fail = (name: string) =>
      sick.breakers.failed(`platform/${name}`, MODEL, { consecutiveFailures: 1, openFor: 10 });
    fail('a');
    sick.breakers.coolDown('platform/c', MODEL, 10);
    const asked = askedOf({ strategy }, { session: 's' });
    expect(orderOf(targets, asked, sick)).toBe('bdca');
    expect(orderOf(targets, { ...asked, model: 'claude-haiku-5-5' }, sick)).toBe('abcd');
    for (const name of 'bcd') fail(name);
    expect(orderOf(targets, asked, sick)).toBe('abcd');
  });

  test('[ROUTE-30] the hint brings upstreams to the front by name, key or label, adds none, and health comes first', () => {
    const targets = [
      targetOf('a', { priority: 1 }),
      targetOf('b', { priority: 2, labels: { [ROUTE_LABEL]: 'hipaa' } }),
      targetOf('c', { priority: 3, labels: { [ROUTE_LABEL]: 'hipaa' } }),
    ];
    const hinted = (hint: string) => orderOf(targets, askedOf({ strategy }, { hint }));
    expect(['c', 'platform/c', 'hipaa', 'd', '', 'A'].map(hinted)).toEqual(['cab', 'cab', 'bca', 'abc', 'abc', 'abc']);
    const sick = stateAt();
    sick.breakers.coolDown('platform/c', MODEL, 10);
    expect(orderOf(targets, askedOf({ strategy }, { hint: 'hipaa' }), sick)).toBe('bac');
  });

  test('[ROUTE-14] where the session is remembered comes before a better priority, and after health and hint', () => {
    const targets = 'abc'.split('').map((name, i) => targetOf(name, { priority: i }));
    const asked = askedOf({ strategy }, { session: 's' });
    expect(orderOf(targets, asked, state, 'platform/c')).toBe('cab');
    expect(orderOf(targets, asked, state, 'platform/gone')).toBe('abc');
    expect(orderOf(targets, { ...asked, hint: 'b' }, state, 'platform/c')).toBe('bca');
    const sick = stateAt();
    sick.breakers.coolDown('platform/c', MODEL, 10);
    expect(orderOf(targets, asked, sick, 'platform/c')).toBe('abc');
  });
});

describe('Weighted', () => {
  const weighted = [targetOf('a', { weight: 6 }), targetOf('b', { weight: 3 }), targetOf('c', { weight: 1 })];

  // The standard deviation of a share over 20,000 draws is at most 0.0036; the bounds are five of them.
  test.each([
    ['single calls', undefined],
    ['sessions', (i: number) => `default/ci 00000000-0000-4000-8000-${String(i).padStart(12, '0')}`],
    [
      'sessions that differ in their first character only',
      (i: number) => `${String.fromCodePoint(0x100 + i)} same end`,
    ],
  ])('[ROUTE-10] [ROUTE-14] %s spread in proportion to weight', (_name, session) => {
    const { a, b, c } = shares(weighted, session);
    expect(Math.abs(a! - 0.6)).toBeLessThan(0.018);
    expect(Math.abs(b! - 0.3)).toBeLessThan(0.018);
    expect(Math.abs(c! - 0.1)).toBeLessThan(0.018);
  });

  test('[ROUTE-10] a session always gets the same order, on every replica', () => {
    const elsewhere = orderOf(weighted.toReversed(), ofSession('session'), stateAt({ now: 5 }, 99));
    expect(elsewhere).toBe(orderOf(weighted, ofSession('session')));
  });

  test('[ROUTE-10] when an upstream goes, only its own sessions move', () => {
    const without = weighted.filter(({ entry }) => entry.name !== 'b');
    for (let i = 0; i < 1_000; i++) {
      const before = orderOf(weighted, ofSession(`s${i}`));
      expect(orderOf(without, ofSession(`s${i}`))).toBe(before.replace('b', ''));
    }
  });
});

describe('the other strategies', () => {
  const equals = [targetOf('a'), targetOf('b'), targetOf('c')];

  test('[ROUTE-14] Ordered: equals by name, whatever weight and session', () => {
    const targets = [targetOf('b', { weight: 1000 }), targetOf('c'), targetOf('a')];
    for (let i = 0; i < 50; i++) {
      expect(orderOf(targets, askedOf({ strategy: 'Ordered' }, { session: `s${i}` }))).toBe('abc');
    }
  });

  test('[ROUTE-14] RoundRobin: whoever waited longest for this model, fair also when candidates differ', () => {
    const known = stateAt();
    const counts: Record<string, number> = {};
    for (let i = 0; i < 300; i++) {
      const candidates = i % 3 === 0 ? equals.slice(0, 2) : equals;
      const name = orderOf(candidates, askedOf({ strategy: 'RoundRobin' }), known)[0]!;
      known.turns.took(`platform/${name}`, MODEL);
      // Turns of another model are none of this one's business.
      known.turns.took('platform/a', 'other');
      counts[name] = (counts[name] ?? 0) + 1;
    }
    expect(counts).toEqual({ a: 100, b: 100, c: 100 });
  });

  test('[ROUTE-14] LeastBusy: fewest running calls for its weight', () => {
    const known = stateAt();
    const targets = [targetOf('a', { weight: 1 }), targetOf('b', { weight: 4 }), targetOf('c', { weight: 1 })];
    for (let i = 0; i < 600; i++) {
      known.loads.take(`platform/${orderOf(targets, askedOf({ strategy: 'LeastBusy' }), known)[0]!}`);
    }
    expect('abc'.split('').map((name) => known.loads.of(`platform/${name}`))).toEqual([100, 400, 100]);
  });

  test('[ROUTE-14] Latency: the fastest of late, until it is crowded; a slow one is tried again after a while', () => {
    const time = { now: 0 };
    const known = stateAt(time);
    const asked = askedOf({ strategy: 'Latency' });
    known.latencies.observe('platform/a', MODEL, 400);
    known.latencies.observe('platform/b', MODEL, 100);
    known.latencies.observe('platform/c', MODEL, 900);
    expect(orderOf(equals, asked, known)).toBe('bac');
    for (let i = 0; i < 4; i++) known.loads.take('platform/b');
    expect(orderOf(equals, asked, known)).toBe('abc');
    for (let i = 0; i < 4; i++) known.loads.give('platform/b');
    for (let second = 0; second < 120; second++) {
      time.now += 1_000;
      known.latencies.observe('platform/b', MODEL, 100);
    }
    expect(orderOf(equals, asked, known)[0]).not.toBe('b');
  });

  test('[ROUTE-14] Cheapest: by price, equals by weight', () => {
    const price = ({ entry }: UpstreamTarget) => ({ a: 3, b: 1, c: 1 })[entry.name]!;
    const targets = [targetOf('a', { weight: 1000 }), targetOf('b', { weight: 1 }), targetOf('c', { weight: 3 })];
    let ofC = 0;
    for (let i = 0; i < 4_000; i++) {
      const order = orderOf(targets, askedOf({ strategy: 'Cheapest' }, { price, session: `s${i}` }));
      expect(order[2]).toBe('a');
      if (order[0] === 'c') ofC++;
    }
    // Five standard deviations.
    expect(Math.abs(ofC / 4_000 - 0.75)).toBeLessThan(0.035);
  });
});
