import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeyEntry } from './bundle.ts';
import { encodePart } from './parts.ts';
import { MAX_KEY_PARTS, MAX_PART_BYTES } from './publication.ts';
import { cutShards, shardCount, shardJson, shardOf, splitEntries } from './shards.ts';

/** Entries as full as they come in the field: an owner, labels, an end, models and a network of their own. */
function entriesOf(count: number): KeyEntry[] {
  const entries = Array.from({ length: count }, (_, index): KeyEntry => {
    const hash = createHash('sha256').update(String(index)).digest('hex');
    const team = `team-${index % 300}`;
    return {
      hash,
      key: `${team}/key-${index}`,
      namespace: team,
      prefix: `sk-pc-${hash.slice(8, 12)}`,
      owner: { type: 'User', name: `${team}/user${index}@example.com` },
      labels: { team, 'cost-center': `cc-${index % 1000}` },
      state: 'Active',
      expiresAt: 1_790_000_000_000 + index * 1000,
      scopes: ['read', 'write'],
      models: ['claude-*'],
      network: ['10.0.0.0/8'],
    };
  });
  return entries.sort((a, b) => (a.hash < b.hash ? -1 : 1));
}

describe('the number of shards', () => {
  test('is a power of two that holds the keys, and never more than there are objects for', () => {
    fc.assert(
      fc.property(fc.nat(200_000), fc.nat(5), (keys, log) => {
        const count = shardCount(keys, 2 ** log);
        expect(count & (count - 1)).toBe(0);
        expect(count).toBeLessThanOrEqual(MAX_KEY_PARTS);
        expect(count === MAX_KEY_PARTS || keys <= count * 1024).toBe(true);
      }),
    );
    expect([0, 1, 1024, 1025, 2000, 100_000].map((keys) => shardCount(keys))).toEqual([1, 1, 1, 2, 2, 32]);
  });

  test('does not flip where keys come and go at a boundary', () => {
    let count = 1;
    let changes = 0;
    for (let round = 0; round < 100; round++) {
      const next = shardCount(1024 + (round % 2), count);
      if (next !== count) changes += 1;
      count = next;
    }
    expect(changes).toBe(1);
    expect(shardCount(513, 2)).toBe(2);
    expect(shardCount(512, 2)).toBe(1);
  });
});

describe('a cut', () => {
  test('keeps every entry once, in order, in the shard where readers look', () => {
    const entries = entriesOf(500);
    for (const count of [1, 2, 32]) {
      const shards = splitEntries(entries, count);
      expect(shards.flat()).toEqual(entries);
      for (const [at, shard] of shards.entries()) {
        for (const { hash } of shard) expect(shardOf(hash, count)).toBe(at);
      }
    }
  });

  test('one changed key changes one shard of 100,000 keys, and each stays under a third of what an object holds', async () => {
    const entries = entriesOf(100_000);
    const before = cutShards(entries);
    const changed = cutShards(
      entries.map((entry, index) => (index === 70_000 ? { ...entry, state: 'Revoked' as const } : entry)),
    );
    expect(before).toHaveLength(32);
    expect(changed.filter(({ sha256 }, at) => sha256 !== before[at]!.sha256)).toHaveLength(1);
    const sizes = await Promise.all(before.map(async ({ json }) => (await encodePart('keys-00', json)).bytes.length));
    expect(Math.max(...sizes)).toBeLessThan(MAX_PART_BYTES / 3);
  });

  test('four times as many keys still fit', async () => {
    // A 32nd of 400,000 keys, and as many more as chance gives the fullest of 32 shards.
    const { bytes } = await encodePart('keys-00', shardJson(entriesOf(12_500 + 400)));
    expect(bytes.length).toBeLessThan(MAX_PART_BYTES);
  });
});
