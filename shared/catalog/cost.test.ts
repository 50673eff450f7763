import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseUsd } from '#shared/money.ts';
import { builtinCatalog } from './catalog.ts';
import { costOf, type Usage } from './cost.ts';
import { listPrice, overridePrice, type PriceRow } from './prices.ts';
import { parseRatio } from './ratio.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const NONE: Usage = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  webSearchRequests: 0,
};

function priceOf(id: string): PriceRow {
  const price = listPrice(id, NOW, builtinCatalog.prices);
  if (!price) throw new Error(`${id} has no price`);
  return price;
}

describe('costOf', () => {
  // An agentic turn: short question, long cached history, some of it newly cached.
  const turn = { inputTokens: 1_200, outputTokens: 900, cacheReadTokens: 84_000, cacheWrite5mTokens: 3_000 };

  it.each<[string, Partial<Usage>, string]>([
    // 1200×4 + 900×20 + 84000×0.20 + 3000×5 = 4800 + 18000 + 16800 + 15000 = 54600 dollars per million
    ['claude-opus-5-5', turn, '0.0546'],
    // 1200×3 + 900×15 + 84000×0.30 + 3000×3.75 = 3600 + 13500 + 25200 + 11250 = 53550
    ['claude-sonnet-4-6', turn, '0.05355'],
    // 1200×8 + 900×40 + 84000×0.20 + 3000×10 = 9600 + 36000 + 16800 + 30000 = 92400
    ['claude-fable-5-2', turn, '0.0924'],
    // 1000×2 = 2000
    ['claude-haiku-4-5-20251001', { cacheWrite1hTokens: 1_000 }, '0.002'],
    // 3 searches at a cent
    ['claude-haiku-4-5-20251001', { webSearchRequests: 3 }, '0.03'],
    ['claude-opus-5', { inputTokens: 1 }, '0.000005'],
    ['claude-opus-5', {}, '0'],
  ])('of %s for %o is $%s [SPEND-18]', (id, usage, dollars) => {
    expect(costOf({ ...NONE, ...usage }, priceOf(id))).toBe(parseUsd(dollars));
  });

  it('prices fast mode as the response says, cache classes too, web search not [SPEND-18]', () => {
    const opus = priceOf('claude-opus-5-5');
    const fast = { ...NONE, ...turn, webSearchRequests: 1, speed: 'fast' } as const;
    // 2 × 0.0546 + 0.01
    expect(costOf(fast, opus)).toBe(parseUsd('0.1192'));
    expect(costOf({ ...fast, speed: 'standard' }, opus)).toBe(parseUsd('0.0646'));
    // Sold at standard speed only.
    const sonnet = priceOf('claude-sonnet-5-5');
    expect(costOf(fast, sonnet)).toBe(costOf({ ...fast, speed: 'standard' }, sonnet));
  });

  it('adds a tenth for inference kept in one place or sent to a regional endpoint, once', () => {
    const opus = priceOf('claude-opus-5-5');
    const usage = { ...NONE, ...turn, webSearchRequests: 1 };
    // 1.1 × 0.0546 + 0.01
    const dearer = parseUsd('0.07006');
    expect(costOf({ ...usage, inferenceGeo: 'us' }, opus)).toBe(dearer);
    expect(costOf(usage, opus, { regional: true })).toBe(dearer);
    expect(costOf({ ...usage, inferenceGeo: 'us' }, opus, { regional: true })).toBe(dearer);
    // 1.1 × 2 × 0.0546 + 0.01
    expect(costOf({ ...usage, inferenceGeo: 'us', speed: 'fast' }, opus)).toBe(parseUsd('0.13012'));
    for (const inferenceGeo of ['global', 'not_available', 'constructor', '']) {
      expect(costOf({ ...usage, inferenceGeo }, opus)).toBe(parseUsd('0.0646'));
    }
    const old = priceOf('claude-sonnet-4-20250514');
    expect(costOf({ ...usage, inferenceGeo: 'us' }, old, { regional: true })).toBe(costOf(usage, old));
  });

  it.each<[string, Partial<Usage>, string]>([
    ['at the edge', { inputTokens: 100_000, outputTokens: 1_000 }, '0.0105'],
    // 100001×0.50 + 1000×2.50 = 52500.5
    ['one token over', { inputTokens: 100_001, outputTokens: 1_000 }, '0.0525005'],
    // 1×0.50 + 60000×0.05 + 30000×0.625 + 10000×1.00 = 31750.5
    [
      'over by cache tokens',
      { inputTokens: 1, cacheReadTokens: 60_000, cacheWrite5mTokens: 30_000, cacheWrite1hTokens: 10_000 },
      '0.0317505',
    ],
    // Output is not part of the prompt: 10×0.10 + 120000×0.50
    ['below with a long answer', { inputTokens: 10, outputTokens: 120_000 }, '0.060001'],
  ])('prices every token of a request by the size of its prompt: %s', (_where, usage, dollars) => {
    expect(costOf({ ...NONE, ...usage }, priceOf('claude-haiku-5-5'))).toBe(parseUsd(dollars));
  });

  it('applies the multiplier to everything, and rounds once: half a nano-dollar goes up', () => {
    const opus = priceOf('claude-opus-5-5');
    const usage = { ...NONE, ...turn, webSearchRequests: 1 };
    expect(costOf(usage, opus, { multiplier: parseRatio('0.9') })).toBe(parseUsd('0.05814'));
    expect(costOf(usage, opus, { multiplier: parseRatio('1.0') })).toBe(costOf(usage, opus));

    const tiny = overridePrice({ input: '0.0005', output: '0.0004' }, 'x', builtinCatalog.prices);
    expect(costOf({ ...NONE, inputTokens: 1 }, tiny)).toBe(1n);
    expect(costOf({ ...NONE, outputTokens: 1 }, tiny)).toBe(0n);
    // 0.5 + 0.4 = 0.9: rounding each class would give 1 + 0, rounding down 0; 3 × 0.4 = 1.2 tells the difference.
    expect(costOf({ ...NONE, outputTokens: 3 }, tiny)).toBe(1n);
    expect(costOf({ ...NONE, inputTokens: 1, outputTokens: 2 }, tiny)).toBe(1n);
  });

  it.each([-1, 0.5, Number.NaN, Infinity, 2 ** 53])('refuses a count of %s', (inputTokens) => {
    for (const id of ['claude-opus-5-5', 'claude-haiku-5-5']) {
      expect(() => costOf({ ...NONE, inputTokens }, priceOf(id))).toThrow(RangeError);
    }
  });
});

