// The way back from spelling.ts: what a provider calls a model of the catalog, where it serves it, and whether a place costs
// the regional surcharge.
import { z } from 'zod';
import regionRows from './regions.json' with { type: 'json' };
import type { ProviderFamily } from './families.ts';
import { matchesPattern } from './pattern.ts';
import { BEDROCK_GEOS, type BedrockGeo, type ModelCatalog } from './spelling.ts';

const regionTable = z.strictObject({
  /** By AWS region, `*` for any characters; the first that fits counts, and its first geo is the narrowest. */
  bedrockGeos: z.array(z.strictObject({ region: z.string(), geos: z.array(z.enum(BEDROCK_GEOS)).min(1).readonly() })),
  /** Regions from which the global profiles cannot be called. */
  noGlobal: z.array(z.string()),
  vertexMultiRegions: z.array(z.string()),
});

const regions = regionTable.parse(regionRows);

/**
 * The id a provider's API takes for a model.
 *
 * - Anthropic, Claude Platform on AWS: the catalog id
 * - Bedrock: the base id, behind the geo prefix if one is asked for; newer models are called through a profile only
 * - Bedrock Mantle: an id without prefix or profile; a `geo` is not looked at
 * - Vertex: the id of the resource path
 * - Foundry: the default name of a deployment, which an account may have changed
 *
 * @param id a catalog id, as `canonicalModel` returns it
 * @returns undefined when the provider does not have the model, or the model is not in the catalog
 * @example providerModelId('Bedrock', 'claude-opus-4-6', models, { geo: 'eu' }) // 'eu.anthropic.claude-opus-4-6-v1'
 */
export function providerModelId(
  family: ProviderFamily,
  id: string,
  { byId }: ModelCatalog,
  { geo }: { readonly geo?: BedrockGeo } = {},
): string | undefined {
  const model = byId.get(id);
  if (model === undefined) return undefined;
  switch (family) {
    case 'Bedrock':
      return model.bedrock === undefined || geo === undefined ? model.bedrock : `${geo}.${model.bedrock}`;
    case 'BedrockMantle':
      return model.mantle ?? model.bedrock;
    case 'Vertex':
      return model.vertex;
    case 'Foundry':
      return model.foundry;
    case 'Anthropic':
    case 'AnthropicCompatible':
    case 'ClaudePlatformAWS':
      return model.id;
  }
}

/**
 * The profiles that can be called from an AWS region, those that keep inference closest first.
 *
 * @returns `['global']` for a region that no row knows: a guess at a geo could move data to another one
 */
export function bedrockGeosOf(region: string): readonly BedrockGeo[] {
  const geos = regions.bedrockGeos.find((row) => matchesPattern(row.region, region))?.geos ?? [];
  return regions.noGlobal.some((pattern) => matchesPattern(pattern, region)) ? geos : [...geos, 'global'];
}

/**
 * Whether Vertex serves a model at a location: `global`, a multi-region (`us`, `eu`) or a region.
 *
 * @param id a catalog id
 */
export function vertexServes(id: string, location: string, { byId }: ModelCatalog): boolean {
  const model = byId.get(id);
  if (model?.vertex === undefined) return false;
  return model.vertexRegional !== false || location === 'global' || regions.vertexMultiRegions.includes(location);
}

/** Where a call goes, as far as its price depends on it. */
export type Place =
  /** `modelId` as the upstream is asked for it: its geo prefix, bare or in an ARN, decides. */
  | { readonly family: 'Bedrock'; readonly modelId: string }
  | { readonly family: 'Vertex'; readonly location: string }
  /** `zone` of the deployment: `us` for the US data zone. */
  | { readonly family: 'Foundry'; readonly zone?: string }
  | { readonly family: Exclude<ProviderFamily, 'Bedrock' | 'Vertex' | 'Foundry'> };

const GLOBAL_PROFILE = /(?:^|[/:])global\.anthropic\./;

/**
 * Whether `CostModifiers.regional` applies to a call: everything on Bedrock but global profiles, everything on Vertex but
 * `global`, the US data zone of Foundry. Which models charge for it, and how much, is in prices.json. The platforms run by
 * Anthropic say `inference_geo` in the answer instead.
 */
export function isRegional(place: Place): boolean {
  switch (place.family) {
    case 'Bedrock':
      return !GLOBAL_PROFILE.test(place.modelId);
    case 'BedrockMantle':
      return true;
    case 'Vertex':
      return place.location !== 'global';
    case 'Foundry':
      return place.zone === 'us';
    case 'Anthropic':
    case 'AnthropicCompatible':
    case 'ClaudePlatformAWS':
      return false;
  }
}
