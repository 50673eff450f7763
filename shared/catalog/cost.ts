// What one call cost: exact integer arithmetic on nano-dollars, rounded once at the very end.
import type { NanoDollars } from '#shared/money.ts';
import type { PriceRow, PriceTier } from './prices.ts';
import { ONE, type Ratio } from './ratio.ts';

/** What an upstream reported for one call. Counts are integers of zero or more; the token classes do not overlap. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWrite5mTokens: number;
  readonly cacheWrite1hTokens: number;
  readonly webSearchRequests: number;
  /** As the response says: a request for fast mode may be served at standard speed, and is then billed so. */
  readonly speed?: 'standard' | 'fast';
  /** `inference_geo` as the response says. */
  readonly inferenceGeo?: string;
}

export interface CostModifiers {
  /** The Gateway's factor on the whole amount. */
  readonly multiplier?: Ratio;
  /** The call went to a regional endpoint (Bedrock geo profile, Vertex region, Foundry data zone). */
  readonly regional?: boolean;
}

const MILLION = 1_000_000n;
// Web search is priced per thousand requests and tokens per million: this brings both over one denominator.
const THOUSANDS_PER_MILLION = 1_000n;

/**
 * The cost of one call: tokens by class × the rates of the tier × fast mode × residency, plus web searches, all × multiplier.
 * Residency and regional are two names of one surcharge, so at most one applies. Web searches know neither, nor fast mode.
 *
 * @returns nano-dollars, half a nano-dollar rounded up
 * @throws {RangeError} when a count is not an integer of zero or more: a negative one would give money back
 */
export function costOf(usage: Usage, price: PriceRow, modifiers: CostModifiers = {}): NanoDollars {
  const rates = tierFor(usage, price);
  const tokens =
    count(usage.inputTokens) * rates.input +
    count(usage.outputTokens) * rates.output +
    count(usage.cacheReadTokens) * rates.cacheRead +
    count(usage.cacheWrite5mTokens) * rates.cacheWrite5m +
    count(usage.cacheWrite1hTokens) * rates.cacheWrite1h;
  const searches = count(usage.webSearchRequests) * price.webSearchPerThousand * THOUSANDS_PER_MILLION;

  const fast = (usage.speed === 'fast' ? price.fast : undefined) ?? ONE;
  const place = placeFactor(usage, price, modifiers);
  const multiplier = modifiers.multiplier ?? ONE;

  const modeDen = fast.den * place.den;
  const num = (tokens * fast.num * place.num + searches * modeDen) * multiplier.num;
  const den = MILLION * modeDen * multiplier.den;
  return (2n * num + den) / (2n * den);
}

/** The size of a prompt is everything the model reads: fresh, from the cache and into the cache. */
function tierFor(usage: Usage, price: PriceRow): PriceTier {
  const [first] = price.tiers;
  if (price.tiers.length === 1) return first;
  const prompt = usage.inputTokens + usage.cacheReadTokens + usage.cacheWrite5mTokens + usage.cacheWrite1hTokens;
  return price.tiers.find((tier) => prompt <= tier.upTo) ?? first;
}

function placeFactor(usage: Usage, price: PriceRow, modifiers: CostModifiers): Ratio {
  const residency = usage.inferenceGeo === undefined ? undefined : price.residency.get(usage.inferenceGeo);
  return residency ?? (modifiers.regional === true ? price.regional : undefined) ?? ONE;
}

function count(value: number): bigint {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a count of tokens or requests`);
  return BigInt(value);
}
