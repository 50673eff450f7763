import { describe, expect, test } from 'vitest';
import type { UpstreamEntry } from '#shared/bundle/bundle.ts';
import { SecretText } from '#shared/secret-text.ts';
import { UpstreamTarget } from '../providers/target.ts';
import { Breakers } from './breaker.ts';
import { attemptOrder } from './order.ts';

function target(name: string, over: Partial<UpstreamEntry> = {}): UpstreamTarget {
  const entry: UpstreamEntry = {
    key: `default/${name}`,
    name,
    namespace: 'default',
    labels: {},
    provider: 'Anthropic',
    baseUrl: 'https://upstream.test',
    auth: { type: 'Headers' },
    headers: [],
    priority: 10,
    weight: 1,
    models: [],
    countTokens: true,
    connectRetries: 0,
    breaker: { consecutiveFailures: 1, openFor: 1_000 },
    ...over,
  };
  return new UpstreamTarget(entry, { pepper: new SecretText('pepper'), values: {} });
}

/** A small generator with a fixed seed (mulberry32), so that statistics are the same in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const breakers = new Breakers(() => 0);
const random = seeded(7);
const names = (order: readonly UpstreamTarget[]): string => order.map(({ entry }) => entry.name).join('');

/** Share of 20,000 orders in which each upstream came first. */
function shares(targets: readonly UpstreamTarget[], session?: (i: number) => string): Record<string, number> {
  const first: Record<string, number> = {};
  for (let i = 0; i < 20_000; i++) {
    const [{ entry }] = attemptOrder(targets, session?.(i), breakers, random) as [UpstreamTarget];
    first[entry.name] = (first[entry.name] ?? 0) + 1 / 20_000;
  }
  return first;
}

describe('attemptOrder', () => {
  test('[ROUTE-04] lower priority first, whatever the weights', () => {
    const targets = [
      target('c', { priority: 3, weight: 1000 }),
      target('a', { priority: 1 }),
      target('b', { priority: 2 }),
    ];
    for (let i = 0; i < 100; i++) expect(names(attemptOrder(targets, `s${i}`, breakers, random))).toBe('abc');
  });

  test('every candidate is in the order once', () => {
    const targets = 'abcdef'.split('').map((name, i) => target(name, { priority: i % 3, weight: i }));
    for (let i = 0; i < 100; i++) {
      expect(
        names(attemptOrder(targets, undefined, breakers, random))
          .split('')
          .toSorted()
          .join(''),
      ).toBe('abcdef');
    }
  });

  const weighted = [target('a', { weight: 6 }), target('b', { weight: 3 }), target('c', { weight: 1 })];

  // The standard deviation of a share over 20,000 draws is at most 0.0036; the bounds are five of them.
  test.each([
    ['single calls', undefined],
    ['sessions', (i: number) => `default/ci 00000000-0000-4000-8000-${String(i).padStart(12, '0')}`],
    [
      'sessions that differ in their first character only',
      (i: number) => `${String.fromCodePoint(0x100 + i)} same end`,
    ],
  ])('[ROUTE-10] %s spread in proportion to weight', (_name, session) => {
    const { a, b, c } = shares(weighted, session);
    expect(Math.abs(a! - 0.6)).toBeLessThan(0.018);
    expect(Math.abs(b! - 0.3)).toBeLessThan(0.018);
    expect(Math.abs(c! - 0.1)).toBeLessThan(0.018);
  });

  test('[ROUTE-10] a session always gets the same order, on every replica', () => {
    const here = attemptOrder(weighted, 'session', breakers, random);
    const elsewhere = attemptOrder(weighted.toReversed(), 'session', new Breakers(() => 5), seeded(99));
    expect(names(elsewhere)).toBe(names(here));
  });

  test('[ROUTE-10] when an upstream goes, only its own sessions move', () => {
    const without = weighted.filter(({ entry }) => entry.name !== 'b');
    for (let i = 0; i < 1_000; i++) {
      const before = names(attemptOrder(weighted, `s${i}`, breakers, random));
      expect(names(attemptOrder(without, `s${i}`, breakers, random))).toBe(before.replace('b', ''));
    }
  });

  test('weight 0 comes after its equals and before the next priority', () => {
    const targets = [target('z', { weight: 0 }), target('a'), target('n', { priority: 11 })];
    for (let i = 0; i < 100; i++) expect(names(attemptOrder(targets, `s${i}`, breakers, random))).toBe('azn');
  });

  test('[ROUTE-04] an upstream with an open breaker comes last, in its own order, and is not lost', () => {
    const sick = new Breakers(() => 0);
    const targets = 'abcd'.split('').map((name, i) => target(name, { priority: i }));
    for (const name of 'ac') sick.failed(`default/${name}`, { consecutiveFailures: 1, openFor: 10 });
    expect(names(attemptOrder(targets, 's', sick, random))).toBe('bdac');
    for (const name of 'bd') sick.failed(`default/${name}`, { consecutiveFailures: 1, openFor: 10 });
    expect(names(attemptOrder(targets, 's', sick, random))).toBe('abcd');
  });
});
