import { describe, expect, test } from 'vitest';
import { partsOf, readIndex, revisionOf, writeIndex } from './index-text.ts';
import { ALL_PARTS, MAX_REVOKED, type BundleIndex, type PartEntry } from './publication.ts';

const entry: PartEntry = { slot: 'a', sha256: '0'.repeat(64), size: 2 };

function indexOf(keyParts: number, changes: object = {}): BundleIndex {
  return {
    format: 1,
    writer: '1.2.3',
    revision: 'abc',
    sequence: 7,
    keyParts,
    parts: Object.fromEntries(partsOf(keyParts).map((name) => [name, entry])),
    revoked: [],
    ...changes,
  };
}

const read = (changes: object): BundleIndex => readIndex(JSON.stringify({ ...indexOf(2), ...changes }));

describe('the index', () => {
  test.each([1, 2, 32])('comes back as it was written, with %i key shards', (count) => {
    expect(readIndex(writeIndex(indexOf(count)))).toEqual(indexOf(count));
    expect(partsOf(32)).toEqual(ALL_PARTS);
  });

  test('members that a newer writer adds are passed over', () => {
    expect(read({ since: 'later' })).toEqual(indexOf(2));
  });

  test('of another format is told from one that is broken', () => {
    expect(() => read({ format: 2 })).toThrow(
      expect.objectContaining({ code: 'unknown_format', message: 'index: is of format 2, this program reads 1' }),
    );
    for (const text of ['', '{', 'null', '[]', '{}', '{"format":"1"}']) {
      expect(() => readIndex(text)).toThrow(expect.objectContaining({ code: 'corrupt', part: 'index' }));
    }
  });

  const parts = indexOf(2).parts;
  test.each([
    ['a shard too few', { parts: indexOf(1).parts }],
    ['a shard too many', { parts: indexOf(4).parts }],
    ['a part nobody knows', { parts: { ...parts, 'keys-99': entry } }],
    ['a part of the prototype', { parts: JSON.parse('{"__proto__":{}}') as object }],
    ['a third slot', { parts: { ...parts, bundle: { ...entry, slot: 'c' } } }],
    ['a digest of another length', { parts: { ...parts, bundle: { ...entry, sha256: '0' } } }],
    ['a size no reader takes', { parts: { ...parts, bundle: { ...entry, size: 2 ** 40 } } }],
    ['three shards', { keyParts: 3 }],
    ['64 shards', { keyParts: 64 }],
    ['no sequence', { sequence: undefined }],
    ['a sequence past what can be counted', { sequence: 2 ** 53 }],
    ['a revoked hash that is none', { revoked: ['x'] }],
    ['more revoked hashes than a reader takes', { revoked: Array(MAX_REVOKED + 1).fill('0'.repeat(64)) }],
  ])('with %s is refused', (_title, changes) => {
    expect(() => read(changes)).toThrow(expect.objectContaining({ code: 'corrupt', part: 'index' }));
  });

  test('the revision follows content, not slots or order', () => {
    const moved = Object.fromEntries(
      Object.entries(parts)
        .toReversed()
        .map(([name, part]) => [name, { ...part, slot: 'b' as const }]),
    );
    expect(revisionOf(moved)).toBe(revisionOf(parts));
    expect(revisionOf({ ...parts, bundle: { ...entry, sha256: '1'.repeat(64) } })).not.toBe(revisionOf(parts));
    expect(revisionOf(indexOf(4).parts)).not.toBe(revisionOf(parts));
  });
});
