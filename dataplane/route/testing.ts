// Upstreams, calls and chance for tests of routing.
import type { UpstreamEntry } from '#shared/bundle/bundle.ts';
import { SecretText } from '#shared/secret-text.ts';
import { upstreamEntry } from '../admit/testing.ts';
import { upstreamTargets, type UpstreamTarget } from '../providers/target.ts';
import { openCredentials } from '../providers/testing.ts';
import { routingState, type Asked, type RoutingState } from './strategy.ts';

export function targetOf(name: string, over: Partial<UpstreamEntry> = {}): UpstreamTarget {
  const entry = { ...upstreamEntry(name), ...over };
  return upstreamTargets([entry], { pepper: new SecretText('pepper'), values: {} }, openCredentials())[0]!;
}

/** A provider of which only the name matters here. */
export const otherProvider = 'AnthropicCompatible';

export const MODEL = 'claude-sonnet-5-5';

export function askedOf(routing: Partial<Asked['routing']> = {}, over: Partial<Asked> = {}): Asked {
  return {
    model: MODEL,
    routing: { failoverOn: [], exposeUpstream: false, ...routing },
    session: undefined,
    hint: undefined,
    price: () => 1,
    ...over,
  };
}

/** A small generator with a fixed seed (mulberry32), so that statistics are the same in every run. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a replica knows, with a clock and chance in the test's hands. */
export function stateAt(time: { now: number } = { now: 0 }, seed = 7): RoutingState {
  return routingState(() => time.now, seeded(seed));
}
