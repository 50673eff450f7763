// The upstreams a caller may be served by: what its policies choose, within the bounds that any of them sets. Everything later (strategy,
// stickiness, hint, failover, fallback) picks from this set and can add nothing to it.
import type { PolicyEntry } from '#shared/bundle/bundle.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { drawOf, weightedScore } from '../route/strategy-rendezvous.ts';

export interface UpstreamSet {
  readonly upstreams: readonly UpstreamTarget[];
  /** Policy behind the choice; undefined when none has an opinion. */
  readonly rule: string | undefined;
  /** Calls for a model stay with one provider. */
  readonly oneProvider: boolean;
  readonly regions: readonly RegionBound[];
}

/** Regions that one policy allows; every bound must agree. */
export interface RegionBound {
  /** Key of the policy. */
  readonly rule: string;
  /** In lower case, `*` for any characters. */
  readonly patterns: readonly string[];
}

/**
 * Own policies choose, those of a tenant choose among that. The first opinion counts; bounds (regions, one provider) are like deny lists
 * and hold whoever of the matching policies says them.
 * @param home namespace of the Gateway, whose upstreams serve where nobody chooses
 * @param own matching policies of the Gateway's namespace, the winner first
 * @param tenant likewise those of the key's namespace
 */
export function upstreamSet(
  home: string,
  own: readonly PolicyEntry[],
  tenant: readonly PolicyEntry[],
  all: readonly UpstreamTarget[],
): UpstreamSet {
  const ownChoice = own.find(({ upstreams }) => upstreams !== undefined);
  const tenantChoice = tenant.find(({ upstreams }) => upstreams !== undefined);
  const matching = [...own, ...tenant];
  const bounds = matching.filter(({ within }) => within !== undefined);
  const granted = all.filter(({ key, entry }) =>
    ownChoice === undefined ? entry.namespace === home : ownChoice.upstreams!.includes(key),
  );
  const chosen =
    tenantChoice === undefined ? granted : granted.filter(({ key }) => tenantChoice.upstreams!.includes(key));
  const upstreams = chosen.filter(({ key }) => bounds.every(({ within }) => within!.includes(key)));
  const choice = granted.length > 0 ? (tenantChoice ?? ownChoice) : ownChoice;
  const boundary = matching.find(({ oneProvider }) => oneProvider === true);
  // Whoever left nothing over is the one to ask about it.
  const decisive = upstreams.length < chosen.length ? (bounds[0] ?? choice) : (choice ?? bounds[0]);
  return {
    upstreams,
    rule: (decisive ?? boundary)?.key,
    oneProvider: boundary !== undefined,
    regions: regionBounds(matching),
  };
}

/**
 * What further policies leave of a set: the choice and the bounds of each hold together, and one without an opinion takes nothing away.
 * @param set as an Access has it
 */
export function within(set: Bounded, policies: readonly PolicyEntry[]): UpstreamSet {
  let { upstreams } = set;
  let rule = set.bounded ? set.upstreamRule : undefined;
  let { oneProvider } = set;
  for (const policy of policies) {
    const { upstreams: chosen, within: bound } = policy;
    const left = upstreams.filter(({ key }) => chosen?.includes(key) !== false && bound?.includes(key) !== false);
    const ties = policy.oneProvider === true && !oneProvider;
    if (left.length < upstreams.length || ties) rule = policy.key;
    upstreams = left;
    oneProvider ||= ties;
  }
  return { upstreams, rule, oneProvider, regions: [...set.regions, ...regionBounds(policies)] };
}

function regionBounds(policies: readonly PolicyEntry[]): RegionBound[] {
  return policies.flatMap(({ key, regions }) => (regions === undefined ? [] : [{ rule: key, patterns: regions }]));
}

/** The upstreams of a caller as its policies left them. */
export interface Bounded {
  readonly upstreams: readonly UpstreamTarget[];
  readonly bounded: boolean;
  readonly upstreamRule: string;
  readonly oneProvider: boolean;
  readonly regions: readonly RegionBound[];
}

/**
 * The upstreams of a caller's one provider: that of the upstream first in priority, drawn by weight among equals. Health has no say, or a
 * failure would be the way across.
 * @param caller id of the principal
 * @param among where the provider is drawn: `upstreams`, or more than that where headers narrowed them, for a header must not lead to another one
 */
export function ofOneProvider(
  upstreams: readonly UpstreamTarget[],
  caller: string,
  among: readonly UpstreamTarget[] = upstreams,
): readonly UpstreamTarget[] {
  const [first] = among;
  if (first === undefined || among.every(({ entry }) => entry.provider === first.entry.provider)) return upstreams;
  let best = first;
  for (const target of among) if (isBefore(target, best, caller)) best = target;
  return upstreams.filter(({ entry }) => entry.provider === best.entry.provider);
}

function isBefore(a: UpstreamTarget, b: UpstreamTarget, caller: string): boolean {
  if (a.entry.priority !== b.entry.priority) return a.entry.priority < b.entry.priority;
  const score = ({ key, entry }: UpstreamTarget): number => weightedScore(drawOf(caller, key), entry.weight);
  const [scoreA, scoreB] = [score(a), score(b)];
  return scoreA === scoreB ? a.key < b.key : scoreA < scoreB;
}
