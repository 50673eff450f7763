// Weighted rendezvous hashing: every upstream draws a number from hash(key, upstream) and the smallest score wins. No state, alike on
// every replica, shares in proportion to weight, and when an upstream goes only its own keys move.

const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * Score of an upstream for a key: -ln(u) / weight with u uniform, so the smallest of several wins in proportion to its weight
 * (Efraimidis & Spirakis, "Weighted random sampling with a reservoir", 2006).
 * @param u in (0, 1]
 * @returns infinity for weight 0
 */
export function weightedScore(u: number, weight: number): number {
  return weight === 0 ? Number.POSITIVE_INFINITY : -Math.log(u) / weight;
}

/** The number an upstream draws for a key, in (0, 1]. */
export function drawOf(key: string, upstream: string): number {
  return (avalanche(fnv1a(upstream, Math.imul(fnv1a(key, OFFSET) ^ 10, PRIME))) + 1) / 2 ** 32;
}

/** FNV-1a from a state on, so that two texts are hashed as one without being joined. */
function fnv1a(text: string, state: number): number {
  let hash = state;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  return hash;
}

/** The murmur3 finaliser, so that ids that differ in one character spread evenly. */
function avalanche(state: number): number {
  let hash = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
