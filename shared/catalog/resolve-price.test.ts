import { describe, expect, it } from 'vitest';
import { builtinCatalog } from './catalog.ts';
import { costOf } from './cost.ts';
import { listPrice, overridePrice } from './prices.ts';
import { parseOverrides, resolvePrice, type PriceQuestion } from './resolve-price.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const { prices } = builtinCatalog;
const ask = (question: Partial<PriceQuestion>) =>
  resolvePrice(
    { upstream: 'ns/a', upstreamModelId: 'claude-opus-5-5', modelId: 'claude-opus-5-5', ...question },
    builtinCatalog,
    NOW,
  );
const gateway = (...overrides: Parameters<typeof parseOverrides>[0]) => parseOverrides(overrides, builtinCatalog);

describe('resolvePrice', () => {
  const upstreamOverride = overridePrice({ input: '1', output: '2' }, 'claude-opus-5-5', prices);
  const gatewayOverrides = gateway({ model: 'claude-opus-5-5', price: { input: '3', output: '4' } });

  it("takes the upstream's own price before everything [SPEND-16]", () => {
    expect(ask({ upstreamOverride, gatewayOverrides })).toEqual({ priced: 'override', price: upstreamOverride });
  });

  it('takes an override of the Gateway before any list price [SPEND-16]', () => {
    expect(ask({ gatewayOverrides })).toEqual({ priced: 'override', price: gatewayOverrides[0]?.price });
  });

  it("takes the list price of the upstream's id before that of the model asked for [SPEND-16]", () => {
    expect(ask({ upstreamModelId: 'eu.anthropic.claude-sonnet-5', modelId: 'claude-opus-5-5' })).toEqual({
      priced: 'list',
      price: listPrice('claude-sonnet-5', NOW, prices),
    });
  });

  it('takes the list price of the model asked for when the upstream id is opaque [SPEND-16]', () => {
    const upstreamModelId = 'arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123';
    expect(ask({ upstreamModelId })).toEqual({
      priced: 'mapped',
      price: listPrice('claude-opus-5-5', NOW, prices),
    });
  });

  it('prices what nobody knows at 5 and 25 dollars, with every class above zero [SPEND-16]', () => {
    const { priced, price } = ask({ upstreamModelId: 'house-model', modelId: 'house-model' });
    expect(priced).toBe('unknown');
    const none = {
      inputTokens: 0,
      outputTokens: 0,
      cacheReadTokens: 0,
      cacheWrite5mTokens: 0,
      cacheWrite1hTokens: 0,
      webSearchRequests: 0,
    };
    const million = (usage: object) => costOf({ ...none, ...usage }, price);
    expect(million({ inputTokens: 1_000_000 })).toBe(5_000_000_000n);
    expect(million({ outputTokens: 1_000_000 })).toBe(25_000_000_000n);
    expect(million({ cacheReadTokens: 1_000_000 })).toBe(500_000_000n);
    expect(million({ cacheWrite5mTokens: 1_000_000 })).toBe(6_250_000_000n);
    expect(million({ cacheWrite1hTokens: 1_000_000 })).toBe(10_000_000_000n);
    expect(million({ cacheReadTokens: 1 }) > 0n).toBe(true);
  });

  it('uses the rates of the day of the call', () => {
    const question = { upstream: 'ns/a', upstreamModelId: 'claude-sonnet-5-5', modelId: 'claude-sonnet-5-5' };
    const read = (at: string) => resolvePrice(question, builtinCatalog, new Date(at)).price.tiers[0].cacheRead;
    expect(read('2026-10-01T00:00:00Z')).toBe(200_000_000n);
    expect(read('2026-11-01T00:00:00Z')).toBe(100_000_000n);
  });
});

describe('overrides of the Gateway', () => {
  const price = { input: '3', output: '4' };

  it.each([
    ['another spelling', 'us.anthropic.claude-opus-5-5', {}, true],
    ['the id sent upstream', 'claude-sonnet-5', { upstreamModelId: 'claude-sonnet-5' }, true],
    ['a custom name in another case', 'House-Model', { upstreamModelId: 'x', modelId: 'house-model' }, true],
    ['another model', 'claude-opus-5', {}, false],
  ])('match by %s', (_how, model, question, matches) => {
    const { priced } = ask({ gatewayOverrides: gateway({ model, price }), ...question });
    expect(priced === 'override').toBe(matches);
  });

  it('apply only to the upstream they name, and the first that matches is used', () => {
    const gatewayOverrides = gateway(
      { upstream: 'ns/b', model: 'claude-opus-5-5', price: { input: '1', output: '4' } },
      { upstream: 'ns/a', model: 'claude-opus-5-5', price: { input: '2', output: '4' } },
      { model: 'claude-opus-5-5', price: { input: '3', output: '4' } },
    );
    const input = (upstream: string) => ask({ gatewayOverrides, upstream }).price.tiers[0].input;
    expect(input('ns/b')).toBe(1_000_000_000n);
    expect(input('ns/a')).toBe(2_000_000_000n);
    expect(input('ns/c')).toBe(3_000_000_000n);
  });
});
