// What one account calls a model of the catalog when nobody said otherwise: the id of its family, behind the profile its inference asks for.
import type { ProviderFamily } from './families.ts';
import { bedrockGeosOf, providerModelId, vertexServes } from './provider-id.ts';
import type { BedrockGeo, ModelCatalog } from './spelling.ts';

/** Where an account computes, as far as the names of its models depend on it. */
export interface AccountPlace {
  readonly bedrock?: { readonly region: string; readonly inference: 'Geo' | 'Global' | 'InRegion' };
  readonly vertex?: { readonly location: string };
}

/**
 * @param id a catalog id
 * @returns undefined when the account does not have the model there
 */
export function upstreamModelId(
  family: ProviderFamily,
  id: string,
  models: ModelCatalog,
  { bedrock, vertex }: AccountPlace,
): string | undefined {
  // Bedrock's runtime has the names of Bedrock, whichever of its APIs is called.
  if (family === 'BedrockMantle' && bedrock !== undefined) return upstreamModelId('Bedrock', id, models, { bedrock });
  if (family === 'Vertex' && (vertex === undefined || !vertexServes(id, vertex.location, models))) return undefined;
  if (family !== 'Bedrock' || bedrock === undefined || bedrock.inference === 'InRegion')
    return providerModelId(family, id, models);
  const geo = profileGeo(bedrock.region, bedrock.inference);
  return geo === undefined ? undefined : providerModelId(family, id, models, { geo });
}

/**
 * The profile through which an account in a region is called.
 * @returns undefined where there is none: a region without a geography serves the world or itself, and which is not for us to guess
 */
export function profileGeo(region: string, inference: 'Geo' | 'Global'): BedrockGeo | undefined {
  const geos = bedrockGeosOf(region);
  return inference === 'Global' ? geos.find((geo) => geo === 'global') : geos.find((geo) => geo !== 'global');
}
