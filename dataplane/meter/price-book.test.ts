// Prices over time: a list price that changes on a date changes within the process, and is not remembered beyond its hour.
import { expect, test } from 'vitest';
import { parseUsd } from '#shared/money.ts';
import { PriceBook } from './price-book.ts';

const MILLION_READ = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 1_000_000,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  webSearchRequests: 0,
};

test('[SPEND-16] a list price holds from midnight UTC of its date', () => {
  const book = new PriceBook({ multiplier: '1', overrides: [] }, []);
  const model = 'claude-sonnet-5-5';
  const change = Date.UTC(2026, 9, 8);
  const costAt = (at: number) => book.charge(MILLION_READ, 'ns/up', model, model, at).cost;
  expect(costAt(change - 1)).toBe(parseUsd('0.20'));
  expect(costAt(change)).toBe(parseUsd('0.10'));
  // Clocks step back; the price follows.
  expect(costAt(change - 1)).toBe(parseUsd('0.20'));
});
