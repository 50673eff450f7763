// What a platform team lays over the built-in tables without waiting for a release: models.json, prices.json and betas.json of a ConfigMap,
// each in the shape of the built-in table of that name. Taken as a whole or not at all, so that a price never stands without its model.
import { z } from 'zod';
import { builtinBetas, mergeBetas, type BetaTable } from './betas.ts';
import { builtinCatalog, mergeModels } from './catalog.ts';
import { mergePrices } from './prices.ts';
import type { Catalog } from './resolve-price.ts';

/** Everything the gateway knows of models, money and betas. */
export interface CatalogTables extends Catalog {
  readonly betas: BetaTable;
  /** What of it is not built in. */
  readonly overlay?: CatalogOverlay;
}

/** Parsed JSON by table; valid once {@link tablesWith} took it. */
export interface CatalogOverlay {
  readonly models?: unknown;
  readonly prices?: unknown;
  readonly betas?: unknown;
}

/** Why an overlay cannot be used. The message names key and place and repeats no value. */
export class CatalogOverlayError extends Error {
  readonly code = 'invalid_catalog';
}

const OVERLAY_KEYS = ['models.json', 'prices.json', 'betas.json'] as const;

/** Characters that the tables of one overlay may have together: some 2,000 models. It travels in a bundle with everything else. */
export const MAX_OVERLAY_CHARS = 256 * 1024;

/** Faults named in one message. */
const MOST_FAULTS = 10;

/** The tables that ship with the gateway. */
export const builtinTables: CatalogTables = Object.freeze({ ...builtinCatalog, betas: builtinBetas });

/**
 * The built-in tables with an overlay over them.
 *
 * @throws {CatalogOverlayError}
 */
export function tablesWith(overlay: CatalogOverlay | undefined): CatalogTables {
  if (overlay === undefined) return builtinTables;
  const { models, prices, betas } = overlay;
  return Object.freeze({
    overlay,
    models:
      models === undefined
        ? builtinTables.models
        : merged('models.json', () => mergeModels(builtinTables.models, models)),
    prices:
      prices === undefined
        ? builtinTables.prices
        : merged('prices.json', () => mergePrices(builtinTables.prices, prices)),
    betas:
      betas === undefined ? builtinTables.betas : merged('betas.json', () => mergeBetas(builtinTables.betas, betas)),
  });
}

/**
 * Reads an overlay and checks it against the built-in tables.
 *
 * @param data of a ConfigMap: text by key
 * @throws {CatalogOverlayError} for a key that is none of {@link OVERLAY_KEYS}, text that is no JSON, a table that does not fit
 */
export function readOverlay(data: ReadonlyMap<string, string>): {
  readonly overlay: CatalogOverlay;
  readonly tables: CatalogTables;
} {
  const foreign = [...data.keys()].find((key) => !(OVERLAY_KEYS as readonly string[]).includes(key));
  if (foreign !== undefined) {
    throw new CatalogOverlayError(`${foreign.slice(0, 253)}: is no table; the keys are ${OVERLAY_KEYS.join(', ')}`);
  }
  const chars = [...data.values()].reduce((sum, text) => sum + text.length, 0);
  if (chars > MAX_OVERLAY_CHARS) {
    throw new CatalogOverlayError(
      `has ${chars} characters, and ${MAX_OVERLAY_CHARS} is the most that travels to the pods`,
    );
  }
  const [models, prices, betas] = OVERLAY_KEYS.map((key) => parsed(key, data.get(key)));
  const overlay = {
    ...(models === undefined ? {} : { models }),
    ...(prices === undefined ? {} : { prices }),
    ...(betas === undefined ? {} : { betas }),
  };
  return { overlay, tables: tablesWith(overlay) };
}

function parsed(key: string, text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text around the fault.
    throw new CatalogOverlayError(`${key}: is not JSON`);
  }
}

function merged<T>(key: string, merge: () => T): T {
  try {
    return merge();
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw new CatalogOverlayError(`${key}: ${(error as Error).message}`);
    const faults = error.issues.map(({ path, message }) => `${[key, ...path.map(String)].join('.')}: ${message}`);
    const more = faults.length > MOST_FAULTS ? [`and ${faults.length - MOST_FAULTS} more`] : [];
    throw new CatalogOverlayError([...faults.slice(0, MOST_FAULTS), ...more].join('; '));
  }
}
