// List prices: the shape of prices.json, and the same table parsed into integers that costOf can use without further parsing.
import { z } from 'zod';
import type { PriceText } from './price-text.ts';
import { parseUsd, USD_PATTERN, type NanoDollars } from '#shared/money.ts';
import { parseRatio, type Ratio } from './ratio.ts';

/** Prices of the token classes, in nano-dollars per million tokens. */
export interface TokenRates {
  readonly input: NanoDollars;
  readonly output: NanoDollars;
  readonly cacheRead: NanoDollars;
  readonly cacheWrite5m: NanoDollars;
  readonly cacheWrite1h: NanoDollars;
}

/** Rates for prompts of at most `upTo` tokens; infinite on the last tier. */
export interface PriceTier extends TokenRates {
  readonly upTo: number;
}

/** Everything {@link costOf} needs for one model, frozen. */
export interface PriceRow {
  /** By rising prompt size; the one that fits prices every token of the request, output too. */
  readonly tiers: readonly [PriceTier, ...PriceTier[]];
  /** Factor of fast mode. */
  readonly fast?: Ratio;
  /** Factor by the place where inference was asked to stay (`inference_geo`). */
  readonly residency: ReadonlyMap<string, Ratio>;
  /** Factor of regional endpoints on Bedrock, Vertex and Foundry data zones. */
  readonly regional?: Ratio;
  /** Nano-dollars per thousand web search requests. */
  readonly webSearchPerThousand: NanoDollars;
}

/** By rising date; `from` is in milliseconds since 1970, the first is minus infinity. */
type DatedRows = readonly { readonly from: number; readonly price: PriceRow }[];

export interface PriceCatalog {
  /** By model id. */
  readonly rows: ReadonlyMap<string, DatedRows>;
  /** What a model costs that no table knows. Never free. */
  readonly unknown: PriceRow;
}

const rate = z
  .string()
  .regex(USD_PATTERN, 'must be US dollars per million tokens such as "0.25"')
  .refine((text) => /[1-9]/.test(text), 'must be greater than 0');
const factor = z.string().transform((text, context) => {
  try {
    return parseRatio(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as RangeError).message });
    return z.NEVER;
  }
});

const tier = z.strictObject({
  upTo: z.int().positive().optional(),
  input: rate,
  output: rate,
  // Required in list rows: the multiple of the input price differs from model to model, so it cannot be derived.
  cacheRead: rate,
  cacheWrite5m: rate,
  cacheWrite1h: rate,
});

const tiers = z
  .array(tier)
  .min(1)
  .refine((list) => rising(list.map((row) => row.upTo ?? Infinity)), 'tiers must rise in size')
  .refine((list) => list.at(-1)?.upTo === undefined, 'the last tier must have no upTo');

const dated = z.strictObject({ from: z.iso.date().optional(), tiers });

const modelPrices = z.strictObject({
  id: z.string().min(1).max(256),
  fast: factor.optional(),
  residency: z.record(z.string(), factor).optional(),
  regional: factor.optional(),
  rates: z
    .array(dated)
    .min(1)
    .refine((list) => list[0]?.from === undefined, 'the first rates must have no date')
    .refine((list) => rising(list.map((row) => startOf(row.from))), 'later rates need a later date'),
});

const models = z
  .array(modelPrices)
  .refine((list) => new Set(list.map((row) => row.id)).size === list.length, 'a model is priced twice');
const unknown = z.strictObject({ input: rate, output: rate });

const priceTable = z.strictObject({ webSearchPerThousand: rate, unknown, models });

const priceOverlay = z.strictObject({
  webSearchPerThousand: rate.optional(),
  unknown: unknown.optional(),
  models: models.default([]),
});

const rising = (values: readonly number[]) =>
  values.every((value, index) => index === 0 || value > (values[index - 1] ?? Infinity));

/** Prices change at midnight UTC of their date. */
const startOf = (date: string | undefined) => (date === undefined ? -Infinity : Date.parse(`${date}T00:00:00Z`));

/**
 * @param json parsed JSON of a price table
 * @throws {z.ZodError} when the table does not fit, with the place of the fault
 */
