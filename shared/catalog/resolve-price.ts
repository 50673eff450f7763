// Which price applies to a call, in the order: the platform team's override, the list price of the id the upstream was asked
// for, the list price of the model the client asked for, the unknown tier. A model nobody priced is never free.
import type { PriceOverride } from './price-text.ts';
import { listPrice, overridePrice, type PriceCatalog, type PriceRow } from './prices.ts';
import { modelKey, type ModelCatalog } from './spelling.ts';

export interface Catalog {
  readonly models: ModelCatalog;
  readonly prices: PriceCatalog;
}

/** A Gateway's override, parsed once when its configuration is loaded. */
export interface GatewayOverride {
  /** `namespace/name`; every upstream when absent. */
  readonly upstream?: string;
  readonly model: string;
  readonly price: PriceRow;
}

export interface PriceQuestion {
  /** Price the Upstream itself gives for this model, from {@link overridePrice}. */
  readonly upstreamOverride?: PriceRow;
  /** From {@link parseOverrides}; the first that matches is used. */
  readonly gatewayOverrides?: readonly GatewayOverride[];
  /** `namespace/name` of the upstream. */
  readonly upstream: string;
  /** The model as the upstream was asked for it: any spelling, an ARN, a deployment name. */
  readonly upstreamModelId: string;
  /** The model the client's name stands for. */
  readonly modelId: string;
}

export interface ResolvedPrice {
  /** Where the price came from; `unknown` is worth a metric. */
  readonly priced: 'override' | 'list' | 'mapped' | 'unknown';
  readonly price: PriceRow;
}

/** @throws {RangeError} when an amount cannot be read */
export function parseOverrides(overrides: readonly PriceOverride[], catalog: Catalog): readonly GatewayOverride[] {
  return overrides.map(({ upstream, model, price }) => {
    const id = modelKey(model, catalog.models);
    return Object.freeze({ upstream, model: id, price: overridePrice(price, id, catalog.prices) });
  });
}

/**
 * @param at the instant of the call; list prices change over time
 * @returns always a price, and where it came from
 */
export function resolvePrice(question: PriceQuestion, catalog: Catalog, at: Date): ResolvedPrice {
  if (question.upstreamOverride) return { priced: 'override', price: question.upstreamOverride };
  const sent = modelKey(question.upstreamModelId, catalog.models);
  const asked = modelKey(question.modelId, catalog.models);

  const override = question.gatewayOverrides?.find(
    ({ upstream, model }) =>
      (upstream ?? question.upstream) === question.upstream && (model === sent || model === asked),
  );
  if (override) return { priced: 'override', price: override.price };

  const list = listPrice(sent, at, catalog.prices);
  if (list) return { priced: 'list', price: list };
  const mapped = listPrice(asked, at, catalog.prices);
  if (mapped) return { priced: 'mapped', price: mapped };
  return { priced: 'unknown', price: catalog.prices.unknown };
}
