/** What every phase works with. */
import type { CommandProcess } from '../child-process.ts';
import type { LoadCommand, LoadReply } from '../load/load-process.ts';
import type { Peer } from '../peers/peer.ts';
import type { Plan } from '../plan.ts';
import type { UpstreamMode } from '../upstream-process.ts';

export interface Bench {
  readonly plan: Plan;
  readonly peers: readonly Peer[];
  readonly upstream: CommandProcess<{ url: string }, UpstreamMode, { received: number }>;
  readonly load: CommandProcess<object, LoadCommand, LoadReply>;
  /** A fresh folder for one process. */
  folder(): string;
  /** Tells the person who waits what is being done. */
  say(line: string): void;
}

/** Sends a command to the load generator and returns the reply of the same kind. */
export async function load<Kind extends LoadCommand['kind']>(
  bench: Bench,
  command: LoadCommand & { readonly kind: Kind },
  onMark?: () => void,
): Promise<LoadReply & { readonly kind: Kind }> {
  const reply = await bench.load.run(command, onMark);
  if (reply.kind !== command.kind) throw new Error(`the load generator answered ${reply.kind} to ${command.kind}`);
  return reply as LoadReply & { readonly kind: Kind };
}
