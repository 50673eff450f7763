// The provider families there are, one row each.
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { anthropic } from './anthropic.ts';
import { anthropicCompatible } from './anthropic-compatible.ts';
import { bedrock } from './bedrock.ts';
import { bedrockMantle } from './bedrock-mantle.ts';
import { claudePlatformAws } from './claude-platform-aws.ts';
import { foundry } from './foundry.ts';
import type { Provider } from './provider.ts';
import { vertex } from './vertex.ts';

const ROWS: Readonly<Record<ProviderFamily, Provider>> = {
  Anthropic: anthropic,
  AnthropicCompatible: anthropicCompatible,
  Bedrock: bedrock,
  BedrockMantle: bedrockMantle,
  ClaudePlatformAWS: claudePlatformAws,
  Foundry: foundry,
  Vertex: vertex,
};

/** False for a family that only a later release speaks; its operator may have written the bundle. */
export function isKnownFamily(family: string): family is ProviderFamily {
  return Object.hasOwn(ROWS, family);
}

export function providerOf(family: ProviderFamily): Provider {
  return ROWS[family];
}
