// How somebody hands Claude Code the gateway's key in the modes of clouds, by every variable there is for it; and what it shows when they
// gave it the cloud's own credential instead.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Dialect } from '#shared/bundle/bundle.ts';
import { installClaudeCode, runClaude, type ClaudeResult } from '../../harness/claude-cli.ts';
import { keyOf, startTappedClouds, TEXT, upstreamOf, type TappedClouds } from './clouds.ts';

type Variables = Readonly<Record<string, string>>;

interface Setup {
  readonly dialect: Dialect;
  readonly baseUrls: Variables;
  readonly environment: Variables;
  readonly model: string;
}

const BEDROCK = {
  dialect: 'Bedrock',
  baseUrls: { ANTHROPIC_BEDROCK_BASE_URL: '/bedrock' },
  environment: { CLAUDE_CODE_USE_BEDROCK: '1', AWS_REGION: 'us-east-1' },
  model: 'us.anthropic.claude-sonnet-4-6',
} as const;
const VERTEX = {
  dialect: 'Vertex',
  baseUrls: { ANTHROPIC_VERTEX_BASE_URL: '/vertex/v1' },
  environment: {
    CLAUDE_CODE_USE_VERTEX: '1',
    CLAUDE_CODE_SKIP_VERTEX_AUTH: '1',
    ANTHROPIC_VERTEX_PROJECT_ID: 'any-project',
    CLOUD_ML_REGION: 'global',
  },
  model: 'claude-sonnet-4-6',
} as const;
const FOUNDRY = {
  dialect: 'Foundry',
  baseUrls: { ANTHROPIC_FOUNDRY_BASE_URL: '/foundry' },
  environment: { CLAUDE_CODE_USE_FOUNDRY: '1' },
  model: 'claude-sonnet-4-6',
} as const;
const PLATFORM = {
  dialect: 'ClaudePlatformAWS',
  baseUrls: { ANTHROPIC_AWS_BASE_URL: '/anthropic-aws' },
  environment: {
    CLAUDE_CODE_USE_ANTHROPIC_AWS: '1',
    ANTHROPIC_AWS_WORKSPACE_ID: 'wrkspc_client',
    AWS_REGION: 'us-east-1',
  },
  model: 'claude-sonnet-4-6',
} as const;
/** Bedrock's endpoint of the Messages API: the Anthropic format behind Bedrock's prefix. */
const MANTLE = {
  dialect: 'Anthropic',
  baseUrls: { ANTHROPIC_BEDROCK_MANTLE_BASE_URL: '/bedrock' },
  environment: { CLAUDE_CODE_USE_MANTLE: '1', AWS_REGION: 'us-east-1' },
  model: 'anthropic.claude-sonnet-4-6',
} as const;

let claude: string;
let clouds: TappedClouds;

beforeAll(async () => {
  claude = await installClaudeCode();
  clouds = await startTappedClouds();
});

afterAll(() => clouds?.close());
beforeEach(() => clouds.clear());

function ask({ baseUrls, environment, model }: Setup, credential: Variables): Promise<ClaudeResult> {
  return runClaude(claude, {
    args: ['-p', 'hi', '--model', model],
    baseUrls,
    environment: { ...environment, ...credential, CLAUDE_CODE_MAX_RETRIES: '1' },
    tap: clouds.tap,
  });
}

const key = keyOf('Bedrock');
const header = `x-api-key: ${key}`;

test.each<[string, string, Setup, Variables, string]>([
  ['AUTH-28', 'Bedrock mode with a Bedrock key', BEDROCK, { AWS_BEARER_TOKEN_BEDROCK: key }, 'authorization'],
  [
    'AUTH-28',
    'Bedrock mode with a custom header',
    BEDROCK,
    { CLAUDE_CODE_SKIP_BEDROCK_AUTH: 'true', ANTHROPIC_CUSTOM_HEADERS: header },
    'x-api-key',
  ],
  [
    'AUTH-28',
    'Mantle mode with a token',
    MANTLE,
    { CLAUDE_CODE_SKIP_MANTLE_AUTH: '1', ANTHROPIC_AUTH_TOKEN: key },
    'authorization',
  ],
  ['AUTH-29', 'Vertex mode with a custom header', VERTEX, { ANTHROPIC_CUSTOM_HEADERS: header }, 'x-api-key'],
  ['AUTH-30', 'Foundry mode with a token', FOUNDRY, { ANTHROPIC_FOUNDRY_AUTH_TOKEN: key }, 'authorization'],
  // The client sends a Bearer of its own making beside it.
  [
    'AUTH-30',
    'Foundry mode with a custom header',
    FOUNDRY,
    { CLAUDE_CODE_SKIP_FOUNDRY_AUTH: '1', ANTHROPIC_CUSTOM_HEADERS: header },
    'x-api-key',
  ],
  ['AUTH-30', 'AWS platform mode with an API key', PLATFORM, { ANTHROPIC_AWS_API_KEY: key }, 'x-api-key'],
])('[%s] %s', async (_row, _way, setup, credential, source) => {
  const result = await ask(setup, credential);
  expect(result).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining(TEXT) as string });
  for (const record of await clouds.records(1)) {
    const { dialect } = setup;
    expect(record).toMatchObject({ dialect, upstream: upstreamOf('Bedrock'), credential_source: source });
  }
});

describe("the cloud's own credential", () => {
  const keys = { AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/bPxRfiCYEXAMPLEKEY' };
  const google = 'ya29.a0AfB_byCexample-google-token';
  const entra = [
    { alg: 'RS256', typ: 'JWT' },
    { aud: 'https://ai.azure.com', iss: 'https://sts.windows.net/t/' },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .concat('c2lnbmF0dXJl')
    .join('.');

  test.each<[string, string, Setup, Variables, string]>([
    ['AUTH-28', 'Bedrock', BEDROCK, keys, 'CLAUDE_CODE_SKIP_BEDROCK_AUTH'],
    ['AUTH-29', 'Vertex', VERTEX, { ANTHROPIC_AUTH_TOKEN: google }, 'CLAUDE_CODE_SKIP_VERTEX_AUTH'],
    ['AUTH-30', 'Foundry', FOUNDRY, { ANTHROPIC_FOUNDRY_AUTH_TOKEN: entra }, 'CLAUDE_CODE_SKIP_FOUNDRY_AUTH'],
    ['AUTH-30', 'AWS platform', PLATFORM, keys, 'CLAUDE_CODE_SKIP_ANTHROPIC_AWS_AUTH'],
  ])(
    '[%s] [ERR-15] in %s mode ends with a sentence that names the flag',
    async (_row, _mode, setup, credential, flag) => {
      const result = await ask(setup, credential);
      expect(result.code).not.toBe(0);
      expect(result.stdout + result.stderr).toContain(flag);
      expect(clouds.turns().length).toBeGreaterThan(0);
      for (const { response } of clouds.turns()) expect(response!.startLine).toContain(' 401 ');
      expect(clouds.asked('Anthropic')).toEqual([]);
    },
  );
});
