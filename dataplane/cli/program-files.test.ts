import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { guardProgram, programFiles } from './program-files.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-program-'));
  mkdirSync(join(folder, 'chunks'));
  for (const file of ['portcullis.js', 'portcullis-load.js', 'chunks/load-A1.js'])
    writeFileSync(join(folder, file), '');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('from sources, a load has a program of its own that is there', () => {
  const { load, all } = programFiles(fileURLToPath(new URL('../main.ts', import.meta.url)));
  expect(existsSync(load)).toBe(true);
  expect(all).toContain(load);
});

test('bundled, a load starts with the entry beside the one that was started', () => {
  expect(programFiles(join(folder, 'portcullis.js')).load).toBe(join(folder, 'portcullis-load.js'));
});

test.each([
  ['written over', 'portcullis.js', (file: string) => writeFileSync(file, '// another')],
  ['written over', 'portcullis-load.js', (file: string) => writeFileSync(file, '// another')],
  ['written over', 'chunks/load-A1.js', (file: string) => writeFileSync(file, '// another')],
  ['removed', 'chunks/load-A1.js', (file: string) => rmSync(file)],
  [
    'renamed over, as long as before',
    'portcullis-load.js',
    (file: string) => {
      writeFileSync(`${file}.new`, '');
      renameSync(`${file}.new`, file);
    },
  ],
])('an upgrade in place is noticed: %s, %s', (_how, file, upgrade) => {
  const sameProgram = guardProgram(programFiles(join(folder, 'portcullis.js')).all);
  expect(sameProgram).not.toThrow();
  upgrade(join(folder, file));
  expect(sameProgram).toThrow(`${join(folder, file)} was replaced: restart`);
});
