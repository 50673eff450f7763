import { describe, expect, it } from 'vitest';
import { builtinCatalog, mergeModels } from './catalog.ts';
import { costOf } from './cost.ts';
import { PROVIDER_FAMILIES } from './families.ts';
import { listPrice } from './prices.ts';
import { bedrockGeosOf, isRegional, providerModelId, vertexServes, type Place } from './provider-id.ts';
import { BEDROCK_GEOS, canonicalModel } from './spelling.ts';

const { models, prices } = builtinCatalog;

const SAME = [
  'claude-fable-5-2',
  'claude-fable-5-1',
  'claude-fable-5',
  'claude-opus-5-5',
  'claude-opus-5',
  'claude-opus-4-8',
  'claude-opus-4-7',
  'claude-sonnet-5-5',
  'claude-sonnet-5',
  'claude-haiku-5-5',
];

describe('providerModelId', () => {
  // Catalog id, Bedrock base id, Bedrock Mantle, Vertex, Foundry.
  it.each<[string, string | undefined, string | undefined, string | undefined, string | undefined]>([
    ...SAME.map((id): [string, string, string, string, string] => [id, `anthropic.${id}`, `anthropic.${id}`, id, id]),
    [
      'claude-sonnet-4-6',
      'anthropic.claude-sonnet-4-6',
      'anthropic.claude-sonnet-4-6',
      'claude-sonnet-4-6',
      'claude-sonnet-4-6',
    ],
    [
      'claude-opus-4-6',
      'anthropic.claude-opus-4-6-v1',
      'anthropic.claude-opus-4-6-v1',
      'claude-opus-4-6',
      'claude-opus-4-6',
    ],
    [
      'claude-opus-4-5-20251101',
      'anthropic.claude-opus-4-5-20251101-v1:0',
      'anthropic.claude-opus-4-5-20251101-v1:0',
      'claude-opus-4-5@20251101',
      'claude-opus-4-5',
    ],
    [
      'claude-sonnet-4-5-20250929',
      'anthropic.claude-sonnet-4-5-20250929-v1:0',
      'anthropic.claude-sonnet-4-5-20250929-v1:0',
      'claude-sonnet-4-5@20250929',
      'claude-sonnet-4-5',
    ],
    [
      'claude-haiku-4-5-20251001',
      'anthropic.claude-haiku-4-5-20251001-v1:0',
      'anthropic.claude-haiku-4-5',
      'claude-haiku-4-5@20251001',
      'claude-haiku-4-5',
    ],
    [
      'claude-3-5-sonnet-20241022',
      'anthropic.claude-3-5-sonnet-20241022-v2:0',
      'anthropic.claude-3-5-sonnet-20241022-v2:0',
      'claude-3-5-sonnet-v2@20241022',
      undefined,
    ],
    ['claude-mythos-5', undefined, undefined, undefined, undefined],
    ['gpt-9', undefined, undefined, undefined, undefined],
    ['constructor', undefined, undefined, undefined, undefined],
  ])('names %s as each platform does [XLAT-20]', (id, bedrock, mantle, vertex, foundry) => {
    expect(providerModelId('Bedrock', id, models)).toBe(bedrock);
    expect(providerModelId('BedrockMantle', id, models, { geo: 'us' })).toBe(mantle);
    expect(providerModelId('Vertex', id, models)).toBe(vertex);
    expect(providerModelId('Foundry', id, models)).toBe(foundry);
    const own = models.byId.has(id) ? id : undefined;
    for (const family of ['Anthropic', 'AnthropicCompatible', 'ClaudePlatformAWS'] as const) {
      expect(providerModelId(family, id, models)).toBe(own);
    }
  });

  it.each(BEDROCK_GEOS)('puts the profile prefix %s before the Bedrock id [XLAT-20]', (geo) => {
    expect(providerModelId('Bedrock', 'claude-opus-4-6', models, { geo })).toBe(`${geo}.anthropic.claude-opus-4-6-v1`);
    expect(providerModelId('Bedrock', 'claude-mythos-5', models, { geo })).toBeUndefined();
  });

  it('gives only names that lead back to the model, for every model, family and geo [XLAT-20]', () => {
    let names = 0;
    for (const { id } of models.models) {
      for (const family of PROVIDER_FAMILIES) {
        for (const geo of [undefined, ...BEDROCK_GEOS]) {
          const name = providerModelId(family, id, models, geo === undefined ? {} : { geo });
          if (name === undefined) continue;
          names += 1;
          const wantsGeo = family === 'Bedrock' && geo !== undefined;
          expect(canonicalModel(name, models)).toEqual({ id, longContext: false, ...(wantsGeo ? { geo } : {}) });
        }
      }
    }
    expect(names).toBeGreaterThan(500);
  });
});

