import { describe, expect, test } from 'vitest';
import { compile } from './compile.ts';
import { condition, gateway, inputOf, object, statusOf } from './testing.ts';
import type { RawObject } from './types.ts';

type Pair = readonly [from: string, to: string];

const entries = [{ id: 'fast', target: 'claude-haiku-5-5' }];

const compiled = (pairs: readonly Pair[], others: readonly RawObject[] = []) => {
  const fallbacks = pairs.map(([from, to]) => ({ from, to }));
  return compile(inputOf([gateway({ models: { entries, fallbacks } }), ...others], { 'p/s': { k: 'sk-ant-v' } }));
};

describe('cycles', () => {
  test.each<[string, Pair[], string]>([
    ['of one', [['claude-opus-5-5', 'claude-opus-5-5']], 'claude-opus-5-5 → claude-opus-5-5'],
    [
      'of one, in two spellings',
      [['claude-haiku-4-5-20251001', 'us.anthropic.claude-haiku-4-5-20251001-v1:0']],
      'claude-haiku-4-5-20251001 → claude-haiku-4-5-20251001',
    ],
    [
      'of three, entered from outside',
      [
        ['claude-opus-5', 'claude-opus-5-5'],
        ['claude-opus-5-5', 'claude-sonnet-5-5'],
        ['claude-sonnet-5-5', 'claude-haiku-5-5'],
        ['claude-haiku-5-5', 'claude-opus-5-5'],
      ],
      'claude-opus-5-5 → claude-sonnet-5-5 → claude-haiku-5-5 → claude-opus-5-5',
    ],
    [
      'through a name of the platform team',
      [
        ['fast', 'claude-sonnet-5-5'],
        ['claude-sonnet-5-5', 'fast'],
      ],
      'claude-haiku-5-5 → claude-sonnet-5-5 → claude-haiku-5-5',
    ],
  ])('[ROUTE-28] %s: the Gateway is refused, and the condition names the cycle once', (_name, pairs, cycle) => {
    const output = compiled(pairs);
    const accepted = condition(output, 'Gateway', 'p/gw', 'Accepted')!;
    expect([accepted.status, accepted.reason]).toEqual(['False', 'Invalid']);
    expect(accepted.message.match(/closes the cycle ([^;]+);/g)).toEqual([`closes the cycle ${cycle};`]);
    expect(output.gateways.size).toBe(0);
    expect(statusOf(output, 'Gateway', 'p/gw').issues[0]!.path).toEqual([
      'spec',
      'models',
      'fallbacks',
      pairs.length - 1,
      'to',
    ]);
  });

  test('[ROUTE-28] chains that meet are none', () => {
    const output = compiled([
      ['claude-sonnet-5-5', 'claude-haiku-5-5'],
      ['claude-opus-5-5', 'claude-haiku-5-5'],
      ['claude-haiku-5-5', 'claude-haiku-4-5'],
    ]);
    expect(condition(output, 'Gateway', 'p/gw', 'Accepted')!.status).toBe('True');
  });
});

test('one model in two spellings has two fallbacks: which is meant cannot be told', () => {
  const output = compiled([
    ['claude-sonnet-4-5-20250929', 'claude-haiku-5-5'],
    ['claude-sonnet-4-5@20250929', 'claude-sonnet-5-5'],
  ]);
  expect(condition(output, 'Gateway', 'p/gw', 'Accepted')!.message).toContain('is the same model as that of entry 0');
});

test('[ROUTE-28] the bundle holds routed ids before the arrow and servable names behind it', () => {
  const { bundle } = compiled([
    ['fast', 'us.anthropic.claude-sonnet-5-5'],
    ['claude-opus-5-5', 'Fast'],
  ]).gateways.get('p/gw')!;
  expect(bundle.gateway.fallbacks).toEqual([
    { from: 'claude-haiku-5-5', to: 'claude-sonnet-5-5' },
    { from: 'claude-opus-5-5', to: 'fast' },
  ]);
});

test('a model nobody serves is reported, and is no longer once an upstream maps it', () => {
  const pairs = [['claude-opus-5-5', 'house']] as const;
  const upstream = object('Upstream', 'p/u', {
    gatewayRef: { name: 'gw' },
    provider: 'Anthropic',
    anthropic: { auth: { type: 'APIKey', apiKey: { name: 's', key: 'k' } } },
    models: [{ id: 'house' }],
  });
  const missing = condition(compiled(pairs), 'Gateway', 'p/gw', 'ResolvedRefs')!;
  expect([missing.status, missing.reason]).toEqual(['False', 'UnknownModel']);
  expect(missing.message).toContain('spec.models.fallbacks[0].to');
  expect(condition(compiled(pairs, [upstream]), 'Gateway', 'p/gw', 'ResolvedRefs')!.status).toBe('True');
});
