// Where an upstream computes, as far as the price depends on it.
import type { UpstreamEntry } from '#shared/bundle/bundle.ts';
import type { Place } from '#shared/catalog/provider-id.ts';

/** @param modelId as the upstream is asked for it */
export function placeOf({ provider, vertex, foundry }: UpstreamEntry, modelId: string): Place {
  switch (provider) {
    case 'Bedrock':
      return { family: provider, modelId };
    case 'Vertex':
      return { family: provider, location: vertex?.location ?? 'global' };
    case 'Foundry':
      return { family: provider, ...foundry };
    case 'Anthropic':
    case 'AnthropicCompatible':
    case 'BedrockMantle':
    case 'ClaudePlatformAWS':
      return { family: provider };
  }
}