describe('where a model is served', () => {
  it.each([
    ['us-east-1', ['us', 'global']],
    ['ca-central-1', ['us', 'global']],
    ['us-gov-west-1', ['us-gov']],
    ['eu-north-1', ['eu', 'global']],
    ['ap-northeast-1', ['jp', 'apac', 'global']],
    ['ap-southeast-2', ['au', 'apac', 'global']],
    ['ap-south-1', ['apac', 'global']],
    ['sa-east-1', ['global']],
    ['', ['global']],
  ])('from %s, Bedrock has the profiles %j', (region, geos) => {
    expect(bedrockGeosOf(region)).toEqual(geos);
  });

  it.each([
    ['claude-sonnet-4-6', 'us-east5', true],
    ['claude-sonnet-4-6', 'global', true],
    ['claude-opus-4-7', 'us-east5', false],
    ['claude-opus-4-7', 'global', true],
    ['claude-opus-5-5', 'eu', true],
    ['claude-opus-5-5', 'europe-west1', false],
    ['claude-mythos-5', 'global', false],
    ['gpt-9', 'global', false],
  ])('Vertex serves %s at %s: %s', (id, location, serves) => {
    expect(vertexServes(id, location, models)).toBe(serves);
  });

  it('the 2026-10-21 version is for 4.7 and newer on Bedrock', () => {
    const having = models.models.filter((model) => model.bedrockVersions?.includes('2026-10-21')).map(({ id }) => id);
    expect(having.toSorted()).toEqual(SAME.toSorted());
  });
});

describe('isRegional', () => {
  const million = { inputTokens: 1_000_000, outputTokens: 0, cacheReadTokens: 0, cacheWrite5mTokens: 0 };
  const usage = { ...million, cacheWrite1hTokens: 0, webSearchRequests: 0 };

  // Dollars for a million input tokens of Opus 5.5 (4), Sonnet 4.5 (3) and Sonnet 4 (3): the surcharge began with 4.5.
  it.each<[string, Place, number, number, number]>([
    ['a geo profile', { family: 'Bedrock', modelId: 'eu.anthropic.claude-opus-5-5' }, 4.4, 3.3, 3],
    ['a bare id', { family: 'Bedrock', modelId: 'anthropic.claude-sonnet-4-5-20250929-v1:0' }, 4.4, 3.3, 3],
    ['the global profile', { family: 'Bedrock', modelId: 'global.anthropic.claude-opus-5-5' }, 4, 3, 3],
    [
      'an ARN of the global profile',
      {
        family: 'Bedrock',
        modelId: 'arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-opus-5-5',
      },
      4,
      3,
      3,
    ],
    ['Mantle, which is in-region', { family: 'BedrockMantle' }, 4.4, 3.3, 3],
    ['a Vertex region', { family: 'Vertex', location: 'us-east5' }, 4.4, 3.3, 3],
    ['a Vertex multi-region', { family: 'Vertex', location: 'eu' }, 4.4, 3.3, 3],
    ['Vertex global', { family: 'Vertex', location: 'global' }, 4, 3, 3],
    ['the US data zone of Foundry', { family: 'Foundry', zone: 'us' }, 4.4, 3.3, 3],
    ['another Foundry deployment', { family: 'Foundry' }, 4, 3, 3],
    ['Anthropic', { family: 'Anthropic' }, 4, 3, 3],
    ['Claude Platform on AWS', { family: 'ClaudePlatformAWS' }, 4, 3, 3],
  ])('adds a tenth for %s, from 4.5 on [SPEND-18]', (_where, place, ...dollars) => {
    const ids = ['claude-opus-5-5', 'claude-sonnet-4-5-20250929', 'claude-sonnet-4-20250514'];
    const costs = ids.map((id) =>
      costOf(usage, listPrice(id, new Date('2026-11-21T00:00:00Z'), prices)!, { regional: isRegional(place) }),
    );
    expect(costs).toEqual(dollars.map((amount) => BigInt(Math.round(amount * 10)) * 100_000_000n));
  });
});

describe('mergeModels', () => {
  const added = { id: 'claude-opus-7', aliases: [], displayName: 'Claude Opus 7', family: 'opus' };

  it('adds a model and replaces one, names and all', () => {
    const merged = mergeModels(models, [
      { ...added, bedrock: 'anthropic.claude-opus-7-v1:0' },
      { ...added, id: 'claude-opus-5', vertex: 'claude-opus-5@20260901' },
    ]);
    expect(canonicalModel('us.anthropic.claude-opus-7', merged)?.id).toBe('claude-opus-7');
    expect(providerModelId('Vertex', 'claude-opus-5', merged)).toBe('claude-opus-5@20260901');
    expect(providerModelId('Bedrock', 'claude-opus-5', merged)).toBeUndefined();
    expect(merged.models).toHaveLength(models.models.length + 1);
    expect(models.byId.has('claude-opus-7')).toBe(false);
  });

  it('refuses a model that takes the spelling of another', () => {
    expect(() => mergeModels(models, [{ ...added, aliases: ['claude-haiku-4-5'] }])).toThrow('share the spelling');
  });
});
