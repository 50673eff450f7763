// route: grant → ordered attempts → answer. Takes a place, then lets an exchange run. Composition root of the folder: what all exchanges
// share stands in `RouteContext`.
import type { Grant } from '../admit/admit.ts';
import type { ServedModel } from '../admit/models.ts';
import type { UsageTap } from '../meter/usage-tap.ts';
import type { CallObserver } from '../probe/call-observer.ts';
import type { ProviderRequest } from '../providers/provider.ts';
import { ClientGoneError } from '../server/body.ts';
import type { Call, ClientWatcher } from '../server/call.ts';
import { Exchange } from './exchange.ts';
import type { Pools } from './pools.ts';
import type { Slots, Waiting } from './slots.ts';
import type { RoutingState } from './strategy.ts';
import type { PlanObserver } from './strategy-plan.ts';
import type { Sweeper } from './sweeper.ts';

export interface RouteContext extends RoutingState {
  readonly pools: Pools;
  readonly slots: Slots;
  readonly sweeper: Sweeper<Exchange>;
  /** Milliseconds since 1970, for prices that change on dates. */
  readonly wallClock: () => number;
  /** Prices what was used and writes it to the call's record. */
  readonly charge: (call: Call, tap: UsageTap, model: ServedModel) => void;
  /** Told what calls meet at upstreams. */
  readonly health: CallObserver;
  readonly observe: PlanObserver & {
    attempt(upstream: string, result: string): void;
    /** @param family of the upstream's provider */
    betasDropped(family: string, count: number): void;
  };
}

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
