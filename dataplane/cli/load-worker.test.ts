import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadOnThread } from './load-worker.ts';
import { UnusableConfigurationError } from './unusable.ts';

let folder: string;
let program: string;
const REQUEST = { paths: [], stateFolder: '', gateway: undefined, environment: {} };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-load-'));
  program = join(folder, 'program.mjs');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What a thread does that can `say` something to the other side. */
function thread(body: string): void {
  writeFileSync(
    program,
    `import { parentPort } from 'node:worker_threads';\nconst say = (message) => parentPort.postMessage(message);\n${body}`,
  );
}

/** A shard named after its digest. */
const shard = (sha256: string): string => JSON.stringify({ shard: { sha256, json: [] } });

test('what node --watch reports over the channel is not taken for the answer', async () => {
  thread(`say({ 'watch:import': ['file:///x'] }); say({ unusable: 'mend it' });`);
  await expect(loadOnThread(program, REQUEST)).rejects.toThrow(new UnusableConfigurationError('mend it'));
});

test('a thread that dies is an error, not a wait', async () => {
  thread('process.exit(3);');
  await expect(loadOnThread(program, REQUEST)).rejects.toThrow('the load thread ended with code 3');
});

test('a shard can be read while the next is still written, and they keep their order', async () => {
  const goOn = join(folder, 'go-on');
  thread(`import { existsSync } from 'node:fs';
    say({ configuration: {}, shardCount: 3 }); say(${shard('a')});
    const looks = setInterval(() => {
      if (!existsSync(${JSON.stringify(goOn)})) return;
      clearInterval(looks);
      say(${shard('b')}); say(${shard('c')}); say({ remembered: undefined });
    }, 5);`);
  const { shards } = await loadOnThread(program, REQUEST);
  expect(await shards[0]).toMatchObject({ sha256: 'a' });
  writeFileSync(goOn, '');
  expect((await Promise.all(shards)).map(({ sha256 }) => sha256)).toEqual(['a', 'b', 'c']);
});

test.each([
  ['dies', 'setImmediate(() => process.exit(3));', 'the load thread ended with code 3'],
  ['throws', `setImmediate(() => { throw new Error('no memory left'); });`, 'no memory left'],
  ['fails', `say({ failed: 'no such shard' });`, 'no such shard'],
])('of a thread that %s between two shards, those that did not arrive fail', async (_what, body, reason) => {
  thread(`say({ configuration: {}, shardCount: 3 }); say(${shard('a')}); ${body}`);
  const { shards, remembered } = await loadOnThread(program, REQUEST);
  expect(await shards[0]).toMatchObject({ sha256: 'a' });
  await expect(shards[1]).rejects.toThrow(reason);
  await expect(shards[2]).rejects.toThrow(reason);
  expect(await remembered).toContain(reason);
});

test('a configuration can go into force before the state folder is written, and a warning still arrives', async () => {
  thread(`say({ configuration: { revision: 'a' }, shardCount: 0 });
    setTimeout(() => say({ remembered: 'warning: the disk is full' }), 20);`);
  const { revision, remembered } = await loadOnThread(program, REQUEST);
  expect(revision).toBe('a');
  expect(await remembered).toBe('warning: the disk is full');
});

test('a thread that dies before the state folder is written is a warning, not a wait', async () => {
  thread(`say({ configuration: {}, shardCount: 0 });\nsetImmediate(() => process.exit(3));`);
  const { remembered } = await loadOnThread(program, REQUEST);
  expect(await remembered).toMatch(/^warning: the load thread ended with code 3: after a restart/);
});
