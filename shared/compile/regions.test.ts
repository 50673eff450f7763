import { describe, expect, test } from 'vitest';
import { compile } from './compile.ts';
import { gateway, inputOf, object, statusOf } from './testing.ts';

const gatewayRef = { name: 'gw' };
const up = (name: string, region?: string) =>
  object('Upstream', `p/${name}`, {
    gatewayRef,
    provider: 'Anthropic',
    anthropic: { auth: { type: 'APIKey', apiKey: { name: 's', key: 'k' } } },
    ...(region === undefined ? {} : { region }),
  });

const compiled = (upstreams: object) =>
  compile(
    inputOf(
      [
        gateway(),
        up('virginia', 'us-east-1'),
        up('oregon', 'us-west-2'),
        up('frankfurt', 'eu-central-1'),
        up('silent'),
        object('Policy', 'p/q', { gatewayRef, match: { everyone: {} }, upstreams }),
      ],
      { 'p/s': { k: 'sk-ant-v' } },
    ),
  );

describe('regions of a policy', () => {
  test.each([
    [['us-east-1'], ['p/virginia']],
    [['us-*'], ['p/oregon', 'p/virginia']],
    [
      ['eu-central-1', 'us-east-1'],
      ['p/frankfurt', 'p/virginia'],
    ],
    [['*'], ['p/frankfurt', 'p/oregon', 'p/virginia']],
    [['us'], []],
  ])('[AUTHZ-14] %j are those of %j; who names no region is in none', (regions, within) => {
    const output = compiled({ regions });
    expect(output.gateways.get('p/gw')!.bundle.policies[0]).toMatchObject({ within });
    const warned = statusOf(output, 'Policy', 'p/q').warnings.some((each) => each.includes('spec.upstreams.regions'));
    expect(warned).toBe(within.length === 0);
  });

  test('[AUTHZ-14] they choose nothing: without names and selector the choice stays that of the Gateway', () => {
    const [policy] = compiled({ regions: ['us-*'], crossProvider: 'Forbid' }).gateways.get('p/gw')!.bundle.policies;
    expect(policy).toMatchObject({ oneProvider: true });
    expect(policy).not.toHaveProperty('upstreams');
    const [plain] = compiled({ names: ['virginia'] }).gateways.get('p/gw')!.bundle.policies;
    expect(plain).not.toHaveProperty('within');
    expect(plain).not.toHaveProperty('oneProvider');
  });
});
