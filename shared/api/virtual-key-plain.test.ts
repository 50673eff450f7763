import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSpec } from './parse.ts';
import { plainVirtualKey } from './virtual-key-plain.ts';
import { virtualKeySpec } from './virtual-key.ts';

const imported = { type: 'Imported', imported: { secretRef: { name: 'keys-000', key: 'Key_1.a' } } };
const generated = { type: 'Generated', generated: { secretName: 'ci-key' } };
const ordinary = {
  gatewayRef: { name: 'main' },
  owner: { type: 'Team', name: 'ci@corp.example' },
  credential: imported,
};

test.each<[string, object]>([
  ['an imported value', ordinary],
  ['a generated value', { ...ordinary, credential: generated }],
  ['a Gateway elsewhere', { ...ordinary, gatewayRef: { name: 'main', namespace: 'platform' } }],
  ['a state', { ...ordinary, state: 'Revoked' }],
])('reads %s as the schema does', (_, raw) => {
  expect(plainVirtualKey(raw)).toEqual(virtualKeySpec.parse(raw));
});

test.each<[string, object]>([
  ['scopes', { ...ordinary, scopes: ['read'] }],
  ['an end of life', { ...ordinary, ttl: '1h' }],
  ['rotation', { ...ordinary, credential: generated, rotation: { every: '24h', grace: '1h' } }],
  ['a model', { ...ordinary, credential: { type: 'Generated', generated: { secretName: 'a', model: 'opus' } } }],
])('leaves %s to the schema, which takes it', (_, raw) => {
  expect(plainVirtualKey(raw)).toBeUndefined();
  expect(parseSpec('VirtualKey', raw).ok).toBe(true);
});

const text = fc.oneof(
  fc.constantFrom('', 'a', 'main', 'a.b', 'a-', '-a', 'A', 'a b', 'a,b', 'é', 'a\n', '.a', 'k_1'),
  fc.constantFrom(63, 64, 253, 254).map((length) => 'a'.repeat(length)),
);
const odd = fc.constantFrom<unknown>(undefined, null, 1, true, 'x', [], {}, ['a']);
/** Mostly what belongs there, with members left out, put in and spoiled. */
const spoilt = (members: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.record(members) },
    { weight: 3, arbitrary: fc.record(members, { requiredKeys: [] }) },
    { weight: 2, arbitrary: fc.record({ ...members, zz: odd }) },
    { weight: 1, arbitrary: odd },
  );

const spec = fc.oneof(
  spoilt({
    gatewayRef: fc.oneof(spoilt({ name: text }), spoilt({ name: text, namespace: text })),
    owner: spoilt({ type: fc.constantFrom('User', 'Team', 'Service', 'Robot'), name: text }),
    credential: fc.oneof(
      spoilt({ type: fc.constant('Imported'), imported: spoilt({ secretRef: spoilt({ name: text, key: text }) }) }),
      spoilt({ type: fc.constantFrom('Generated', 'Imported'), generated: spoilt({ secretName: text }) }),
    ),
    state: fc.constantFrom('Active', 'Disabled', 'Revoked', 'Off', undefined),
  }),
  fc.record({ gatewayRef: odd, owner: odd, credential: odd, state: odd }),
);

test('never says anything but what the schema says', () => {
  let read = 0;
  fc.assert(
    fc.property(spec, (raw) => {
      const plain = plainVirtualKey(raw);
      if (plain === undefined) return;
      read++;
      expect(virtualKeySpec.safeParse(raw)).toEqual({ success: true, data: plain });
    }),
    { numRuns: 20_000 },
  );
  expect(read).toBeGreaterThan(50);
});
