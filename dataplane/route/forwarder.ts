// route: grant → ordered attempts → answer. Takes a place, then lets an exchange run.
import type { Grant } from '../admit/admit.ts';
import type { ProviderRequest } from '../providers/provider.ts';
import { ClientGoneError } from '../server/body.ts';
import type { Call, ClientWatcher } from '../server/call.ts';
import { Exchange } from './exchange.ts';
import type { RouteContext } from './route-context.ts';
import type { Waiting } from './slots.ts';

/**
 * Forwards a call. Resolves when the exchange has begun; its answer is written as it comes.
 * @throws {GatewayError} 529 when no place is free; {@link ClientGoneError} when the client left the queue
 */
export async function forward(
  context: RouteContext,
  call: Call,
  grant: Grant,
  request: ProviderRequest,
): Promise<void> {
  const { limits, timeouts } = call.settings.gateway.listen;
  const waiting = context.slots.acquire(limits.maxQueued, timeouts.queue);
  if (waiting !== undefined) await turn(call, waiting);
  // Answered meanwhile means told that the process is going down.
  if (call.response.destroyed || call.response.headersSent) {
    context.slots.release();
    throw new ClientGoneError('client closed the connection');
  }
  new Exchange(context, call, grant, request).start();
}

async function turn(call: Call, waiting: Waiting): Promise<void> {
  const watcher: ClientWatcher = { clientClosed: () => waiting.cancel() };
  call.watcher = watcher;
  try {
    await waiting.granted;
  } finally {
    if (call.watcher === watcher) call.watcher = undefined;
  }
}
