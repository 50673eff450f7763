// The Messages API itself.
import { envelope } from '../errors.ts';
import type { ClientDialect } from './dialect.ts';

export const anthropicDialect: ClientDialect = {
  name: 'Anthropic',
  error: ({ type, message }, requestId) => ({ headers: [], body: envelope(type, message, requestId) }),
};
