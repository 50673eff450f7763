import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import { keyHash } from '#shared/bundle/key-hash.ts';
import { cutShards, type KeyShard } from '#shared/bundle/shards.ts';
import { SecretText } from '#shared/secret-text.ts';
import { keyEntry } from '../admit/testing.ts';
import { KeyIndex } from './key-index.ts';

const PEPPER = new SecretText('pepper'.repeat(8));

function hashOf(value: string): string {
  return keyHash(PEPPER.reveal(), value);
}

function entriesOf(values: readonly string[]): KeyEntry[] {
  return values
    .map((value, index) => keyEntry({ hash: hashOf(value), key: `default/${index}` }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1));
}

describe('look-up', () => {
  test('[AUTH-10] finds exactly the keys it holds', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 60 }), fc.string(), (values, other) => {
        const index = KeyIndex.of(PEPPER, entriesOf(values));
        expect(index.size).toBe(values.length);
        for (const [at, value] of values.entries()) expect(index.find(value)?.key).toBe(`default/${at}`);
        expect(index.find(other)?.key).toBe(values.includes(other) ? `default/${values.indexOf(other)}` : undefined);
      }),
      { numRuns: 60 },
    );
  });

  test('[AUTH-10] compares the whole hash, also where its first 48 bits are those of another key', () => {
    const hash = hashOf('wanted');
    const twin = (tail: string): string => hash.slice(0, -tail.length) + tail;
    const near = keyEntry({ hash: twin(hash.endsWith('0') ? '1' : '0'), key: 'default/near' });
    const far = keyEntry({ hash: twin('f'.repeat(52)), key: 'default/far' });
    const wanted = keyEntry({ hash, key: 'default/wanted' });
    const sorted = [near, far, wanted].sort((a, b) => (a.hash < b.hash ? -1 : 1));
    expect(KeyIndex.of(PEPPER, sorted).find('wanted')?.key).toBe('default/wanted');
    expect(
      KeyIndex.of(
        PEPPER,
        sorted.filter((entry) => entry !== wanted),
      ).find('wanted'),
    ).toBeUndefined();
    expect(KeyIndex.of(PEPPER, [near]).find('wanted')).toBeUndefined();
  });

  test('[AUTH-08] under another pepper nothing is found, and the hash itself is no key', () => {
    const entries = entriesOf(['value']);
    expect(KeyIndex.of(new SecretText('other!'.repeat(8)), entries).find('value')).toBeUndefined();
    expect(KeyIndex.of(PEPPER, entries).find(hashOf('value'))).toBeUndefined();
    expect(KeyIndex.of(PEPPER, entries).byHash(hashOf('value'))?.key).toBe('default/0');
  });

  test('[AUTH-10] remembers nothing of unknown values', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const index = KeyIndex.of(PEPPER, entriesOf(['value']));
    const before = usedAfter(collect);
    for (let i = 0; i < 20_000; i++) index.find(Buffer.alloc(2_000, String(i)).toString());
    // Remembered, these would be 40 MB; even their hashes would be more than this.
    expect(usedAfter(collect) - before).toBeLessThan(4_000_000);
    // Used once more, so that the index itself was not collected.
    expect(index.find('value')?.key).toBe('default/0');
  });
});

function usedAfter(collect: () => void): number {
  collect();
  return process.memoryUsage().heapUsed;
}

describe('[KEY-08] revoking', () => {
  test('ends the keys of these hashes on top of their entries, and leaves the index before as it was', () => {
    const index = KeyIndex.of(PEPPER, entriesOf(['one', 'two']));
    const without = index.revoking(new Set([hashOf('one'), hashOf('nobody')]));
    expect(without.find('one')).toEqual({ ...index.find('one'), state: 'Revoked' });
    expect(without.byHash(hashOf('one'))?.state).toBe('Revoked');
    expect(without.find('two')).toBe(index.find('two'));
    expect(without.find('nobody')).toBeUndefined();
    expect([index.find('one')?.state, without.size]).toEqual(['Active', 2]);
  });
});

describe('loading', () => {
  test('shards give the same index as entries, and unchanged ones are taken over', async () => {
    const values = Array.from({ length: 500 }, (_, i) => `value-${i}`);
    const shards = cutShards(entriesOf(values));
    const first = await KeyIndex.load(PEPPER, shards, undefined);
    const entry = first.find('value-7');
    const again = await KeyIndex.load(PEPPER, cutShards(entriesOf(values)), first);
    expect(again.size).toBe(500);
    expect(again.find('value-7')).toBe(entry);
    expect(again.find('value-499')?.key).toBe('default/499');
  });

  test('a shard that is held need not be given again, and one that is not cannot be left out', async () => {
    const [shard] = cutShards(entriesOf(['value']));
    const first = await KeyIndex.load(PEPPER, [shard!], undefined);
    expect([first.holdsShard(shard!.sha256), first.holdsShard('0'.repeat(64))]).toEqual([true, false]);
    const again = await KeyIndex.load(PEPPER, [{ sha256: shard!.sha256 }], first);
    expect(again.find('value')).toBe(first.find('value'));
    await expect(KeyIndex.load(PEPPER, [{ sha256: '0'.repeat(64) }], first)).rejects.toThrow('neither given nor known');
  });

  test('shards on their way are waited for, in order, and an index without one of them is none', async () => {
    const values = Array.from({ length: 3_000 }, (_, i) => `value-${i}`);
    const shards = cutShards(entriesOf(values));
    expect(shards.length).toBeGreaterThan(2);
    const coming = shards.slice(0, -1).map((shard) => Promise.resolve(shard));
    const whole = await KeyIndex.load(PEPPER, [...coming, Promise.resolve(shards.at(-1)!)], undefined);
    expect(values.every((value) => whole.find(value) !== undefined)).toBe(true);
    const slow = new Promise<KeyShard>((resolve) => setTimeout(resolve, 20, shards[0]!));
    const lost = Promise.reject<KeyShard>(new Error('the writer is gone'));
    await expect(KeyIndex.load(PEPPER, [slow, ...coming, lost], undefined)).rejects.toThrow('the writer is gone');
  });
});
