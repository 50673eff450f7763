// The strategies: what makes an upstream better than its equals, and what a replica remembers for it. Every one answers with a number, and
// the smallest is first. Equals are decided by a weighted draw (strategy-rendezvous.ts), which is all that Weighted consists of.
import type { RoutingConfig, Strategy } from '#shared/bundle/bundle.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { Breakers } from './breaker.ts';
import { Affinities } from './strategy-affinity.ts';
import { Latencies } from './strategy-latency.ts';
import { Loads } from './strategy-load.ts';
import { Turns } from './strategy-turns.ts';

/** What one replica knows of its upstreams; outlives configurations. */
export interface RoutingState {
  readonly breakers: Breakers;
  readonly loads: Loads;
  readonly latencies: Latencies;
  readonly affinities: Affinities;
  readonly turns: Turns;
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export function routingState(now: () => number, random: () => number): RoutingState {
  return {
    breakers: new Breakers(now),
    loads: new Loads(),
    latencies: new Latencies(now),
    affinities: new Affinities(now),
    turns: new Turns(),
    now,
    random,
  };
}

/** Forgets what is known of upstreams that no configuration names any more. @param upstreams `namespace/name` */
export function forgetOthers({ breakers, latencies, turns }: RoutingState, upstreams: ReadonlySet<string>): void {
  breakers.keep(upstreams);
  latencies.keep(upstreams);
  turns.keep(upstreams);
}

/** What a call asks of the order. */
export interface Asked {
  /** Id under which the model is routed. */
  readonly model: string;
  readonly routing: RoutingConfig;
  /** What stays together; undefined spreads at random. */
  readonly session: string | undefined;
  /** What the hint header said. */
  readonly hint: string | undefined;
  /** Price of a typical call at an upstream, in any unit. */
  readonly price: (target: UpstreamTarget) => number;
}

type Score = (target: UpstreamTarget, asked: Asked, state: RoutingState) => number;

const SCORES: Readonly<Record<Strategy, Score>> = {
  Ordered: () => 0,
  Weighted: () => 0,
  RoundRobin: ({ key }, { model }, { turns }) => turns.of(key, model),
  LeastBusy: ({ key, entry }, _asked, { loads }) => loads.of(key) / entry.weight,
  // What is not measured yet counts as fast, and as busy as it is, so that it is not run over.
  Latency: ({ key }, { model }, { latencies, loads }) => Math.max(1, latencies.of(key, model)) * (loads.of(key) + 1),
  Cheapest: (target, { price }) => price(target),
};

/** How an upstream does by the Gateway's strategy; infinity for weight 0, which serves only when its equals failed. */
export function strategyScore(target: UpstreamTarget, asked: Asked, state: RoutingState): number {
  if (target.entry.weight === 0) return Number.POSITIVE_INFINITY;
  const { strategy = 'Weighted' } = asked.routing;
  // One that only a later release has, whose operator wrote the bundle, spreads by weight.
  return (Object.hasOwn(SCORES, strategy) ? SCORES[strategy] : SCORES.Weighted)(target, asked, state);
}

/** Strategies whose choice depends on the moment, so that only memory can keep a session in its place. */
export function looksAtTheMoment({ strategy = 'Weighted' }: RoutingConfig): boolean {
  return strategy === 'RoundRobin' || strategy === 'LeastBusy' || strategy === 'Latency';
}
