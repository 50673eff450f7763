// What the gateway knows of models and money: the built-in Claude models with their names on every platform (models.json,
// spelling.ts, provider-id.ts), what they cost (prices.json, prices.ts), what one call cost (cost.ts), and which betas a
// provider takes (betas.json, betas.ts). Pure: tables in, answers out.
// The tables come from the providers' public model and price pages as of November 2026.
import modelRows from './models.json' with { type: 'json' };
import priceRows from './prices.json' with { type: 'json' };
import { parseModels, type CatalogModel } from './models.ts';
import { parsePriceCatalog } from './prices.ts';
import type { Catalog } from './resolve-price.ts';
import { geoOf, knownSpellings, type CanonicalModel, type ModelCatalog } from './spelling.ts';

/**
 * Indexes a model table.
 *
 * @throws {Error} when two models claim the same spelling: which one a rule meant could not be told
 */
export function buildModelCatalog(models: readonly CatalogModel[]): ModelCatalog {
  const byId = new Map<string, CatalogModel>();
  const bySpelling = new Map<string, CanonicalModel>();
  const spellings = new Map<string, readonly string[]>();
  for (const model of models) {
    const names = knownSpellings(model);
    byId.set(model.id, model);
    spellings.set(model.id, names);
    for (const name of names) {
      const other = bySpelling.get(name);
      if (other) throw new Error(`models ${other.id} and ${model.id} share the spelling ${name}`);
      const geo = geoOf(name);
      const plain = { id: model.id, longContext: false };
      bySpelling.set(name, Object.freeze(geo === undefined ? plain : { ...plain, geo }));
    }
  }
  return Object.freeze({ models, byId, bySpelling, spellings });
}

/**
 * Lays a platform team's models over others: a row replaces the one with the same id, or is added.
 *
 * @param overlay parsed JSON of a model table
 * @throws {z.ZodError} when a row does not fit
 * @throws {Error} when two models claim the same spelling; keep what was in force before in either case
 */
export function mergeModels(base: ModelCatalog, overlay: unknown): ModelCatalog {
  const rows = new Map([...base.models, ...parseModels(overlay)].map((model) => [model.id, model]));
  return buildModelCatalog([...rows.values()]);
}

/** The models that ship with the gateway. */
export const builtinModels: ModelCatalog = buildModelCatalog(parseModels(modelRows));

/** The models and the list prices that ship with the gateway. */
export const builtinCatalog: Catalog = Object.freeze({ models: builtinModels, prices: parsePriceCatalog(priceRows) });
