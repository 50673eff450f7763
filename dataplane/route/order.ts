// The order in which upstreams are tried: lower priority first, equals by weight, and the same session on the same upstream, because
// prompt caches and thinking blocks live in one account. Weighted rendezvous hashing gives all of that without state, alike on
// every replica: score = -ln(u) / weight with u drawn from hash(session, upstream); the smallest score wins
// (Efraimidis & Spirakis 2006; each upstream wins in proportion to its weight). Upstreams whose breaker is open come last: they are
// left alone while another one can serve, and are a better answer than none.
import type { UpstreamTarget } from '../providers/target.ts';
import type { Breakers } from './breaker.ts';

/**
 * @param candidates upstreams that may and can serve the call; at least one
 * @param session sticky key; calls without one are spread at random
 * @param random uniform in [0, 1)
 */
export function attemptOrder(
  candidates: readonly UpstreamTarget[],
  session: string | undefined,
  breakers: Breakers,
  random: () => number,
): readonly UpstreamTarget[] {
  if (candidates.length < 2) return candidates;
  return candidates
    .map((target) => ({ target, open: breakers.isOpen(target.key), score: score(target, session, random) }))
    .sort(
      (a, b) =>
        Number(a.open) - Number(b.open) ||
        a.target.entry.priority - b.target.entry.priority ||
        a.score - b.score ||
        (a.target.key < b.target.key ? -1 : 1),
    )
    .map(({ target }) => target);
}

function score({ key, entry: { weight } }: UpstreamTarget, session: string | undefined, random: () => number): number {
  if (weight === 0) return Number.POSITIVE_INFINITY;
  const u = session === undefined ? 1 - random() : (fnv1a(`${session}\n${key}`) + 1) / 2 ** 32;
  return -Math.log(u) / weight;
}

/** FNV-1a with a final avalanche (the murmur3 finaliser), so that ids that differ in one character spread evenly. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
