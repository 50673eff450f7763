import { describe, expect, it } from 'vitest';
import { builtinCatalog } from './catalog.ts';
import { listPrice, mergePrices, overridePrice, parsePriceCatalog } from './prices.ts';
import { parseRatio } from './ratio.ts';

const { prices } = builtinCatalog;
const NOVEMBER = new Date('2026-11-21T12:00:00Z');
const usd = (dollars: number) => BigInt(Math.round(dollars * 1e9));

describe('list prices', () => {
  // Input, 5-minute write, 1-hour write, cache read, output, in US dollars per million tokens.
  it.each([
    ['claude-fable-5-2', 8, 10, 16, 0.2, 40],
    ['claude-fable-5-1', 10, 12.5, 20, 0.25, 50],
    ['claude-mythos-5-1', 10, 12.5, 20, 0.25, 50],
    ['claude-fable-5', 10, 12.5, 20, 1, 50],
    ['claude-mythos-5', 10, 12.5, 20, 1, 50],
    ['claude-opus-5-5', 4, 5, 8, 0.2, 20],
    ['claude-opus-5', 5, 6.25, 10, 0.5, 25],
    ['claude-opus-4-8', 5, 6.25, 10, 0.5, 25],
    ['claude-opus-4-7', 5, 6.25, 10, 0.5, 25],
    ['claude-opus-4-6', 5, 6.25, 10, 0.5, 25],
    ['claude-opus-4-5-20251101', 5, 6.25, 10, 0.5, 25],
    ['claude-opus-4-1-20250805', 15, 18.75, 30, 1.5, 75],
    ['claude-opus-4-20250514', 15, 18.75, 30, 1.5, 75],
    ['claude-sonnet-5-5', 2, 2.5, 4, 0.1, 10],
    ['claude-sonnet-5', 2, 2.5, 4, 0.2, 10],
    ['claude-sonnet-4-6', 3, 3.75, 6, 0.3, 15],
    ['claude-sonnet-4-5-20250929', 3, 3.75, 6, 0.3, 15],
    ['claude-sonnet-4-20250514', 3, 3.75, 6, 0.3, 15],
    ['claude-3-7-sonnet-20250219', 3, 3.75, 6, 0.3, 15],
    ['claude-3-5-sonnet-20241022', 3, 3.75, 6, 0.3, 15],
    ['claude-haiku-5-5', 0.1, 0.125, 0.2, 0.01, 0.5],
    ['claude-haiku-4-5-20251001', 1, 1.25, 2, 0.1, 5],
    ['claude-3-5-haiku-20241022', 0.8, 1, 1.6, 0.08, 4],
  ])('of %s are those of the price page [SPEND-18]', (id, input, write5m, write1h, read, output) => {
    expect(listPrice(id, NOVEMBER, prices)?.tiers[0]).toMatchObject({
      input: usd(input),
      cacheWrite5m: usd(write5m),
      cacheWrite1h: usd(write1h),
      cacheRead: usd(read),
      output: usd(output),
    });
  });

  it('change at midnight UTC of their date', () => {
    const read = (at: string) => listPrice('claude-sonnet-5-5', new Date(at), prices)?.tiers[0].cacheRead;
    expect(read('2026-10-07T23:59:59.999Z')).toBe(usd(0.2));
    expect(read('2026-10-08T00:00:00Z')).toBe(usd(0.1));
    expect(read('2020-01-01T00:00:00Z')).toBe(usd(0.2));
  });

  it('are frozen, and the same object every time', () => {
    const first = listPrice('claude-opus-5-5', NOVEMBER, prices);
    expect(first).toBe(listPrice('claude-opus-5-5', NOVEMBER, prices));
    expect(Object.isFrozen(first)).toBe(true);
    expect(Object.isFrozen(first?.tiers[0])).toBe(true);
  });

  it('have fast mode where it is sold, residency from 4.6 on and regional surcharge from 4.5 on [SPEND-18]', () => {
    const having = (what: 'fast' | 'regional' | 'residency') =>
      [...prices.rows]
        .filter(([, [row]]) => (what === 'residency' ? row?.price.residency.size : row?.price[what]))
        .map(([id]) => id);
    expect(having('fast')).toEqual(['claude-fable-5-2', 'claude-opus-5-5', 'claude-opus-5', 'claude-opus-4-8']);
    const regional = having('regional');
    const without = [...prices.rows.keys()].filter((id) => !regional.includes(id));
    expect(without.every((id) => /claude-3-|-4-1-|-4-2025/.test(id))).toBe(true);
    expect(regional.filter((id) => !having('residency').includes(id)).every((id) => id.includes('-4-5-'))).toBe(true);
  });
});