export function parsePriceCatalog(json: unknown): PriceCatalog {
  const table = priceTable.parse(json);
  const webSearchPerThousand = parseUsd(table.webSearchPerThousand);
  const rows = new Map(table.models.map((model) => [model.id, datedRows(model, webSearchPerThousand)]));
  return Object.freeze({ rows, unknown: unknownRow(table.unknown, webSearchPerThousand) });
}

/**
 * Lays a platform team's table over another. It has the same shape and every part may be left out; a model it names loses all
 * its rows of the base, with their dates and factors.
 *
 * @param overlay parsed JSON
 * @throws {z.ZodError} when the overlay does not fit; keep what was in force before
 */
export function mergePrices(base: PriceCatalog, overlay: unknown): PriceCatalog {
  const over = priceOverlay.parse(overlay);
  const webSearchPerThousand =
    over.webSearchPerThousand === undefined ? base.unknown.webSearchPerThousand : parseUsd(over.webSearchPerThousand);
  const withSearch = (price: PriceRow): PriceRow => Object.freeze({ ...price, webSearchPerThousand });
  const rows = new Map(
    [...base.rows].map(([id, list]): [string, DatedRows] => [
      id,
      Object.freeze(list.map(({ from, price }) => Object.freeze({ from, price: withSearch(price) }))),
    ]),
  );
  for (const model of over.models) rows.set(model.id, datedRows(model, webSearchPerThousand));
  return Object.freeze({
    rows,
    unknown: over.unknown === undefined ? withSearch(base.unknown) : unknownRow(over.unknown, webSearchPerThousand),
  });
}

function datedRows(model: z.output<typeof modelPrices>, webSearchPerThousand: NanoDollars): DatedRows {
  const residency = new Map(Object.entries(model.residency ?? {}));
  const list = model.rates.map(({ from, tiers: [first, ...others] }) => {
    if (!first) throw new Error('unreachable: the schema asks for one tier');
    const price: PriceRow = Object.freeze({
      tiers: Object.freeze<[PriceTier, ...PriceTier[]]>([
        tierOf(first, first.upTo),
        ...others.map((row) => tierOf(row, row.upTo)),
      ]),
      fast: model.fast,
      residency,
      regional: model.regional,
      webSearchPerThousand,
    });
    return Object.freeze({ from: startOf(from), price });
  });
  return Object.freeze(list);
}

function unknownRow(price: PriceText, webSearchPerThousand: NanoDollars): PriceRow {
  return flatRow(price, { residency: new Map(), webSearchPerThousand });
}

/** The list price of a model at an instant, or undefined when the table does not know the model. */
export function listPrice(id: string, at: Date, prices: PriceCatalog): PriceRow | undefined {
  return prices.rows.get(id)?.findLast((row) => row.from <= at.getTime())?.price;
}

/**
 * A platform team's own price, instead of the list price of a model. It is flat (no tiers), and no regional factor applies, as
 * it already is the price of that upstream. Fast mode, residency and web search stay those of the model's list row, because
 * they depend on the request.
 *
 * @param price cache classes left out are 0.1 × (read), 1.25 × (5 minutes) and 2 × (1 hour) the input price
 * @param modelId canonical id of the model the price is for
 * @throws {RangeError} when an amount cannot be read
 */
export function overridePrice(price: PriceText, modelId: string, prices: PriceCatalog): PriceRow {
  const listed = prices.rows.get(modelId)?.at(-1)?.price ?? prices.unknown;
  return flatRow(price, { ...listed, regional: undefined });
}

function flatRow(price: PriceText, rest: Omit<PriceRow, 'tiers'>): PriceRow {
  return Object.freeze({ ...rest, tiers: Object.freeze<[PriceTier]>([tierOf(price)]) });
}

function tierOf(price: PriceText, upTo = Infinity): PriceTier {
  const input = parseUsd(price.input);
  const amount = (text: string | undefined, derived: NanoDollars) => (text === undefined ? derived : parseUsd(text));
  return Object.freeze({
    upTo,
    input,
    output: parseUsd(price.output),
    // Up to the next nano-dollar per million, so that a derived class is never free where input is not.
    cacheRead: amount(price.cacheRead, (input + 9n) / 10n),
    cacheWrite5m: amount(price.cacheWrite5m, (input * 5n + 3n) / 4n),
    cacheWrite1h: amount(price.cacheWrite1h, input * 2n),
  });
}
