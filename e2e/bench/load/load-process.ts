/** The load generator: its own process, so that neither the coordinator nor a gateway shares its event loop. */
import { bodyOf, clientHeaders } from '../bodies.ts';
import type { BodyName } from '../bodies.ts';
import { serveCommands } from '../child-process.ts';
import { closedLoop } from './closed-loop.ts';
import type { ClosedLoop, ClosedLoopResult } from './closed-loop.ts';
import { requestBytes } from './connection.ts';
import type { Connection, Target } from './connection.ts';
import { holdStreams, timedStreams } from './streams.ts';
import type { TimedStreams, TimedStreamsResult } from './streams.ts';

interface Aim {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: BodyName;
}

export type LoadCommand =
  | ({ readonly kind: 'closed-loop'; readonly loop: ClosedLoop } & Aim)
  | ({ readonly kind: 'timed-streams'; readonly plan: TimedStreams } & Aim)
  | ({ readonly kind: 'hold'; readonly count: number; readonly perSecond: number } & Aim)
  | { readonly kind: 'release' };

export type LoadReply =
  | ({ readonly kind: 'closed-loop' } & ClosedLoopResult)
  | ({ readonly kind: 'timed-streams' } & TimedStreamsResult)
  | { readonly kind: 'hold'; readonly opened: number }
  | { readonly kind: 'release' };

let held: Connection[] = [];
const now = (): number => performance.now();

function targetOf(aim: Aim): Target {
  const { host, port } = new URL(aim.url);
  const request = requestBytes(host, { ...clientHeaders, ...aim.headers }, bodyOf(aim.body));
  return { port: Number(port), request };
}

serveCommands({}, async (command: LoadCommand, mark): Promise<LoadReply> => {
  switch (command.kind) {
    case 'closed-loop':
      return { kind: command.kind, ...(await closedLoop(targetOf(command), command.loop, now, mark)) };
    case 'timed-streams':
      return { kind: command.kind, ...(await timedStreams(targetOf(command), command.plan, now)) };
    case 'hold': {
      const holding = await holdStreams(targetOf(command), command.count, command.perSecond, now);
      held = holding.connections;
      return { kind: command.kind, opened: holding.opened };
    }
    case 'release':
      for (const connection of held) connection.close();
      held = [];
      return { kind: command.kind };
    default:
      return command satisfies never;
  }
});
