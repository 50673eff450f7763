import { expect, test } from 'vitest';
import { keyEntry } from '../admit/testing.ts';
import { PreviousSecretUses } from './previous-secret.ts';

const NOON = Date.parse('2026-06-01T12:00:00Z');
const all = (): boolean => true;
const old = (name: string, hash = name) => keyEntry({ key: `platform/${name}`, hash, previous: true });

test('[KEY-07] says of an old secret when it was used last, how often and from where', () => {
  const uses = new PreviousSecretUses();
  for (const [seconds, address] of ['10.0.0.1', '10.0.0.2', '10.0.0.1'].entries())
    uses.note(old('ci'), address, NOON + seconds * 1_000);
  uses.note(old('laptop'), '10.0.0.9', NOON);
  expect(uses.report(all)).toEqual({
    'platform/ci': { at: '2026-06-01T12:00:02.000Z', count: 3, addresses: ['10.0.0.1', '10.0.0.2'] },
    'platform/laptop': { at: '2026-06-01T12:00:00.000Z', count: 1, addresses: ['10.0.0.9'] },
  });
});

test('[KEY-07] a key rotated once more starts anew, and what is out of grace is forgotten', () => {
  const uses = new PreviousSecretUses();
  uses.note(old('ci', 'first'), '10.0.0.1', NOON);
  uses.note(old('ci', 'first'), '10.0.0.1', NOON);
  uses.note(old('ci', 'second'), '10.0.0.2', NOON + 1_000);
  expect(uses.report(all)).toEqual({
    'platform/ci': { at: '2026-06-01T12:00:01.000Z', count: 1, addresses: ['10.0.0.2'] },
  });
  expect(uses.report(() => false)).toEqual({});
  expect(uses.report(all)).toEqual({});
});

test('holds a hundred keys and five addresses, the last ones', () => {
  const uses = new PreviousSecretUses();
  for (let i = 0; i < 150; i++) uses.note(old(`key-${i}`), '10.0.0.1', NOON + i);
  uses.note(old('key-50'), '10.0.0.1', NOON + 1_000);
  uses.note(old('key-150'), '10.0.0.1', NOON + 1_001);
  const names = Object.keys(uses.report(all));
  expect(names).toHaveLength(100);
  expect(names).toContain('platform/key-50');
  expect(names).not.toContain('platform/key-51');
  for (let i = 0; i < 9; i++) uses.note(old('key-50'), `10.0.0.${i}`, NOON);
  expect(uses.report(all)['platform/key-50']?.addresses).toEqual([
    '10.0.0.8',
    '10.0.0.7',
    '10.0.0.6',
    '10.0.0.5',
    '10.0.0.4',
  ]);
});
