// What namespaces may learn of each other through statuses: nothing.
import { describe, expect, test } from 'vitest';
import { compile } from './compile.ts';
import { condition, gateway, golden, inputOf, object, statusOf } from './testing.ts';
import type { RawObject } from './types.ts';

const admitAll = { virtualKeys: { from: 'All' }, policies: { from: 'All' }, upstreams: { from: 'All' } };

describe('neighbours', () => {
  const child = (kind: string): RawObject => {
    const gatewayRef = { name: 'gw', namespace: 'p' };
    const specs: Record<string, object> = {
      Policy: { gatewayRef, match: { everyone: {} } },
      VirtualKey: {
        gatewayRef,
        owner: { type: 'User', name: 'a' },
        credential: { type: 'Generated', generated: { secretName: 's' } },
      },
      Upstream: {
        gatewayRef,
        provider: 'Anthropic',
        anthropic: { auth: { type: 'APIKey', apiKey: { name: 's', key: 'token' } } },
      },
    };
    return object(kind, 't/child', specs[kind]);
  };

  test.each(['Policy', 'VirtualKey', 'Upstream'])(
    'a refused %s reads the same whether or not the Gateway exists',
    (kind) => {
      const worlds = [
        [],
        [gateway()],
        [object('Gateway', 'p/gw', { publicUrl: 'ftp://broken' })],
        [gateway(), gateway()],
      ];
      const statuses = worlds.map((world) => statusOf(compile(inputOf([...world, child(kind)])), kind, 't/child'));
      for (const status of statuses) expect(status).toEqual(statuses[0]);
      expect(statuses[0]?.conditions[0]).toMatchObject({ status: 'False', reason: 'NotAllowedByGateway' });
    },
  );

  test('a tenant that names an upstream of another tenant reads the same whether or not it exists', () => {
    const policy = object('Policy', 't/probe', {
      gatewayRef: { name: 'gw', namespace: 'p' },
      match: { everyone: {} },
      models: { allow: ['secret-model'] },
      upstreams: { names: ['other/llm'] },
    });
    const upstream = object('Upstream', 'other/llm', {
      gatewayRef: { name: 'gw', namespace: 'p' },
      provider: 'Anthropic',
      anthropic: { auth: { type: 'APIKey', apiKey: { name: 's', key: 'token' } } },
      models: [{ id: 'secret-model' }],
    });
    const world = [gateway({ allowedNamespaces: admitAll }), policy];
    const without = compile(inputOf(world));
    const beside = compile(inputOf([...world, upstream], { 'other/s': { token: 'provider-token' } }));
    expect(beside.gateways.get('p/gw')?.bundle.upstreams).toHaveLength(1);
    expect(statusOf(beside, 'Policy', 't/probe')).toEqual(statusOf(without, 'Policy', 't/probe'));
    expect(condition(without, 'Policy', 't/probe', 'ResolvedRefs')).toMatchObject({
      status: 'False',
      reason: 'RefNotFound',
    });
    expect(beside.gateways.get('p/gw')?.bundle.policies[0]?.upstreams).toEqual([]);
  });

  test('owners of another namespace carry its name, and so do the names its policies match', () => {
    const output = compile(golden('tenancy')).gateways.get('platform/claude');
    expect(output?.keys.map(({ owner }) => owner.name).sort()).toEqual(['alice', 'team-a/alice', 'team-b/build']);
    const narrow = output?.bundle.policies.find(({ key }) => key === 'team-a/narrow');
    expect(narrow).toMatchObject({ tenant: true, match: { groups: ['team-a/build'], users: ['team-a/alice'] } });
  });
});
