// Where an upstream is when its manifest does not say: the public endpoint of its family.
import type { UpstreamSpec } from '#shared/api/upstream.ts';

/** @returns without trailing slash */
export function baseUrlOf(spec: UpstreamSpec): string {
  return (spec.baseUrl ?? publicEndpoint(spec)).replace(/\/+$/, '');
}

/** `''` where a family has none; the schema then asks for `baseUrl`. */
function publicEndpoint(spec: UpstreamSpec): string {
  switch (spec.provider) {
    case 'Anthropic':
      return 'https://api.anthropic.com';
    case 'AnthropicCompatible':
      return '';
    case 'Bedrock':
      return `https://bedrock-runtime.${spec.bedrock?.region}.${awsDomain(spec.bedrock?.region)}`;
    case 'BedrockMantle':
      return `https://bedrock-mantle.${spec.bedrockMantle?.region}.api.aws`;
    case 'ClaudePlatformAWS':
      return `https://aws-external-anthropic.${spec.claudePlatformAWS?.region}.api.aws`;
    case 'Vertex':
      return `https://${vertexHost(spec.vertex?.location ?? '')}`;
    case 'Foundry':
      return `https://${spec.foundry?.resource}.services.ai.azure.com/anthropic`;
  }
}

const awsDomain = (region = ''): string => (region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com');

function vertexHost(location: string): string {
  if (location === 'global') return 'aiplatform.googleapis.com';
  // A multi-region is a word alone, a region has its parts.
  return location.includes('-') ? `${location}-aiplatform.googleapis.com` : `aiplatform.${location}.rep.googleapis.com`;
}
