// Why a credential was not accepted, told to whoever holds it. Each hint answers a mistake people make with Claude Code.
import type { IncomingHttpHeaders } from 'node:http';
import type { Presented } from './credential.ts';

export interface Hint {
  /** For audit and metrics. */
  readonly reason: string;
  readonly message: string;
}

const SET_KEY = 'set ANTHROPIC_AUTH_TOKEN (or ANTHROPIC_API_KEY) to your gateway key';

/** For a request without any credential in the places where one belongs. */
export function missingHint(headers: IncomingHttpHeaders): Hint {
  for (const header of ['api-key', 'x-goog-api-key', 'x-portkey-api-key', 'cookie']) {
    if (headers[header] === undefined) continue;
    return {
      reason: 'wrong_header',
      message: `credential is missing: the gateway reads Authorization: Bearer or x-api-key, not ${header}; ${SET_KEY}`,
    };
  }
  const blank = headers.authorization !== undefined || headers['x-api-key'] !== undefined;
  return blank
    ? {
        reason: 'empty_credential',
        message: `credential is empty: check the output of apiKeyHelper (one line, no spaces) or ${SET_KEY}`,
      }
    : { reason: 'missing_credential', message: `credential is missing: ${SET_KEY}` };
}

/** For a scheme of Authorization that is not Bearer or ApiKey; undefined when it is one of them. */
export function schemeHint({ scheme }: Presented): Hint | undefined {
  switch (scheme) {
    case undefined:
    case 'bearer':
    case 'apikey':
      return undefined;
    case 'aws4-hmac-sha256':
      return {
        reason: 'aws_signature',
        message: `this is an AWS signature, not a gateway key: set CLAUDE_CODE_SKIP_BEDROCK_AUTH=1 and ${SET_KEY}`,
      };
    case '':
      return {
        reason: 'missing_scheme',
        message: 'Authorization needs a scheme: send "Authorization: Bearer <key>" or x-api-key',
      };
    default:
      return {
        reason: 'unknown_scheme',
        message: 'Authorization must use the scheme Bearer: send "Authorization: Bearer <key>" or x-api-key',
      };
  }
}

const FOREIGN: readonly { readonly starts: string; readonly reason: string; readonly message: string }[] = [
  {
    starts: 'sk-ant-oat',
    reason: 'claude_login',
    message: `this is a claude.ai login, which the gateway does not forward: ${SET_KEY}, or run /logout in Claude Code`,
  },
  {
    starts: 'sk-ant-',
    reason: 'provider_key',
    message: `this is an Anthropic key of your own, which the gateway does not forward: ${SET_KEY} and unset the other variable`,
  },
  {
    starts: 'ya29.',
    reason: 'google_token',
    message: `this is a Google access token, not a gateway key: set CLAUDE_CODE_SKIP_VERTEX_AUTH=1 and ${SET_KEY}`,
  },
  {
    starts: 'eyJ',
    reason: 'unknown_token',
    message: `this is a token of no issuer this gateway knows: ${SET_KEY}`,
  },
];

/** For a value that no key matches. Says what the value looks like, never whether a similar one exists. */
export function unknownHint(value: string, keyPrefix: string): Hint {
  const foreign = FOREIGN.find(({ starts }) => value.startsWith(starts));
  if (foreign !== undefined) return foreign;
  return value.startsWith(keyPrefix)
    ? {
        reason: 'unknown_key',
        message: 'this gateway key is not valid here: it may belong to another gateway, be deleted or be mistyped',
      }
    : {
        reason: 'unknown_key',
        message: `this is not a key of this gateway (its keys start with ${keyPrefix}): ${SET_KEY}`,
      };
}
