// What a run leaves behind when it is killed: nothing, and at the latest the next run sees to that.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../harness/resources.ts';

const MODULE = new URL('../harness/kubernetes/process-folder.ts', import.meta.url).href;
const TAKE_DOWN = new URL('../harness/kubernetes/take-down.sh', import.meta.url).pathname;
const WAIT_MS = 10_000;

/** A temporary folder of its own, so that the folders of other runs are not looked at. */
const temporary = mkdtempSync(join(tmpdir(), 'portcullis-folders-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

interface Owner {
  readonly process: ChildProcess;
  readonly folder: string;
  /** Of what it started. */
  readonly pid: number;
}

/** A process that reserves a folder, starts a program there that takes no notice of SIGTERM, and waits. */
async function startOwner(): Promise<Owner> {
  const script = `
    import { reserveFolder } from '${MODULE}';
    const folder = await reserveFolder('test');
    const { pid } = folder.start('stubborn', ['bash', '-c', 'trap "" TERM; while :; do sleep 1; done']);
    console.log(JSON.stringify({ folder: folder.path, pid }));
    setInterval(() => {}, 1000);
  `;
  const owner = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void owner.kill('SIGKILL'));
  const [line] = (await once(createInterface(owner.stdout), 'line')) as [string];
  return { process: owner, ...(JSON.parse(line) as { folder: string; pid: number }) };
}

/** One that has ended and only waits to be collected is not. */
function alive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

async function kill({ process: owner }: Owner): Promise<void> {
  const gone = once(owner, 'exit');
  owner.kill('SIGKILL');
  await gone;
}

test('when the owner is killed, its processes end and the folder goes', async () => {
  const owner = await startOwner();
  expect(alive(owner.pid)).toBe(true);
  await kill(owner);
  await eventually(() => (alive(owner.pid) || existsSync(owner.folder) ? undefined : true), WAIT_MS);
});

test('when the watcher is killed as well, the next owner takes down what is left, and gets the same number', async () => {
  const first = await startOwner();
  const id = first.process.pid!;
  const children = readFileSync(`/proc/${id}/task/${id}/children`, 'utf8').trim().split(' ').map(Number);
  const watchers = children.filter((pid) => pid !== first.pid);
  expect(watchers).toHaveLength(1);
  for (const pid of watchers) process.kill(pid, 'SIGKILL');
  await kill(first);
  expect([alive(first.pid), existsSync(first.folder)]).toEqual([true, true]);
  const second = await startOwner();
  expect(alive(first.pid)).toBe(false);
  expect(second.folder).toBe(first.folder);
  await kill(second);
  await eventually(() => (existsSync(second.folder) ? undefined : true), WAIT_MS);
});

test('a process that was given the number of one that ended is left alone', async () => {
  const owner = await startOwner();
  const bystander = spawn('sleep', ['60'], { detached: true });
  writeFileSync(join(owner.folder, 'other.pid'), `${bystander.pid} 1\n`);
  await kill(owner);
  await eventually(() => (existsSync(owner.folder) ? undefined : true), WAIT_MS);
  expect(bystander.exitCode ?? bystander.signalCode).toBe(null);
  bystander.kill();
});

test('folders of owners that live are no orphans', async () => {
  const owner = await startOwner();
  const sweep = spawn(TAKE_DOWN, ['--orphans', join(temporary, 'portcullis-kubernetes')]);
  await once(sweep, 'exit');
  expect([alive(owner.pid), existsSync(owner.folder)]).toEqual([true, true]);
  await kill(owner);
  await eventually(() => (existsSync(owner.folder) ? undefined : true), WAIT_MS);
});
