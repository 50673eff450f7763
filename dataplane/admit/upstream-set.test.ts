import { describe, expect, test } from 'vitest';
import type { PolicyEntry, UpstreamEntry } from '#shared/bundle/bundle.ts';
import { otherProvider, targetOf } from '../route/testing.ts';
import { policyEntry } from './testing.ts';
import { ofOneProvider, upstreamSet } from './upstream-set.ts';

const all = ['a', 'b', 'c'].map((name) => targetOf(name));
const [a, b, c] = all.map(({ key }) => key) as [string, string, string];

function setOf(own: readonly PolicyEntry[], tenant: readonly PolicyEntry[] = []) {
  const { upstreams, rule, oneProvider } = upstreamSet('platform', own, tenant, all);
  return { rule, oneProvider, keys: upstreams.map(({ key }) => key) };
}

const base = policyEntry('base', { within: [a, b], oneProvider: true });
const team = policyEntry('team', { upstreams: [b, c] });

describe('choice and bounds', () => {
  test('[AUTHZ-14] what the winner chooses stays within the regions of the policy for everyone', () => {
    expect(setOf([team, base])).toEqual({ keys: [b], rule: 'platform/base', oneProvider: true });
  });

  test('[AUTHZ-11] without bounds the rule is that of the choice; without either there is none', () => {
    expect(setOf([team])).toEqual({ keys: [b, c], rule: 'platform/team', oneProvider: false });
    expect(setOf([policyEntry('plain')])).toEqual({ keys: [a, b, c], rule: undefined, oneProvider: false });
  });

  test('[AUTHZ-14] a tenant bounds its own callers further, never less', () => {
    const tenant = policyEntry('t', { namespace: 'team-a', upstreams: [a, b, c], within: [b, c] });
    expect(setOf([base], [tenant])).toMatchObject({ keys: [b], oneProvider: true });
  });

  test('regions that leave nothing over are named as the reason', () => {
    expect(setOf([team, policyEntry('base', { within: [] })])).toEqual({
      keys: [],
      rule: 'platform/base',
      oneProvider: false,
    });
  });
});

describe('regions that clients may name', () => {
  test('[AUTHZ-14] every matching policy that has some is a bound of its own, and names itself', () => {
    const eu = policyEntry('eu', { within: [a], regions: ['eu-*'] });
    const one = policyEntry('one', { namespace: 'team-a', within: [a], regions: ['eu-west-1'] });
    const { regions } = upstreamSet('platform', [policyEntry('plain'), eu], [one], all);
    expect(regions).toEqual([
      { rule: 'platform/eu', patterns: ['eu-*'] },
      { rule: 'team-a/one', patterns: ['eu-west-1'] },
    ]);
  });
});

describe('one provider', () => {
  const far = (name: string, over: Partial<UpstreamEntry> = {}) => targetOf(name, { provider: otherProvider, ...over });

  test('[ROUTE-26] that of the upstream first in priority, with all upstreams of it', () => {
    const targets = [far('x', { priority: 2 }), targetOf('y', { priority: 9 }), targetOf('z', { priority: 1 })];
    expect(ofOneProvider(targets, 'p/ci').map(({ entry }) => entry.name)).toEqual(['y', 'z']);
  });

  test('[ROUTE-26] among equals callers spread by weight, and each stays', () => {
    const targets = [targetOf('x', { weight: 3 }), far('y', { weight: 1 })];
    let near = 0;
    for (let i = 0; i < 2_000; i++) {
      const [only, ...rest] = ofOneProvider(targets, `p/key-${i}`);
      expect(rest).toEqual([]);
      expect(ofOneProvider(targets.toReversed(), `p/key-${i}`)).toEqual([only]);
      if (only === targets[0]) near++;
    }
    expect(Math.abs(near / 2_000 - 0.75)).toBeLessThan(0.05);
  });
});