describe('overridePrice', () => {
  it('derives the cache classes that are left out', () => {
    const { tiers } = overridePrice({ input: '3', output: '12' }, 'claude-opus-5-5', prices);
    expect(tiers).toEqual([
      {
        upTo: Infinity,
        input: usd(3),
        output: usd(12),
        cacheRead: usd(0.3),
        cacheWrite5m: usd(3.75),
        cacheWrite1h: usd(6),
      },
    ]);
  });

  it('never derives a free class from the smallest price', () => {
    const { tiers } = overridePrice({ input: '0.000000001', output: '1' }, 'x', prices);
    expect(tiers[0]).toMatchObject({ cacheRead: 1n, cacheWrite5m: 2n, cacheWrite1h: 2n });
  });

  it('takes given classes as they are, keeps the factors of the request and drops tiers and regional surcharge', () => {
    const price = { input: '3', output: '12', cacheRead: '0.9', cacheWrite5m: '3', cacheWrite1h: '3.5' };
    const row = overridePrice(price, 'claude-opus-5-5', prices);
    expect(row.tiers[0]).toMatchObject({ cacheRead: usd(0.9), cacheWrite5m: usd(3), cacheWrite1h: usd(3.5) });
    expect(row.fast).toEqual({ num: 2n, den: 1n });
    expect(row.residency.get('us')).toEqual({ num: 11n, den: 10n });
    expect(row.regional).toBeUndefined();
    expect(overridePrice(price, 'claude-haiku-5-5', prices).tiers).toHaveLength(1);
  });

  it('refuses what is not an amount', () => {
    expect(() => overridePrice({ input: '3,5', output: '12' }, 'x', prices)).toThrow(RangeError);
  });
});

describe('parsePriceCatalog', () => {
  const rates = { input: '1', output: '5', cacheRead: '0.1', cacheWrite5m: '1.25', cacheWrite1h: '2' };
  const table = (...models: object[]) => ({
    webSearchPerThousand: '10',
    unknown: { input: '5', output: '25' },
    models,
  });
  const model = (...list: object[]) => table({ id: 'm', rates: list });

  it('accepts a table of the shipped shape', () => {
    expect(listPrice('m', NOVEMBER, parsePriceCatalog(model({ tiers: [rates] })))?.tiers[0].input).toBe(usd(1));
  });

  it.each([
    ['a free class', model({ tiers: [{ ...rates, cacheRead: '0.00' }] }), 'greater than 0'],
    ['a free unknown tier', { ...table(), unknown: { input: '0', output: '0' } }, 'greater than 0'],
    ['a missing cache class', model({ tiers: [{ ...rates, cacheRead: undefined }] }), 'cacheRead'],
    ['a number in place of a decimal', model({ tiers: [{ ...rates, input: 1 }] }), 'input'],
    ['tiers that fall', model({ tiers: [{ ...rates, upTo: 9 }, { ...rates, upTo: 8 }, rates] }), 'rise'],
    ['a last tier that ends', model({ tiers: [{ ...rates, upTo: 9 }] }), 'upTo'],
    ['a first row with a date', model({ from: '2026-01-01', tiers: [rates] }), 'no date'],
    ['a second row without one', model({ tiers: [rates] }, { tiers: [rates] }), 'later date'],
    ['a date that is none', model({ tiers: [rates] }, { from: '2026-02-30', tiers: [rates] }), 'from'],
    [
      'a model twice',
      table({ id: 'm', rates: [{ tiers: [rates] }] }, { id: 'm', rates: [{ tiers: [rates] }] }),
      'twice',
    ],
    ['a factor of zero', table({ id: 'm', fast: '0', rates: [{ tiers: [rates] }] }), 'greater than 0'],
    ['a field it does not know', table({ id: 'm', batch: '0.5', rates: [{ tiers: [rates] }] }), 'batch'],
  ])('refuses %s', (_what, bad, says) => {
    expect(() => parsePriceCatalog(bad)).toThrow(says);
  });
});

