// The plan of a call: stickiness and when it yields, overflow of full upstreams, fallbacks, crossings.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RoutingConfig } from '#shared/bundle/bundle.ts';
import type { Grant, Leg } from '../admit/admit.ts';
import type { ServedModel } from '../admit/models.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { AFFINITY_MS } from './strategy-affinity.ts';
import { Plan } from './strategy-plan.ts';
import type { RoutingState } from './strategy.ts';
import { MODEL, otherProvider, stateAt, targetOf } from './testing.ts';

const STRATEGIES = ['Ordered', 'Weighted', 'RoundRobin', 'LeastBusy', 'Latency', 'Cheapest'] as const;

const modelOf = (id: string) => ({ id }) as ServedModel;

interface Wish {
  readonly strategy?: RoutingConfig['strategy'];
  readonly session?: string;
  readonly counting?: boolean;
  readonly fallbacks?: readonly Leg[];
}

function replica(targets: readonly UpstreamTarget[], time = { now: 0 }) {
  const state = stateAt(time);
  const heard: string[] = [];
  const plan = ({ strategy = 'Weighted', session, counting = false, fallbacks = [] }: Wish = {}): Plan =>
    new Plan(
      {
        grant: { model: modelOf(MODEL), candidates: targets, fallbacks } as unknown as Grant,
        routing: { failoverOn: [], exposeUpstream: false, strategy },
        session,
        hint: undefined,
        counting,
        price: () => 1,
      },
      state,
      {
        crossing: (from, to) => void heard.push(`${from} to ${to}`),
        fallback: (from, to) => void heard.push(`${from} then ${to}`),
      },
    );
  /** A call that the first upstream serves, over and done. */
  const served = (wish: Wish): string => {
    const each = plan(wish);
    const target = each.next()!;
    each.served();
    each.release();
    return target.key;
  };
  return { state, heard, plan, served, time };
}

const cool = ({ breakers }: RoutingState, upstream: string, ms: number) => breakers.coolDown(upstream, MODEL, ms);

