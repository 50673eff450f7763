// The prices of one configuration: what a token costs on which upstream. Resolved once an hour per upstream and model, because list
// prices change on dates; the hot path is one map access.
import type { GatewayConfig } from '#shared/bundle/bundle.ts';
import { builtinCatalog } from '#shared/catalog/catalog.ts';
import { costOf, type Usage } from '#shared/catalog/cost.ts';
import { isRegional } from '#shared/catalog/provider-id.ts';
import { overridePrice, type PriceRow } from '#shared/catalog/prices.ts';
import { parseRatio, type Ratio } from '#shared/catalog/ratio.ts';
import {
  parseOverrides,
  resolvePrice,
  type Catalog,
  type GatewayOverride,
  type ResolvedPrice,
} from '#shared/catalog/resolve-price.ts';
import type { NanoDollars } from '#shared/money.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { placeOf } from './price-place.ts';

const HOUR_MS = 3_600_000;

export interface Charge {
  readonly cost: NanoDollars;
  readonly priced: ResolvedPrice['priced'];
}

interface PriceInForce extends ResolvedPrice {
  readonly regional: boolean;
}

export class PriceBook {
  readonly #catalog: Catalog;
  readonly #multiplier: Ratio;
  readonly #overrides: readonly GatewayOverride[];
  /** Prices that Upstreams give for models of theirs, by `upstream model`. */
  readonly #ofUpstreams = new Map<string, PriceRow>();
  readonly #upstreams: ReadonlyMap<string, UpstreamTarget>;
  #resolved = new Map<string, PriceInForce>();
  #hour = -1;

  /** @param catalog of the Gateway */
  constructor(
    pricing: GatewayConfig['pricing'],
    upstreams: readonly UpstreamTarget[],
    catalog: Catalog = builtinCatalog,
  ) {
    this.#catalog = catalog;
    this.#multiplier = parseRatio(pricing.multiplier);
    this.#overrides = parseOverrides(pricing.overrides, catalog);
    this.#upstreams = new Map(upstreams.map((target) => [target.key, target]));
    for (const { key, entry } of upstreams) {
      for (const { id, price } of entry.models) {
        if (price !== undefined) this.#ofUpstreams.set(`${key} ${id}`, overridePrice(price, id, catalog.prices));
      }
    }
  }

  /**
   * @param upstream `namespace/name`
   * @param upstreamModel as the upstream was asked for it
   * @param model id it was routed under
   * @param at milliseconds since 1970
   */
  charge(usage: Usage, upstream: string, upstreamModel: string, model: string, at: number): Charge {
    const { price, priced, regional } = this.#priceOf(upstream, upstreamModel, model, at);
    // The multiplier is for list prices; a price the platform team wrote down is what it pays.
    return {
      cost: costOf(usage, price, priced === 'override' ? {} : { multiplier: this.#multiplier, regional }),
      priced,
    };
  }

  #priceOf(upstream: string, upstreamModel: string, model: string, at: number): PriceInForce {
    const hour = Math.floor(at / HOUR_MS);
    if (hour !== this.#hour) {
      this.#hour = hour;
      this.#resolved = new Map();
    }
    const key = `${upstream} ${model} ${upstreamModel}`;
    let resolved = this.#resolved.get(key);
    if (resolved === undefined) {
      const upstreamOverride = this.#ofUpstreams.get(`${upstream} ${model}`);
      const entry = this.#upstreams.get(upstream)?.entry;
      const found = resolvePrice(
        {
          upstream,
          upstreamModelId: upstreamModel,
          modelId: model,
          gatewayOverrides: this.#overrides,
          ...(upstreamOverride === undefined ? {} : { upstreamOverride }),
        },
        this.#catalog,
        new Date(at),
      );
      resolved = { ...found, regional: entry !== undefined && isRegional(placeOf(entry, upstreamModel)) };
      this.#resolved.set(key, resolved);
    }
    return resolved;
  }
}
