// The cache of real clients must never show a half-installed one.
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cachedClient, cacheRoot } from './client-cache.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'portcullis-cache-'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

test('two runs at once end with one whole folder', async () => {
  const install = async (folder: string): Promise<void> => {
    writeFileSync(join(folder, 'first'), '');
    await sleep(20);
    writeFileSync(join(folder, 'last'), '');
  };
  const folders = await Promise.all([cachedClient('c-1', install, root), cachedClient('c-1', install, root)]);
  expect(new Set(folders).size).toBe(1);
  expect(readdirSync(root)).toEqual(['c-1']);
  expect(readdirSync(folders[0])).toEqual(['first', 'last']);
});

test('an installed client is not installed again', async () => {
  const folder = await cachedClient('c-1', async () => undefined, root);
  expect(await cachedClient('c-1', () => Promise.reject(new Error('again')), root)).toBe(folder);
});

test('a failed installation leaves nothing and is told', async () => {
  await expect(cachedClient('c-1', () => Promise.reject(new Error('no network')), root)).rejects.toThrow('no network');
  expect(readdirSync(root)).toEqual([]);
  expect(existsSync(join(root, 'c-1'))).toBe(false);
});

test('the folder follows XDG_CACHE_HOME', () => {
  expect(cacheRoot({ XDG_CACHE_HOME: '/elsewhere' })).toBe('/elsewhere/portcullis');
  expect(cacheRoot({}).endsWith('/.cache/portcullis')).toBe(true);
});
