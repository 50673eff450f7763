// The Anthropic API: the body as received, `anthropic-*` and `x-stainless-*` as an open set.
import type { Operation, Provider } from './provider.ts';

/** Belong to the client's account or carry a credential, so they stay here although their names begin with `anthropic-`. */
export const CLIENT_ACCOUNT: ReadonlySet<string> = new Set([
  'anthropic-workspace-id',
  'anthropic-api-key',
  'anthropic-organization-id',
]);

const PATHS: Readonly<Record<Operation, string>> = { messages: '/v1/messages', count: '/v1/messages/count_tokens' };

/** Where the Messages API has an operation; every upstream that speaks it has the same. */
export function messagesPath(operation: Operation): string {
  return PATHS[operation];
}

export const anthropic: Provider = {
  family: 'Anthropic',
  modelId: (id, _entry, models) => models.byId.get(id)?.id,
  acceptsAliases: true,
  listPath: '/v1/models',
  path: ({ operation }) => PATHS[operation],
  headers: 'Open',
  withheld: CLIENT_ACCOUNT,
};
