// Which codings are read, which are passed on by name, and names that every object has.
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { decodeWhole, isForeignCoding, openDecoder } from './content-coding.ts';

test.each(['gzip', 'x-gzip', 'deflate', 'br', 'zstd', ' GZIP '])('%s is read', (name) => {
  expect(openDecoder(name)).toBeDefined();
  expect(isForeignCoding(name)).toBe(false);
});

test.each([undefined, '', 'identity'])('%s is plain', (name) => {
  expect(openDecoder(name)).toBeUndefined();
  expect(isForeignCoding(name)).toBe(false);
});

test.each(['compress', 'gzip, gzip', '__proto__', 'constructor', 'toString'])('%s is none of ours', (name) => {
  expect(openDecoder(name)).toBeUndefined();
  expect(isForeignCoding(name)).toBe(true);
  expect(decodeWhole(Buffer.from('as it came'), name, 100).toString()).toBe('as it came');
});

test('a whole body is read up to the bound and no further', () => {
  expect(decodeWhole(gzipSync('hello'), 'gzip', 100).toString()).toBe('hello');
  expect(decodeWhole(gzipSync('x'.repeat(101)), 'gzip', 100)).toHaveLength(0);
  expect(decodeWhole(Buffer.from('hello'), 'gzip', 100)).toHaveLength(0);
});
