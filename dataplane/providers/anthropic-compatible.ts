// Another gateway that speaks the Messages API, run by somebody the platform team trusts; where it says so, with the caller's name.
import { anthropic } from './anthropic.ts';
import type { Caller, Provider } from './provider.ts';
import { cloudStream } from './stream-errors.ts';

const MAX_VALUE = 256;

export const anthropicCompatible: Provider = {
  ...anthropic,
  family: 'AnthropicCompatible',
  // What stands behind such a gateway may be any cloud.
  answer: cloudStream,
  ownHeaders: ({ caller }, { forwardsIdentity }) => (forwardsIdentity === true ? identityHeaders(caller) : []),
};

/** Under the names that gateways of this kind read: LiteLLM's, and those of Anthropic's own gateway. */
function identityHeaders({ id, owner, email }: Caller): readonly string[] {
  const headers = ['x-litellm-end-user-id', headerSafe(email ?? owner), 'x-claude-gateway-user-id', headerSafe(id)];
  if (email !== undefined) headers.push('x-claude-gateway-user-email', headerSafe(email));
  return headers;
}

/** Percent-encodes whatever is not printable ASCII, and the sign that does so. */
function headerSafe(text: string): string {
  return text
    .slice(0, MAX_VALUE)
    .toWellFormed()
    .replace(/[^!-$&-~ ]|^ | $/gu, encodeURIComponent);
}
