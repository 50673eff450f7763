// A platform team's tables over the built-in ones: what they change, what they leave, and what is refused with its place.
import { describe, expect, it } from 'vitest';
import { outcomesFor } from './betas.ts';
import { builtinTables, MAX_OVERLAY_CHARS, readOverlay, tablesWith } from './overlay.ts';
import { listPrice } from './prices.ts';
import { canonicalModel } from './spelling.ts';

const AT = new Date('2026-11-21T00:00:00Z');
const MODEL = {
  id: 'claude-opus-9',
  aliases: ['claude-opus-9-latest'],
  displayName: 'Claude Opus 9',
  family: 'opus',
  bedrock: 'anthropic.claude-opus-9-v1:0',
  vertex: 'claude-opus-9@20270101',
};
const RATES = { input: '7', output: '35', cacheRead: '0.7', cacheWrite5m: '8.75', cacheWrite1h: '14' };
const PRICE = { id: 'claude-opus-9', rates: [{ tiers: [RATES] }] };

const data = (tables: Record<string, unknown>): Map<string, string> =>
  new Map(Object.entries(tables).map(([key, json]) => [key, typeof json === 'string' ? json : JSON.stringify(json)]));

describe('an overlay', () => {
  it('adds a model in every spelling, its price and a beta, and leaves the rest as it is built in [XLAT-20]', () => {
    const { tables } = readOverlay(
      data({
        'models.json': [MODEL],
        'prices.json': { models: [PRICE] },
        'betas.json': { betas: [{ beta: 'dreams-2027-01-01', families: { Bedrock: 'keep' } }] },
      }),
    );
    for (const name of ['claude-opus-9-latest', 'eu.anthropic.claude-opus-9-v1:0', 'claude-opus-9@20270101']) {
      expect(canonicalModel(name, tables.models)?.id).toBe('claude-opus-9');
    }
    expect(listPrice('claude-opus-9', AT, tables.prices)?.tiers[0].input).toBe(7_000_000_000n);
    expect(outcomesFor('Bedrock', tables.betas)('dreams-2027-01-01')).toBe('keep');
    expect(tables.models.models.length).toBe(builtinTables.models.models.length + 1);
    expect(tables.betas.fields).toEqual(builtinTables.betas.fields);
    expect(listPrice('claude-opus-4-6', AT, tables.prices)).toEqual(
      listPrice('claude-opus-4-6', AT, builtinTables.prices),
    );
  });

  it('of one table leaves the others, and comes back the same from the JSON of a bundle', () => {
    const { overlay, tables } = readOverlay(data({ 'models.json': [MODEL] }));
    expect(tables.prices).toBe(builtinTables.prices);
    expect(tables.betas).toBe(builtinTables.betas);
    const again = tablesWith(JSON.parse(JSON.stringify(overlay)) as typeof overlay);
    expect(again.models.spellings.get('claude-opus-9')).toEqual(tables.models.spellings.get('claude-opus-9'));
  });

  it('that is not there is the built-in catalog itself', () => {
    expect(tablesWith(undefined)).toBe(builtinTables);
  });

  it.each([
    [
      'a key that is no table',
      { 'model.json': [MODEL] },
      'model.json: is no table; the keys are models.json, prices.json, betas.json',
    ],
    ['text that is no JSON', { 'prices.json': '{"models": sk-secret}' }, 'prices.json: is not JSON'],
    ['a model without name', { 'models.json': [{ ...MODEL, displayName: '' }] }, 'models.json.0.displayName: '],
    [
      'a spelling of a built-in model',
      { 'models.json': [{ ...MODEL, aliases: ['claude-opus-4-6'] }] },
      'models.json: models claude-opus-4-6 and claude-opus-9 share the spelling claude-opus-4-6',
    ],
    [
      'a free model',
      { 'prices.json': { models: [{ ...PRICE, rates: [{ tiers: [{ ...RATES, output: '0' }] }] }] } },
      'prices.json.models.0.rates.0.tiers.0.output: must be greater than 0',
    ],
    [
      'a rename to what the family does not take',
      { 'betas.json': { betas: [{ beta: 'a-2027', families: { Bedrock: { rename: 'b-2027' } } }] } },
      'betas.json: a-2027 is renamed to b-2027, which Bedrock does not take',
    ],
    ['more than travels', { 'models.json': ' '.repeat(MAX_OVERLAY_CHARS + 1) }, 'is the most that travels'],
  ])('with %s is refused, with its place and without values', (_what, tables, says) => {
    expect(() => readOverlay(data(tables))).toThrow(says);
    expect(() => readOverlay(data(tables))).not.toThrow('sk-secret');
  });
});
