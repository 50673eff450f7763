// Processes that belong together and must not outlive the run that started them: a folder with their logs and process ids, and a watcher
// outside of the run that ends them all and removes the folder when the run closes it, ends or is killed.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Where the folders of all runs of this machine are. `.ci/run` knows it too. */
const ROOT = join(tmpdir(), 'portcullis-kubernetes');
const TAKE_DOWN = fileURLToPath(new URL('take-down.sh', import.meta.url));
const MAX_NUMBER = 250;
const STOP_MS = 10_000;

export interface StartOptions {
  /** The whole environment; that of this process when left out. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly folder?: string;
}

export interface ProcessFolder {
  readonly path: string;
  /** From 1 to 250, no other folder of the same kind has it at the same time: addresses are derived from it. */
  readonly number: number;
  /**
   * Starts a process in a session of its own; what it writes goes to `NAME.log`.
   * @throws {Error} when one of that name is running, or the program cannot be started
   */
  start(name: string, command: readonly string[], options?: StartOptions): ChildProcess;
  running(name: string): boolean;
  /** Sends the signal and waits; SIGKILL after 10 s. One that does not run is fine. */
  stop(name: string, signal?: NodeJS.Signals): Promise<void>;
  /** Everything a process has written so far. */
  log(name: string): string;
  /** Ends every process and removes the folder. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * @param kind of folder, numbered apart from other kinds
 * @param usable says whether what is derived from the number is free on this machine
 * @throws {Error} when all numbers are taken
 */
export async function reserveFolder(
  kind: string,
  usable: (number: number) => Promise<boolean> = async () => true,
): Promise<ProcessFolder> {
  await mkdir(ROOT, { recursive: true });
  await promisify(execFile)(TAKE_DOWN, ['--orphans', ROOT]);
  const fresh = await mkdtemp(join(ROOT, '.new-'));
  await writeFile(join(fresh, 'owner'), identity(process.pid));
  for (let number = 1; number <= MAX_NUMBER; number++) {
    const path = join(ROOT, `${kind}-${number}`);
    // A folder that is there and not empty refuses to be replaced, so a number is given out once.
    const got = await rename(fresh, path).then(
      () => true,
      () => false,
    );
    if (!got) continue;
    if (await usable(number)) return open(path, number);
    await rename(path, fresh);
  }
  await rm(fresh, { recursive: true });
  throw new Error(`all numbers of ${kind} are taken: see ${ROOT}`);
}

function open(path: string, number: number): ProcessFolder {
  const watcher = spawn(TAKE_DOWN, ['--with-input', path], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  const input = watcher.stdin as Socket;
  const gone = once(watcher, 'exit');
  // Neither keeps this process from ending: its end is what the watcher waits for.
  watcher.unref();
  input.unref();
  const children = new Map<string, ChildProcess>();
  const runs = (child: ChildProcess | undefined): child is ChildProcess =>
    child !== undefined && child.exitCode === null && child.signalCode === null;

  return {
    path,
    number,
    start(name, command, { environment, folder } = {}) {
      if (runs(children.get(name))) throw new Error(`${name} is running already`);
      const log = openSync(join(path, `${name}.log`), 'a');
      const [program = '', ...args] = command;
      const child = spawn(program, args, {
        cwd: folder ?? path,
        env: environment,
        detached: true,
        stdio: ['ignore', log, log],
      });
      closeSync(log);
      child.on('error', () => undefined);
      if (child.pid === undefined) throw new Error(`${program} cannot be started`);
      child.unref();
      const pidFile = join(path, `${name}.pid`);
      writeFileSync(pidFile, identity(child.pid));
      child.once('exit', () => rmSync(pidFile, { force: true }));
      children.set(name, child);
      return child;
    },
    running: (name) => runs(children.get(name)),
    async stop(name, signal = 'SIGTERM') {
      const child = children.get(name);
      if (!runs(child)) return;
      const exit = once(child, 'exit');
      child.ref();
      child.kill(signal);
      const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await exit;
      clearTimeout(patience);
    },
    log: (name) => readFileSync(join(path, `${name}.log`), 'utf8'),
    async close() {
      watcher.ref();
      input.end();
      if (watcher.exitCode === null) await gone;
    },
  };
}

/** Process id and the time it began, in clock ticks after boot (proc(5), field 22). */
function identity(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}\n`;
}
