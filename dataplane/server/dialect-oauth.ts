// Sign-in: errors of OAuth 2.0 (RFC 6749, section 5.2), whose description Claude Code shows to the person who signs in.
import type { ClientDialect } from './dialect.ts';

const CODES: Readonly<Record<number, string>> = {
  401: 'invalid_client',
  403: 'access_denied',
  429: 'slow_down',
  500: 'server_error',
};

export const oauthDialect: ClientDialect = {
  name: 'Anthropic',
  envelopes: false,
  error: ({ status, message }) => ({
    headers: ['cache-control', 'no-store'],
    body: JSON.stringify({
      error: CODES[status] ?? (status > 500 ? 'temporarily_unavailable' : 'invalid_request'),
      error_description: message,
    }),
  }),
};
