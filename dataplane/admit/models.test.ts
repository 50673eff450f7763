import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { ModelTable } from './models.ts';
import { upstreamEntry } from './testing.ts';

const HOUSE = { id: 'claude-house', displayName: 'House', description: 'Ours', target: 'claude-opus-5-5' };

describe('resolution', () => {
  const table = new ModelTable(
    true,
    [HOUSE, { ...HOUSE, id: 'best[1m]' }],
    [upstreamEntry('a', { 'corp-x': 'dep-1' })],
  );

  test.each([
    ['claude-opus-5-5', 'claude-opus-5-5', 'claude-opus-5-5'],
    ['CLAUDE-OPUS-5-5[1M]', 'claude-opus-5-5', 'claude-opus-5-5'],
    ['us.anthropic.claude-opus-5-5', 'claude-opus-5-5', 'claude-opus-5-5'],
    ['Claude-House', 'claude-house', 'claude-opus-5-5'],
    ['claude-house[1m]', 'claude-house', 'claude-opus-5-5'],
    ['best[1m]', 'best[1m]', 'claude-opus-5-5'],
    ['CORP-X', 'corp-x', 'corp-x'],
  ])('[AUTHZ-03] %s is %s, routed as %s', (name, listedId, id) => {
    expect(table.resolve(name)).toMatchObject({ listedId, id });
  });

  test.each(['', 'opus', 'best', 'us.anthropic.claude-house', 'dep-1', '__proto__', 'claude-house[1m][1m]'])(
    '[AUTHZ-03] %j is nothing',
    (name) => {
      expect(table.resolve(name)).toBeUndefined();
    },
  );

  test('a name of the platform team does not change under those who asked before it came', () => {
    expect(table.resolve('nobody')).toBeUndefined();
    const later = new ModelTable(true, [{ ...HOUSE, id: 'nobody' }], []);
    expect(later.resolve('nobody')?.id).toBe('claude-opus-5-5');
  });

  test('[API-04] an entry that describes a built-in model replaces it in the list', () => {
    const described = new ModelTable(true, [{ ...HOUSE, id: 'claude-opus-5-5' }], []);
    const rows = described.list().filter(({ listedId }) => listedId === 'claude-opus-5-5');
    expect(rows.map(({ displayName, description }) => [displayName, description])).toEqual([['House', 'Ours']]);
  });

  test('without the built-in catalog only what was named is served', () => {
    const own = new ModelTable(false, [HOUSE], [upstreamEntry('a', { 'corp-x': 'dep-1' })]);
    expect(own.list().map(({ listedId }) => listedId)).toEqual(['claude-house', 'corp-x']);
    expect(own.resolve('claude-opus-5-5')).toBeUndefined();
    expect(own.resolve('claude-house')?.names).toContain('anthropic.claude-opus-5-5');
  });
});

test('ever new names, and long ones, leave nothing behind', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const table = new ModelTable(true, [], []);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 20_000; i++) table.resolve(`claude-${i}`);
  // Bodies may be of 32 MB: one such name must not stay until 4,096 others came.
  for (let i = 0; i < 300; i++) table.resolve(Buffer.alloc(200_000, String(i)).toString());
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(4_000_000);
  // Used once more, so that the table itself was not collected.
  expect(table.resolve('claude-opus-5-5')?.id).toBe('claude-opus-5-5');
});