describe.each(STRATEGIES)('a session under %s', (strategy) => {
  const names = ['a', 'b', 'c', 'd'];
  const event = fc.record({
    session: fc.constantFrom('s0', 's1', 's2', 's3'),
    /** Upstreams that fail the call. */
    failing: fc.subarray(names, { maxLength: 1 }),
    wait: fc.nat(20_000),
  });

  test('[ROUTE-14] stays where it was served for as long as that upstream is well, and leaves it when it is not', () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 60 }),
        fc.array(fc.nat(3), { minLength: 4, maxLength: 4 }),
        (events, weights) => {
          const targets = names.map((name, i) => targetOf(name, { weight: weights[i]! + 1 }));
          const { state, plan, time } = replica(targets);
          const home = new Map<string, string>();
          for (const { session, failing, wait } of events) {
            time.now += wait;
            const before = home.get(session);
            const well = (key: string) => state.breakers.conditionOf(key, MODEL) === 'well';
            const each = plan({ strategy, session });
            const asked = each.next()!;
            const stays = before !== undefined && well(before);
            const mustLeave = before !== undefined && !stays && targets.some(({ key }) => well(key));
            expect({ stays, mustLeave }).toEqual({
              stays: stays && asked.key === before,
              mustLeave: mustLeave && asked.key !== before,
            });
            let target = asked;
            while (failing.includes(target.entry.name)) {
              cool(state, target.key, 5_000);
              target = each.next()!;
            }
            each.served();
            each.release();
            home.set(session, target.key);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('[ROUTE-14] on the reserve it stays for 30 minutes and then returns, however busy it is', () => {
    const { state, served, time } = replica([targetOf('a', { priority: 1 }), targetOf('b', { priority: 2 })]);
    const wish = { strategy, session: 's' };
    expect(served(wish)).toBe('platform/a');
    cool(state, 'platform/a', 1_000);
    expect(served(wish)).toBe('platform/b');
    for (let minute = 1; minute < 30; minute++) {
      time.now = minute * 60_000;
      expect(served(wish)).toBe('platform/b');
    }
    time.now = AFFINITY_MS;
    expect(served(wish)).toBe('platform/a');
    expect(served({ strategy, session: 'new' })).toBe('platform/a');
  });
});

describe('stickiness', () => {
  test('[ROUTE-14] without memory of its own a strategy by hash needs none: nothing is kept for sessions at home', () => {
    const { state, served } = replica([targetOf('a'), targetOf('b')]);
    for (let i = 0; i < 500; i++) served({ session: `s${i}` });
    expect(state.affinities.size).toBe(0);
    for (let i = 0; i < 500; i++) served({ strategy: 'RoundRobin', session: `s${i}` });
    expect(state.affinities.size).toBe(500);
  });

  test('calls without a session are spread, and leave no trace', () => {
    const { state, served } = replica([targetOf('a'), targetOf('b')]);
    const seen = new Set(Array.from({ length: 50 }, () => served({ strategy: 'LeastBusy' })));
    expect([seen.size, state.affinities.size]).toEqual([2, 0]);
  });

  test('[ROUTE-16] counting tokens moves no session and is nobody’s turn', () => {
    const { state, served, plan } = replica([targetOf('a'), targetOf('b')]);
    const wish = { strategy: 'RoundRobin', session: 's' } as const;
    const count = () => plan({ ...wish, counting: true });
    const first = count();
    first.next();
    first.served();
    expect([state.affinities.size, state.loads.of('platform/a') + state.loads.of('platform/b')]).toEqual([0, 0]);
    const home = served(wish);
    cool(state, home, 1_000);
    const away = count();
    expect(away.next()!.key).not.toBe(home);
    away.served();
    expect(state.affinities.of(`s\n${MODEL}`)).toBe(home);
  });
});

describe('upstreams that take only so many calls', () => {
  const provisioned = targetOf('provisioned', { priority: 1, maxConcurrent: 2 });
  const onDemand = targetOf('on-demand', { priority: 2 });

  test('[ROUTE-09] provisioned capacity first, the overflow on demand, and back as soon as a place is free', () => {
    const { plan } = replica([onDemand, provisioned]);
    const running = [plan(), plan(), plan()];
    expect(running.map((each) => each.next()!.entry.name)).toEqual(['provisioned', 'provisioned', 'on-demand']);
    running[0]!.release();
    running[0]!.release();
    expect([plan().next()!.entry.name, plan().next()!.entry.name]).toEqual(['provisioned', 'on-demand']);
  });

  test('a place is given back when the next upstream is asked', () => {
    const { plan, state } = replica([onDemand, provisioned]);
    const each = plan();
    each.next();
    expect(each.next()!.entry.name).toBe('on-demand');
    expect([state.loads.of(provisioned.key), state.loads.of(onDemand.key)]).toEqual([0, 1]);
    expect(each.next()).toBeUndefined();
    expect(state.loads.of(onDemand.key)).toBe(0);
  });

  test('counting tokens takes no place and needs none', () => {
    const { plan } = replica([provisioned]);
    for (let i = 0; i < 5; i++) expect(plan({ counting: true }).next()!.entry.name).toBe('provisioned');
    for (let i = 0; i < 2; i++) plan().next();
    expect(plan().next()).toBeUndefined();
    expect(plan({ counting: true }).next()!.entry.name).toBe('provisioned');
  });
});

describe('crossings', () => {
  const near = targetOf('near', { priority: 1 });
  const far = targetOf('far', { priority: 2, provider: otherProvider });

  test('[ROUTE-26] a failure that leads to another provider is counted, one that does not is not', () => {
    const { plan, heard } = replica([near, targetOf('beside', { priority: 1 }), far]);
    const each = plan();
    each.next();
    each.next();
    expect(heard).toEqual([]);
    each.next();
    expect(heard).toEqual(['Anthropic to AnthropicCompatible']);
  });

  test('[ROUTE-26] so is a call that goes there at once, because its own provider is left alone or full', () => {
    const { plan, heard, state } = replica([targetOf('near', { priority: 1, maxConcurrent: 1 }), far]);
    plan().next();
    plan().next();
    expect(heard).toEqual(['Anthropic to AnthropicCompatible']);
    cool(state, 'platform/near', 1_000);
    plan().next();
    expect(heard).toHaveLength(2);
  });

  test('a session that a strategy of the moment keeps at one provider crosses nothing', () => {
    const { served, heard } = replica([targetOf('near'), targetOf('far', { provider: otherProvider })]);
    for (let i = 0; i < 20; i++) for (const session of ['s', 't']) served({ strategy: 'RoundRobin', session });
    expect(heard).toEqual([]);
  });
});

test('[ROUTE-28] fallbacks follow in order when nobody is left, each with its own upstreams', () => {
  const { plan, heard } = replica([targetOf('a')]);
  const each = plan({
    fallbacks: [
      { model: modelOf('second'), candidates: [targetOf('b')] },
      { model: modelOf('third'), candidates: [targetOf('a'), targetOf('c', { priority: 9 })] },
    ],
  });
  const way: string[] = [];
  for (let target = each.next(); target !== undefined; target = each.next())
    way.push(`${each.model.id} ${target.entry.name}`);
  expect(way).toEqual([`${MODEL} a`, 'second b', 'third a', 'third c']);
  expect(heard).toEqual([`${MODEL} then second`, 'second then third']);
});
