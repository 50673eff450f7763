// Why a credential was not accepted, told to whoever holds it. Each hint answers a mistake people make with Claude Code.
import type { IncomingHttpHeaders } from 'node:http';
import type { Dialect } from '#shared/bundle/bundle.ts';
import { leaveCloudOut, setKey } from './client-setup.ts';
import type { Presented } from './credential.ts';

export interface Hint {
  /** For audit and metrics. */
  readonly reason: string;
  readonly message: string;
}

/** For a request without any credential in the places where one belongs. */
export function missingHint(headers: IncomingHttpHeaders, dialect: Dialect): Hint {
  for (const header of ['api-key', 'x-goog-api-key', 'x-portkey-api-key', 'cookie']) {
    if (headers[header] === undefined || (header === 'api-key' && dialect === 'Foundry')) continue;
    return {
      reason: 'wrong_header',
      message: `credential is missing: the gateway reads Authorization: Bearer or x-api-key, not ${header}; ${setKey(dialect)}`,
    };
  }
  const blank = headers.authorization !== undefined || headers['x-api-key'] !== undefined;
  return blank
    ? {
        reason: 'empty_credential',
        message: `credential is empty: check the output of apiKeyHelper (one line, no spaces) or ${setKey(dialect)}`,
      }
    : { reason: 'missing_credential', message: `credential is missing: ${setKey(dialect)}` };
}

/** For a scheme of Authorization that is not Bearer or ApiKey; undefined when it is one of them. */
export function schemeHint({ scheme }: Presented, dialect: Dialect): Hint | undefined {
  switch (scheme) {
    case undefined:
    case 'bearer':
    case 'apikey':
      return undefined;
    case 'aws4-hmac-sha256':
    case 'aws4-ecdsa-p256-sha256':
      return {
        reason: 'aws_signature',
        message: `this is an AWS signature, not a gateway key: ${leaveCloudOut(dialect, 'Bedrock')}`,
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

interface Foreign {
  readonly starts: string;
  readonly reason: string;
  /** What it is, and what to do about it. */
  readonly message: (dialect: Dialect) => string;
}

const FOREIGN: readonly Foreign[] = [
  {
    starts: 'sk-ant-oat',
    reason: 'claude_login',
    message: (dialect) =>
      `this is a claude.ai login, which the gateway does not forward: ${setKey(dialect)}, or run /logout in Claude Code`,
  },
  {
    starts: 'sk-ant-',
    reason: 'provider_key',
    message: (dialect) =>
      `this is an Anthropic key of your own, which the gateway does not forward: ${setKey(dialect)} and unset the other variable`,
  },
  {
    starts: 'ya29.',
    reason: 'google_token',
    message: (dialect) => `this is a Google access token, not a gateway key: ${leaveCloudOut(dialect, 'Vertex')}`,
  },
  {
    // What the SDKs of AWS make of it: `bedrock-api-key-` and a presigned URL, or a long-term key.
    starts: 'bedrock-api-key-',
    reason: 'aws_api_key',
    message: (dialect) =>
      `this is an AWS API key, not a gateway key: ${leaveCloudOut(dialect, 'Bedrock')} and unset AWS_BEARER_TOKEN_BEDROCK`,
  },
  { starts: 'eyJ', reason: 'unknown_token', message: tokenMessage },
];

/** Clouds whose clients send a JSON Web Token of their own make it plain whose it is. */
function tokenMessage(dialect: Dialect): string {
  if (dialect !== 'Foundry' && dialect !== 'Vertex') {
    return `this is a token of no issuer this gateway knows: ${setKey(dialect)}`;
  }
  const issuer = dialect === 'Foundry' ? 'Microsoft Entra ID' : 'Google';
  return `this is a token of ${issuer}, not a gateway key: ${leaveCloudOut(dialect, dialect)}`;
}

/** For a value that no key matches. Says what the value looks like, never whether a similar one exists. */
export function unknownHint(value: string, keyPrefix: string, dialect: Dialect): Hint {
  const foreign = FOREIGN.find(({ starts }) => value.startsWith(starts));
  if (foreign !== undefined) return { reason: foreign.reason, message: foreign.message(dialect) };
  return value.startsWith(keyPrefix)
    ? {
        reason: 'unknown_key',
        message: 'this gateway key is not valid here: it may belong to another gateway, be deleted or be mistyped',
      }
    : {
        reason: 'unknown_key',
        message: `this is not a key of this gateway (its keys start with ${keyPrefix}): ${setKey(dialect)}`,
      };
}