describe('mergePrices', () => {
  const rates = { input: '1', output: '5', cacheRead: '0.1', cacheWrite5m: '1.25', cacheWrite1h: '2' };

  it('lays rows over others, each with its dates and factors, and leaves the base alone [SPEND-19]', () => {
    const merged = mergePrices(prices, {
      models: [
        {
          id: 'claude-opus-5',
          rates: [{ tiers: [rates] }, { from: '2026-12-01', tiers: [{ ...rates, input: '0.5' }] }],
        },
        { id: 'house-model', rates: [{ tiers: [rates] }] },
      ],
    });
    const input = (id: string, at: Date) => listPrice(id, at, merged)?.tiers[0].input;
    expect(input('claude-opus-5', NOVEMBER)).toBe(usd(1));
    expect(input('claude-opus-5', new Date('2026-12-01T00:00:00Z'))).toBe(usd(0.5));
    expect(input('house-model', NOVEMBER)).toBe(usd(1));
    expect(listPrice('claude-opus-5', NOVEMBER, merged)?.fast).toBeUndefined();
    expect(listPrice('claude-opus-5-5', NOVEMBER, merged)).toEqual(listPrice('claude-opus-5-5', NOVEMBER, prices));
    expect(merged.unknown).toEqual(prices.unknown);
    expect(listPrice('claude-opus-5', NOVEMBER, prices)?.tiers[0].input).toBe(usd(5));
  });

  it('changes the price of web search for every model, and that of unknown ones [SPEND-19]', () => {
    const merged = mergePrices(prices, { webSearchPerThousand: '7', unknown: { input: '9', output: '10' } });
    expect(merged.unknown.tiers[0].input).toBe(usd(9));
    const rows = [merged.unknown, ...[...merged.rows.values()].flatMap((list) => list.map(({ price }) => price))];
    expect(new Set(rows.map((row) => row.webSearchPerThousand))).toEqual(new Set([usd(7)]));
    expect(rows.every((row) => Object.isFrozen(row))).toBe(true);
  });

  it.each<[string, unknown, string]>([
    ['a free model', { models: [{ id: 'm', rates: [{ tiers: [{ ...rates, output: '0' }] }] }] }, 'greater than 0'],
    ['a free unknown tier', { unknown: { input: '0', output: '1' } }, 'greater than 0'],
    ['a class left out', { models: [{ id: 'm', rates: [{ tiers: [{ input: '1', output: '5' }] }] }] }, 'cacheRead'],
    ['another shape', { prices: [] }, 'prices'],
  ])('refuses %s [SPEND-19]', (_what, overlay, says) => {
    expect(() => mergePrices(prices, overlay)).toThrow(says);
  });
});

describe('parseRatio', () => {
  it.each([
    ['1.0', 10n, 10n],
    ['1.1', 11n, 10n],
    ['0.925', 925n, 1000n],
    ['2', 2n, 1n],
  ])('reads %s', (text, num, den) => {
    expect(parseRatio(text)).toEqual({ num, den });
  });

  it.each(['', '0', '0.000', '-1', '1e2', '.9', '1/2'])('refuses %j', (text) => {
    expect(() => parseRatio(text)).toThrow(RangeError);
  });
});
