// Where an upstream computes, as far as the price depends on it.
import type { UpstreamEntry } from '#shared/bundle/bundle.ts';
import type { Place } from '#shared/catalog/provider-id.ts';

/** @param modelId as the upstream is asked for it */
export function placeOf({ provider, bedrock, vertex, foundry }: UpstreamEntry, modelId: string): Place {
  switch (provider) {
    case 'Bedrock':
      return { family: provider, modelId };
    case 'Vertex':
      return { family: provider, location: vertex?.location ?? 'global' };
    case 'Foundry':
      return { family: provider, ...foundry };
    case 'BedrockMantle':
      return bedrock === undefined ? { family: provider } : { family: 'Bedrock', modelId };
    case 'Anthropic':
    case 'AnthropicCompatible':
    case 'ClaudePlatformAWS':
      return { family: provider };
  }
}
