// A Secret that upstreams of two environments share is told of, to both.
import { describe, expect, test } from 'vitest';
import { compile } from './compile.ts';
import { inputOf, object, statusOf } from './testing.ts';

describe('[PROV-28] one Secret in two environments', () => {
  const up = (name: string, gatewayName: string, secret: string) =>
    object('Upstream', `p/${name}`, {
      gatewayRef: { name: gatewayName },
      provider: 'Anthropic',
      anthropic: { auth: { type: 'APIKey', apiKey: { name: secret, key: 'k' } } },
    });
  const gw = (name: string, environment?: string) =>
    object('Gateway', `p/${name}`, {
      publicUrl: 'https://gw.corp',
      listen: { trustedProxies: ['10.0.0.0/8'] },
      ...(environment === undefined ? {} : { environment }),
    });
  const warnings = (objects: Parameters<typeof inputOf>[0], name: string) =>
    statusOf(compile(inputOf(objects, { 'p/s': { k: 'v' }, 'p/t': { k: 'v' } })), 'Upstream', `p/${name}`).warnings;

  test('is told to both upstreams, in any order', () => {
    const objects = [gw('live', 'prod'), gw('trial', 'test'), up('a', 'live', 's'), up('b', 'trial', 's')];
    for (const order of [objects, objects.toReversed()]) {
      expect(warnings(order, 'a')).toEqual([
        'Secret s is used in environment test too, by Upstream b; give each environment a credential of its own',
      ]);
      expect(warnings(order, 'b')).toEqual([
        'Secret s is used in environment prod too, by Upstream a; give each environment a credential of its own',
      ]);
    }
  });

  test.each([
    ['Secrets of their own', [gw('live', 'prod'), gw('trial', 'test'), up('a', 'live', 's'), up('b', 'trial', 't')]],
    ['the same environment', [gw('live', 'prod'), gw('more', 'prod'), up('a', 'live', 's'), up('b', 'more', 's')]],
    ['no environment', [gw('live', 'prod'), gw('plain'), up('a', 'live', 's'), up('b', 'plain', 's')]],
  ])('is not warned of with %s', (_, objects) => {
    expect(warnings(objects, 'a')).toEqual([]);
  });
});
