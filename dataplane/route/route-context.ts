// What all exchanges of a process share, and what the process sees of each of them.
import type { ServedModel } from '../admit/models.ts';
import type { UsageTap } from '../meter/usage-tap.ts';
import type { CallObserver } from '../probe/call-observer.ts';
import type { Call } from '../server/call.ts';
import type { Pools } from './pools.ts';
import type { Slots } from './slots.ts';
import type { RoutingState } from './strategy.ts';
import type { PlanObserver } from './strategy-plan.ts';
import type { Swept, Sweeper } from './sweeper.ts';

/** A call under way. */
export interface OpenExchange extends Swept {
  readonly call: Call;
  /** Ends the call from our side: its key was revoked, or the process is going down. */
  cut(outcome: 'revoked' | 'drained'): void;
}

export interface RouteContext extends RoutingState {
  readonly pools: Pools;
  readonly slots: Slots;
  readonly sweeper: Sweeper<OpenExchange>;
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
