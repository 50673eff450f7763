// Another gateway that speaks the Messages API, run by somebody the platform team trusts.
import { anthropic } from './anthropic.ts';
import type { Provider } from './provider.ts';

export const anthropicCompatible: Provider = { ...anthropic, family: 'AnthropicCompatible' };
