// The Messages API itself, and the platforms that keep its errors.
import { envelope } from '../errors.ts';
import type { ClientDialect, ErrorShape, ErrorWords } from './dialect.ts';

export const anthropicDialect: ClientDialect = { name: 'Anthropic', error: asEnvelope, envelopes: true };

/** Behind a path of its own, and that is all the difference. */
export const claudePlatformAwsDialect: ClientDialect = {
  name: 'ClaudePlatformAWS',
  error: asEnvelope,
  envelopes: true,
};

/** Azure checks credentials before Anthropic's part of it is asked, and says so in its own words; clients look for them. */
export const foundryDialect: ClientDialect = {
  name: 'Foundry',
  error: (words, requestId) =>
    words.status === 401
      ? { headers: [], body: JSON.stringify({ error: { code: '401', message: words.message } }) }
      : asEnvelope(words, requestId),
  envelopes: true,
};

function asEnvelope({ type, message }: ErrorWords, requestId: string): ErrorShape {
  return { headers: [], body: envelope(type, message, requestId) };
}
