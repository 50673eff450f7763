// Prices over time and by place: a list price that changes on a date changes within the process, and is not remembered beyond its hour; what
// is computed close by costs more where the list says so.
import { describe, expect, test } from 'vitest';
import type { UpstreamEntry } from '#shared/bundle/bundle.ts';
import { parseUsd } from '#shared/money.ts';
import { targetOf } from '../route/testing.ts';
import { typicalPrice } from '../route/strategy-price.ts';
import { settingsOf } from '../admit/testing.ts';
import { PriceBook } from './price-book.ts';

const NOTHING = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  webSearchRequests: 0,
};
const MILLION_READ = { ...NOTHING, cacheReadTokens: 1_000_000 };
const MILLION_WRITTEN_1H = { ...NOTHING, cacheWrite1hTokens: 1_000_000 };
const LIST = { multiplier: '1', overrides: [] };
const NOW = Date.UTC(2026, 10, 21);

test('[SPEND-16] a list price holds from midnight UTC of its date', () => {
  const book = new PriceBook(LIST, []);
  const model = 'claude-sonnet-5-5';
  const change = Date.UTC(2026, 9, 8);
  const costAt = (at: number) => book.charge(MILLION_READ, 'ns/up', model, model, at).cost;
  expect(costAt(change - 1)).toBe(parseUsd('0.20'));
  expect(costAt(change)).toBe(parseUsd('0.10'));
  // Clocks step back; the price follows.
  expect(costAt(change - 1)).toBe(parseUsd('0.20'));
});

describe('the place', () => {
  const model = 'claude-opus-5';
  const bedrock = (inference: 'Geo' | 'Global' | 'InRegion'): Partial<UpstreamEntry> => ({
    provider: 'Bedrock',
    bedrock: { region: 'eu-west-1', inference },
  });
  const vertex = (location: string): Partial<UpstreamEntry> => ({
    provider: 'Vertex',
    vertex: { project: 'p', location },
  });
  const arn = 'arn:aws:bedrock:eu-west-1:111122223333:application-inference-profile/abc';

  test.each<[name: string, entry: Partial<UpstreamEntry>, upstreamModel: string, cost: string]>([
    ['the Anthropic API', {}, model, '10'],
    ['Bedrock, geography', bedrock('Geo'), 'eu.anthropic.claude-opus-5', '11'],
    ['Bedrock, global', bedrock('Global'), 'global.anthropic.claude-opus-5', '10'],
    ['Bedrock, in the region', bedrock('InRegion'), 'anthropic.claude-opus-5', '11'],
    ['Bedrock, a profile of the account', bedrock('Geo'), arn, '11'],
    ['Mantle', { provider: 'BedrockMantle' }, 'anthropic.claude-opus-5', '11'],
    ['Claude Platform on AWS', { provider: 'ClaudePlatformAWS' }, model, '10'],
    ['Vertex, global', vertex('global'), model, '10'],
    ['Vertex, a multi-region', vertex('eu'), model, '11'],
    ['Vertex, a region', vertex('us-east5'), model, '11'],
    ['Foundry', { provider: 'Foundry', foundry: {} }, model, '10'],
    ['Foundry, US data zone', { provider: 'Foundry', foundry: { zone: 'us' } }, model, '11'],
  ])('[SPEND-16] [XLAT-12] %s: a million tokens written to the 1-hour cache', (_name, entry, upstreamModel, cost) => {
    const target = targetOf('up', entry);
    const book = new PriceBook(LIST, [target]);
    expect(book.charge(MILLION_WRITTEN_1H, target.key, upstreamModel, model, NOW).cost).toBe(parseUsd(cost));
  });

  test('a price of the platform team’s own is what it pays, wherever', () => {
    const price = { input: '3', output: '9' };
    const target = targetOf('up', {
      ...bedrock('Geo'),
      models: [{ id: model, upstreamId: `eu.anthropic.${model}`, price }],
    });
    const book = new PriceBook(LIST, [target]);
    const { cost, priced } = book.charge(
      { ...NOTHING, inputTokens: 1_000_000 },
      target.key,
      `eu.anthropic.${model}`,
      model,
      NOW,
    );
    expect([cost, priced]).toEqual([parseUsd('3'), 'override']);
  });

  test('a model without the surcharge costs the same everywhere', () => {
    const target = targetOf('up', bedrock('Geo'));
    const id = 'claude-3-5-haiku-20241022';
    const book = new PriceBook(LIST, [target]);
    expect(
      book.charge({ ...NOTHING, inputTokens: 1_000_000 }, target.key, `us.anthropic.${id}-v1:0`, id, NOW).cost,
    ).toBe(parseUsd('0.80'));
  });

  test('the strategy Cheapest sees it too', () => {
    const served = settingsOf({}).models.resolve(model)!;
    const [near, far] = [targetOf('near', bedrock('Geo')), targetOf('far', bedrock('Global'))];
    const book = new PriceBook(LIST, [near, far]);
    expect(typicalPrice(book, near, served, NOW)).toBeCloseTo(typicalPrice(book, far, served, NOW) * 1.1, 0);
  });
});
