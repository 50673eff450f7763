// Changes as editors, deployments and mounts make them.
import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { workspace, type Workspace } from './testing.ts';
import { watchFiles, type Watcher } from './watch.ts';

let space: Workspace;
let watcher: Watcher | undefined;
let changes = 0;

beforeEach(() => {
  vi.useFakeTimers();
  space = workspace();
  changes = 0;
});

afterEach(() => {
  watcher?.stop();
  space.remove();
  vi.useRealTimers();
});

function watch(...paths: readonly string[]): void {
  watcher = watchFiles(paths, async () => void changes++);
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

test.each<[string, (file: string) => void]>([
  ['written in place', (file) => writeFileSync(file, 'b: 22\n')],
  ['appended to', (file) => appendFileSync(file, '# more\n')],
  ['renamed over', (file) => (writeFileSync(`${file}.new`, 'b: 1\n'), renameSync(`${file}.new`, file))],
  ['touched', (file) => utimesSync(file, 1, 1)],
  ['unlinked and written again', (file) => (rmSync(file), writeFileSync(file, 'a: 1\n'))],
])('[OPS-20] a file that is %s is noticed within half a second, once', async (_name, change) => {
  const file = space.write('a.yaml', 'a: 1\n');
  watch(file);
  await pass(1_000);
  expect(changes).toBe(0);
  change(file);
  await pass(500);
  expect(changes).toBe(1);
  await pass(1_000);
  expect(changes).toBe(1);
});

test('a folder: files that come and go; others do not matter', async () => {
  space.write('d/a.yaml', 'a: 1\n');
  watch(space.path('d'));
  space.write('d/b.yaml', 'b: 1\n');
  await pass(500);
  expect(changes).toBe(1);
  rmSync(space.path('d/b.yaml'));
  await pass(500);
  expect(changes).toBe(2);
  space.write('d/.b.yaml.swp', 'x');
  space.write('d/README.md', 'x');
  await pass(500);
  expect(changes).toBe(2);
});

test('a mounted ConfigMap: the link behind the link is swapped', async () => {
  mkdirSync(space.path('m'));
  space.write('m/..1/a.yaml', 'a: 1\n');
  space.write('m/..2/a.yaml', 'a: 2\n');
  symlinkSync('..1', space.path('m/..data'));
  symlinkSync('..data/a.yaml', space.path('m/a.yaml'));
  watch(space.path('m'));
  symlinkSync('..2', space.path('m/..tmp'));
  renameSync(space.path('m/..tmp'), space.path('m/..data'));
  await pass(500);
  expect(changes).toBe(1);
});

test('[OPS-05] a file that is still being written is waited for', async () => {
  const file = space.write('a.yaml', 'a: 1\n');
  watch(file);
  writeFileSync(file, '');
  await pass(100);
  writeFileSync(file, 'a: 1\nb: ');
  await pass(100);
  writeFileSync(file, 'a: 1\nb: 2\n');
  await pass(99);
  expect(changes).toBe(0);
  await pass(200);
  expect(changes).toBe(1);
});

test('a file that never comes to rest is read all the same', async () => {
  const file = space.write('a.yaml', 'a: 1\n');
  watch(file);
  for (let i = 0; i < 20; i++) {
    appendFileSync(file, '# x\n');
    await pass(100);
  }
  expect(changes).toBeGreaterThanOrEqual(3);
});

test('a file that is gone for a moment and back is looked at once', async () => {
  const file = space.write('a.yaml', 'a: 1\n');
  watch(file);
  renameSync(file, `${file}.old`);
  await pass(100);
  renameSync(`${file}.old`, file);
  await pass(500);
  expect(changes).toBe(1);
});

test('an edit during a reload leads to another reload, never to two at once', async () => {
  const file = space.write('a.yaml', 'a: 1\n');
  const finish: (() => void)[] = [];
  watcher = watchFiles([file], () => new Promise<void>((resolve) => finish.push(resolve)));
  writeFileSync(file, 'a: 22\n');
  await pass(500);
  writeFileSync(file, 'a: 333\n');
  await pass(1_000);
  expect(finish).toHaveLength(1);
  finish[0]!();
  await pass(500);
  expect(finish).toHaveLength(2);
});

test('stops', async () => {
  const file = space.write('a.yaml', 'a: 1\n');
  watch(file);
  watcher!.stop();
  writeFileSync(file, 'a: 22\n');
  await pass(1_000);
  expect(changes).toBe(0);
});
