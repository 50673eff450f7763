// The order in which upstreams are tried. What decides, from first to last:
//   1. health: who is left alone comes last, first those that asked for it (429), then those that failed; a better answer than none
//   2. the hint of the caller
//   3. where the session was served before, as long as that is remembered
//   4. priority, lower first: provisioned capacity before on-demand, whatever the strategy
//   5. the strategy, then a draw by weight, then the name
// A session stays where it is because the draw is a hash of its key, or because its place is remembered. Stickiness yields to everything
// above it here: to policy and model (others are no candidates), to health, to a hint; and to a full or failing upstream, which is passed
// over by the plan of the call (strategy-plan.ts). A session that moved stays where it was served. From an upstream of a worse priority it
// returns 30 minutes after it moved, from others 30 minutes after its last call: each move costs it a cold cache and may cost thinking
// blocks, so it moves rarely, but an outage of seconds does not keep work on the reserve for a day.
import type { UpstreamTarget } from '../providers/target.ts';
import { drawOf, weightedScore } from './strategy-rendezvous.ts';
import { looksAtTheMoment, strategyScore, type Asked, type RoutingState } from './strategy.ts';

export interface AttemptOrder {
  readonly targets: readonly UpstreamTarget[];
  /** Who would be first if all were well: by the strategy, or where it looks at the moment, by memory. */
  readonly home: UpstreamTarget;
}

/** Label of an Upstream by which the hint header may choose it. */
export const ROUTE_LABEL = 'portcullis.dev/route';

/** One more than the highest priority an Upstream may have. */
const PRIORITIES = 1024;
const SICKNESS = { well: 0, cooling: 1, open: 2 } as const;

// Scores of the call at hand, by position. Nothing here waits, so calls never meet, and none of them pays for arrays of its own.
const ranks: number[] = [];
const scores: number[] = [];
const draws: number[] = [];

/**
 * @param candidates upstreams that may and can serve the call; at least one
 * @param place key of the upstream where the session is remembered
 */
export function attemptOrder(
  candidates: readonly UpstreamTarget[],
  asked: Asked,
  state: RoutingState,
  place: string | undefined,
): AttemptOrder {
  if (candidates.length === 1) return { targets: candidates, home: candidates[0]! };
  const targets: UpstreamTarget[] = [];
  let home = candidates[0]!;
  let [homeRank, homeScore, homeDraw] = [Infinity, Infinity, Infinity];
  for (const target of candidates) {
    const unhinted = asked.hint !== undefined && !isHinted(target, asked.hint) ? 4 * PRIORITIES : 0;
    const score = strategyScore(target, asked, state);
    const draw = drawFor(target, asked, state);
    const well = unhinted + target.entry.priority;
    if (isBefore(well, score, draw, target.key, homeRank, homeScore, homeDraw, home.key)) {
      [home, homeRank, homeScore, homeDraw] = [target, well, score, draw];
    }
    const sickness = SICKNESS[state.breakers.conditionOf(target.key, asked.model)];
    const rank = sickness * 8 * PRIORITIES + (target.key === place ? unhinted : well + 2 * PRIORITIES);
    insert(targets, target, rank, score, draw);
  }
  const remembered = looksAtTheMoment(asked.routing) ? targets.find(({ key }) => key === place) : undefined;
  return { targets, home: remembered ?? home };
}

/** Insertion sort: a handful of upstreams, mostly in order. */
function insert(targets: UpstreamTarget[], target: UpstreamTarget, rank: number, score: number, draw: number): void {
  let at = targets.length;
  for (; at > 0; at--) {
    const before = targets[at - 1]!;
    if (!isBefore(rank, score, draw, target.key, ranks[at - 1]!, scores[at - 1]!, draws[at - 1]!, before.key)) break;
    targets[at] = before;
    ranks[at] = ranks[at - 1]!;
    scores[at] = scores[at - 1]!;
    draws[at] = draws[at - 1]!;
  }
  targets[at] = target;
  ranks[at] = rank;
  scores[at] = score;
  draws[at] = draw;
}

function isBefore(
  rank: number,
  score: number,
  draw: number,
  key: string,
  otherRank: number,
  otherScore: number,
  otherDraw: number,
  otherKey: string,
): boolean {
  if (rank !== otherRank) return rank < otherRank;
  if (score !== otherScore) return score < otherScore;
  return draw === otherDraw ? key < otherKey : draw < otherDraw;
}

function drawFor({ key, entry }: UpstreamTarget, { session, routing }: Asked, { random }: RoutingState): number {
  if (routing.strategy === 'Ordered') return 0;
  return weightedScore(session === undefined ? 1 - random() : drawOf(session, key), entry.weight);
}

/** A name, `namespace/name` or the value of {@link ROUTE_LABEL}. */
function isHinted({ key, entry }: UpstreamTarget, hint: string): boolean {
  return entry.name === hint || key === hint || entry.labels[ROUTE_LABEL] === hint;
}
