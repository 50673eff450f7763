import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { guardProgram, loadOnThread } from './load-worker.ts';
import { UnusableConfigurationError } from './unusable.ts';

let folder: string;
let program: string;
const REQUEST = { paths: [], stateFolder: '', gateway: undefined, environment: {} };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-load-'));
  program = join(folder, 'program.mjs');
});
afterEach(() => rmSync(folder, { recursive: true }));

function thread(body: string): void {
  writeFileSync(program, `import { parentPort } from 'node:worker_threads';\n${body}`);
}

test('what node --watch reports over the channel is not taken for the answer', async () => {
  thread(`parentPort.postMessage({ 'watch:import': ['file:///x'] }); parentPort.postMessage({ unusable: 'mend it' });`);
  await expect(loadOnThread(program, REQUEST)).rejects.toThrow(new UnusableConfigurationError('mend it'));
});

test('a thread that dies is an error, not a wait', async () => {
  thread('process.exit(3);');
  await expect(loadOnThread(program, REQUEST)).rejects.toThrow('the load thread ended with code 3');
});

test('a configuration can go into force before the state folder is written, and a warning still arrives', async () => {
  thread(`parentPort.postMessage({ loaded: { revision: 'a' } });
    setTimeout(() => parentPort.postMessage({ remembered: 'warning: the disk is full' }), 20);`);
  const { revision, remembered } = await loadOnThread(program, REQUEST);
  expect(revision).toBe('a');
  expect(await remembered).toBe('warning: the disk is full');
});

test('a thread that dies before the state folder is written is a warning, not a wait', async () => {
  thread(`parentPort.postMessage({ loaded: {} });\nsetImmediate(() => process.exit(3));`);
  const { remembered } = await loadOnThread(program, REQUEST);
  expect(await remembered).toMatch(/^warning: the load thread ended with code 3: after a restart/);
});

test('a program that was replaced or removed is noticed', () => {
  thread('');
  const sameProgram = guardProgram(program);
  expect(sameProgram).not.toThrow();
  thread('// another');
  expect(sameProgram).toThrow('was replaced: restart');
});
