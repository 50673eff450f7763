// How users of each client format are told to set their key: Claude Code has a variable of its own for each.
import type { Dialect } from '#shared/bundle/bundle.ts';

const ANY = 'ANTHROPIC_AUTH_TOKEN to your gateway key';

const SET_KEY: Readonly<Record<Dialect, string>> = {
  Anthropic: 'set ANTHROPIC_AUTH_TOKEN (or ANTHROPIC_API_KEY) to your gateway key',
  Bedrock: `set CLAUDE_CODE_SKIP_BEDROCK_AUTH=1 and ${ANY}`,
  Vertex: `set CLAUDE_CODE_SKIP_VERTEX_AUTH=1 and ${ANY}`,
  Foundry: 'set ANTHROPIC_FOUNDRY_API_KEY to your gateway key',
  ClaudePlatformAWS: `set CLAUDE_CODE_SKIP_ANTHROPIC_AWS_AUTH=1 and ${ANY}`,
};

/** What makes a client leave its cloud's own credentials out. */
const LEAVE_CLOUD_OUT: Readonly<Record<Dialect, string>> = {
  ...SET_KEY,
  Foundry: `set CLAUDE_CODE_SKIP_FOUNDRY_AUTH=1 and ANTHROPIC_FOUNDRY_API_KEY to your gateway key`,
};

export function setKey(dialect: Dialect): string {
  return SET_KEY[dialect];
}

/**
 * @param dialect of the path
 * @param cloud whose credential came, where the path is of no cloud
 */
export function leaveCloudOut(dialect: Dialect, cloud: Dialect): string {
  return LEAVE_CLOUD_OUT[dialect === 'Anthropic' ? cloud : dialect];
}
