/** Starting a server process and knowing when it answers: the part all peers share. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { bodyOf, clientHeaders } from '../bodies.ts';

export interface ServerProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Everything it wrote to stdout and stderr so far. */
  readonly log: () => string;
  readonly logFile: string;
  readonly stop: () => Promise<void>;
}

/** Starts a program whose output goes to a file, which costs the benchmark nothing to drain. */
export function startServer(program: string, args: readonly string[], folder: string): ServerProcess {
  const path = join(folder, 'output.log');
  const output = openSync(path, 'a');
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', output, output] });
  closeSync(output);
  child.on('error', () => undefined);
  // SIGTERM, because a master killed outright would leave its workers behind.
  const last = (): void => void child.kill('SIGTERM');
  process.once('exit', last);
  child.once('exit', () => process.off('exit', last));
  return {
    child,
    pid: child.pid ?? 0,
    log: () => readFileSync(path, 'utf8'),
    logFile: path,
    stop: async () => {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      // A drain may last as long as a stream; a benchmark need not wait for it.
      const patience = setTimeout(() => child.kill('SIGKILL'), 2000);
      await exit;
      clearTimeout(patience);
    },
  };
}

/** Status of one small request to the Messages API; 0 when the connection fails. */
export async function probe(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  try {
    const answer = await request(`${url}/v1/messages?beta=true`, {
      method: 'POST',
      headers: { ...clientHeaders, ...headers },
      body: bodyOf('small'),
    });
    await answer.body.dump();
    return answer.statusCode;
  } catch {
    return 0;
  }
}

/**
 * Waits until a request gets through to the upstream.
 * @throws Error with the end of the log when the process ends or the time is over
 */
export async function untilAnswers(
  server: ServerProcess,
  url: string,
  headers: Readonly<Record<string, string>>,
  patienceMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const status = await probe(url, headers);
    if (status === 200) return;
    const ended = server.child.exitCode !== null || server.child.signalCode !== null || server.child.pid === undefined;
    if (ended || performance.now() > deadline) {
      await server.stop();
      const what = ended ? 'ended before it answered' : `still answered ${status} after ${patienceMs} ms`;
      throw new Error(`${server.child.spawnfile} ${what}:\n${server.log().slice(-2000)}`);
    }
    await sleep(5);
  }
}
