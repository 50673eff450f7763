import { describe, expect, it } from 'vitest';
import { buildModelCatalog, builtinCatalog } from './catalog.ts';
import { parseModels } from './models.ts';

const { models, prices } = builtinCatalog;

describe('the built-in tables', () => {
  it('give every id once, and price each model and nothing else [SPEND-18]', () => {
    const ids = models.models.map((model) => model.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect([...prices.rows.keys()].toSorted()).toEqual(ids.toSorted());
  });

  it('let no two models share a spelling [AUTHZ-03]', () => {
    const all = models.models.flatMap((model) => models.spellings.get(model.id) ?? []);
    expect(new Set(all).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(300);
  });

  it('name the family in the id', () => {
    for (const model of models.models) expect(model.id).toContain(model.family);
  });

  const tiers = [...prices.rows].flatMap(([id, rows]) =>
    rows.flatMap((row) => row.price.tiers.map((tier) => ({ id, from: row.from, ...tier }))),
  );

  it.each(tiers)('keep the order of classes in $id from $from up to $upTo [SPEND-18]', (tier) => {
    expect(tier.cacheRead > 0n).toBe(true);
    expect(tier.cacheRead < tier.input).toBe(true);
    expect(tier.cacheWrite5m >= tier.input).toBe(true);
    expect(tier.cacheWrite1h >= tier.cacheWrite5m).toBe(true);
    expect(tier.output > tier.input).toBe(true);
  });

  // Each pair of writes is 1.25 × and 2 × input on every public price page so far, so a slip of the pen shows here.
  it.each(tiers)('write to the cache at 1.25 × and 2 × input in $id from $from up to $upTo', (tier) => {
    expect(tier.cacheWrite5m * 4n).toBe(tier.input * 5n);
    expect(tier.cacheWrite1h).toBe(tier.input * 2n);
  });
});

describe('buildModelCatalog', () => {
  const row = (id: string, more: object = {}) => ({ id, aliases: [], displayName: id, family: 'opus', ...more });

  it('refuses two models that share a spelling [AUTHZ-03]', () => {
    const rows = parseModels([row('claude-opus-7'), row('claude-opus-7-20270101', { aliases: ['claude-opus-7'] })]);
    expect(() => buildModelCatalog(rows)).toThrow(
      'models claude-opus-7 and claude-opus-7-20270101 share the spelling claude-opus-7',
    );
  });

  it.each([
    ['an upper-case id', row('Claude-Opus-7'), 'lower-case'],
    [
      'a Bedrock id with a geo prefix',
      row('claude-opus-7', { bedrock: 'us.anthropic.claude-opus-7' }),
      'Bedrock base id',
    ],
    ['an unknown field', row('claude-opus-7', { price: '5' }), 'price'],
    ['a fractional limit', row('claude-opus-7', { maxInputTokens: 0.5 }), 'maxInputTokens'],
  ])('refuses %s', (_what, bad, says) => {
    expect(() => parseModels([bad])).toThrow(says);
  });
});
