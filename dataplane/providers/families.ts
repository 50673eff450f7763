// The provider families there are, one row each.
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { anthropic } from './anthropic.ts';
import { anthropicCompatible } from './anthropic-compatible.ts';
import type { Provider } from './provider.ts';

const ROWS: Readonly<Partial<Record<ProviderFamily, Provider>>> = {
  Anthropic: anthropic,
  AnthropicCompatible: anthropicCompatible,
};

/** @throws {Error} for a family this release does not speak */
export function providerOf(family: ProviderFamily): Provider {
  const provider = ROWS[family];
  if (provider === undefined)
    throw new Error(`provider ${family} is not known to this release: upgrade the data plane`);
  return provider;
}