describe('costOf, for all inputs', () => {
  const tokens = fc.nat(2_000_000);
  const usage: fc.Arbitrary<Usage> = fc.record({
    inputTokens: tokens,
    outputTokens: tokens,
    cacheReadTokens: tokens,
    cacheWrite5mTokens: tokens,
    cacheWrite1hTokens: tokens,
    webSearchRequests: fc.nat(50),
    speed: fc.constantFrom('standard', 'fast', undefined),
    inferenceGeo: fc.constantFrom('us', 'global', undefined),
  });
  const price = fc.constantFrom(...builtinCatalog.models.models.map(({ id }) => id)).map(priceOf);
  const multiplierText = fc
    .tuple(fc.nat(9), fc.integer({ min: 1, max: 999_999 }))
    .map(([whole, part]) => `${whole}.${`${part}`.padStart(6, '0')}`);

  it('is never less for more tokens, in any class', () => {
    const classes = [
      'inputTokens',
      'outputTokens',
      'cacheReadTokens',
      'cacheWrite5mTokens',
      'cacheWrite1hTokens',
      'webSearchRequests',
    ] as const;
    fc.assert(
      fc.property(usage, price, fc.constantFrom(...classes), fc.nat(300_000), (call, row, name, more) => {
        expect(costOf({ ...call, [name]: call[name] + more }, row) >= costOf(call, row)).toBe(true);
      }),
    );
  });

  it('is within half a nano-dollar of the exact rational amount, worked out class by class [SPEND-18]', () => {
    fc.assert(
      fc.property(usage, price, multiplierText, fc.boolean(), (call, row, text, regional) => {
        const prompt = call.inputTokens + call.cacheReadTokens + call.cacheWrite5mTokens + call.cacheWrite1hTokens;
        const tier = row.tiers.length > 1 && prompt > 100_000 ? row.tiers[1]! : row.tiers[0];
        // Everything over 10^13: rates per 10^6, two factors with one decimal (10 each would do), multiplier with 6 decimals.
        const fast = call.speed === 'fast' && row.fast ? 20n : 10n;
        const surcharge =
          (call.inferenceGeo === 'us' && row.residency.size > 0) || (regional && row.regional) ? 11n : 10n;
        const multiplier = BigInt(text.replace('.', ''));
        const parts = [
          BigInt(call.inputTokens) * tier.input * fast * surcharge,
          BigInt(call.outputTokens) * tier.output * fast * surcharge,
          BigInt(call.cacheReadTokens) * tier.cacheRead * fast * surcharge,
          BigInt(call.cacheWrite5mTokens) * tier.cacheWrite5m * fast * surcharge,
          BigInt(call.cacheWrite1hTokens) * tier.cacheWrite1h * fast * surcharge,
          BigInt(call.webSearchRequests) * 10_000_000n * 1_000_000n * 100n,
        ];
        const exact = parts.reduce((sum, part) => sum + part * multiplier, 0n);
        const scale = 10n ** 14n;
        const cost = costOf(call, row, { multiplier: parseRatio(text), regional });
        const error = 2n * (cost * scale - exact);
        expect(error > -scale && error <= scale).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('scales with the multiplier exactly where nothing is rounded', () => {
    fc.assert(
      fc.property(usage, price, fc.integer({ min: 1, max: 999 }), (call, row, factor) => {
        const thousand = { ...call, speed: undefined, inferenceGeo: undefined };
        expect(costOf(thousand, row, { multiplier: parseRatio(`${factor}`) })).toBe(
          BigInt(factor) * costOf(thousand, row),
        );
      }),
    );
  });

  it('is never free when something was used and no price is known [SPEND-16]', () => {
    fc.assert(
      fc.property(usage, (call) => {
        const used = Object.values(call).some((value) => typeof value === 'number' && value > 0);
        expect(costOf(call, builtinCatalog.prices.unknown) > 0n).toBe(used);
      }),
    );
  });
});
