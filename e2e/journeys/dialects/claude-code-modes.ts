// The ways to point Claude Code at a gateway: one for each format that it speaks, with the variables somebody sets for it.
import type { Dialect } from '#shared/bundle/bundle.ts';
import type { ClaudeOptions } from '../../harness/claude-cli.ts';

export interface ClaudeMode {
  readonly dialect: Dialect;
  /** Of the turn, without base URL and credential. */
  readonly environment: (key: string) => Readonly<Record<string, string>>;
  readonly baseUrls: NonNullable<ClaudeOptions['baseUrls']>;
  /** The model as this mode writes it. */
  readonly model: string;
  /** Of the request that streams a turn. */
  readonly path: RegExp;
}

export const CLAUDE_MODES: readonly ClaudeMode[] = [
  {
    dialect: 'Anthropic',
    environment: (key) => ({ ANTHROPIC_AUTH_TOKEN: key }),
    baseUrls: { ANTHROPIC_BASE_URL: '' },
    model: 'claude-sonnet-4-6',
    path: /^POST \/v1\/messages\?beta=true /,
  },
  {
    dialect: 'Bedrock',
    environment: (key) => ({
      CLAUDE_CODE_USE_BEDROCK: '1',
      CLAUDE_CODE_SKIP_BEDROCK_AUTH: '1',
      ANTHROPIC_AUTH_TOKEN: key,
      AWS_REGION: 'us-east-1',
    }),
    baseUrls: { ANTHROPIC_BEDROCK_BASE_URL: '/bedrock' },
    model: 'us.anthropic.claude-sonnet-4-6',
    path: /^POST \/bedrock\/model\/us\.anthropic\.claude-sonnet-4-6\/invoke-with-response-stream /,
  },
  {
    dialect: 'Vertex',
    environment: (key) => ({
      CLAUDE_CODE_USE_VERTEX: '1',
      CLAUDE_CODE_SKIP_VERTEX_AUTH: '1',
      ANTHROPIC_AUTH_TOKEN: key,
      ANTHROPIC_VERTEX_PROJECT_ID: 'any-project',
      CLOUD_ML_REGION: 'us-east5',
    }),
    baseUrls: { ANTHROPIC_VERTEX_BASE_URL: '/vertex/v1' },
    model: 'claude-sonnet-4-6',
    path: /^POST \/vertex\/v1\/projects\/any-project\/locations\/us-east5\/\S+\/claude-sonnet-4-6:streamRawPredict /,
  },
  {
    dialect: 'Foundry',
    environment: (key) => ({ CLAUDE_CODE_USE_FOUNDRY: '1', ANTHROPIC_FOUNDRY_API_KEY: key }),
    baseUrls: { ANTHROPIC_FOUNDRY_BASE_URL: '/foundry' },
    model: 'claude-sonnet-4-6',
    path: /^POST \/foundry\/v1\/messages\?beta=true /,
  },
  {
    dialect: 'ClaudePlatformAWS',
    environment: (key) => ({
      CLAUDE_CODE_USE_ANTHROPIC_AWS: '1',
      CLAUDE_CODE_SKIP_ANTHROPIC_AWS_AUTH: '1',
      ANTHROPIC_AUTH_TOKEN: key,
      ANTHROPIC_AWS_WORKSPACE_ID: 'wrkspc_client',
      AWS_REGION: 'us-east-1',
    }),
    baseUrls: { ANTHROPIC_AWS_BASE_URL: '/anthropic-aws' },
    model: 'claude-sonnet-4-6',
    path: /^POST \/anthropic-aws\/v1\/messages\?beta=true /,
  },
];
