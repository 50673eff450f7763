/** Node processes of the benchmark that take commands one at a time over the IPC channel and answer each. */
import { fork } from 'node:child_process';
import { once } from 'node:events';

/** A process that serves commands. */
export interface CommandProcess<Ready, Command, Reply> {
  readonly pid: number;
  /** What the process said when it was ready. */
  readonly ready: Ready;
  /** Sends one command and waits for its reply; `onMark` is called when the process marks a point on the way. */
  run(command: Command, onMark?: () => void): Promise<Reply>;
  readonly stop: () => Promise<void>;
}

type Envelope<Ready, Reply> = { ready: Ready } | { reply: Reply } | { mark: true } | { failed: string };

/**
 * Starts a module as a process and waits until it is ready.
 * @throws Error when the process ends before it is ready, or ends or fails while a command runs.
 */
export async function startCommandProcess<Ready, Command extends object, Reply>(
  module: URL,
  args: readonly string[] = [],
): Promise<CommandProcess<Ready, Command, Reply>> {
  const child = fork(module, args, { serialization: 'advanced' });
  const ended = new Promise<never>((_, reject) => {
    child.once('exit', (code, signal) => reject(new Error(`${module.pathname} ended: ${signal ?? code}`)));
  });
  ended.catch(() => undefined);

  async function next(onMark?: () => void): Promise<Ready | Reply> {
    for (;;) {
      const [envelope] = (await Promise.race([once(child, 'message'), ended])) as [Envelope<Ready, Reply>];
      if ('ready' in envelope) return envelope.ready;
      if ('reply' in envelope) return envelope.reply;
      if ('failed' in envelope) throw new Error(`${module.pathname}: ${envelope.failed}`);
      onMark?.();
    }
  }

  const ready = (await next()) as Ready;
  return {
    pid: child.pid ?? 0,
    ready,
    run: async (command, onMark) => {
      const answer = next(onMark);
      child.send(command);
      return (await answer) as Reply;
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}

/** The serving side: says `ready`, then answers commands until the parent goes away. It trusts the parent's commands. */
export function serveCommands(ready: object, handle: (command: never, mark: () => void) => Promise<object>): void {
  const send = (envelope: object): void => void process.send?.(envelope);
  process.on('message', (command) => {
    handle(command as never, () => send({ mark: true })).then(
      (reply) => send({ reply }),
      (error: unknown) => send({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.once('disconnect', () => process.exit(0));
  send({ ready });
}
