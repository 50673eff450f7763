// What a typical call costs at an upstream, for the strategy Cheapest. Only the order matters, so one mix of tokens stands for all calls.
import type { Usage } from '#shared/catalog/cost.ts';
import type { ServedModel } from '../admit/models.ts';
import type { PriceBook } from '../meter/price-book.ts';
import type { UpstreamTarget } from '../providers/target.ts';

/** A turn of an agent in the middle of its work: almost all of the prompt comes from the cache. */
const TYPICAL: Usage = {
  inputTokens: 2_000,
  outputTokens: 1_000,
  cacheReadTokens: 60_000,
  cacheWrite5mTokens: 3_000,
  cacheWrite1hTokens: 0,
  webSearchRequests: 0,
};

const HOUR_MS = 3_600_000;

/** By target, which lives as long as its configuration, then by model; good for an hour, as prices change on dates. */
const known = new WeakMap<UpstreamTarget, Map<string, { readonly hour: number; readonly price: number }>>();

/**
 * @param at milliseconds since 1970
 * @returns nano-dollars
 */
export function typicalPrice(prices: PriceBook, target: UpstreamTarget, model: ServedModel, at: number): number {
  let models = known.get(target);
  if (models === undefined) known.set(target, (models = new Map()));
  const hour = Math.floor(at / HOUR_MS);
  const before = models.get(model.id);
  if (before?.hour === hour) return before.price;
  const price = Number(prices.charge(TYPICAL, target.key, target.modelId(model) ?? model.id, model.id, at).cost);
  models.set(model.id, { hour, price });
  return price;
}
