// The surfaces of Claude Code besides the terminal, as far as they can be run without an editor, a workflow runner or a desktop: the Agent SDK
// itself, and the others by what they start Claude Code with.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { AGENT_SDK_VERSION, installAgentSdk } from '../../harness/agent-sdk.ts';
import { CLAUDE_CODE_VERSION, installClaudeCode, runClaude } from '../../harness/claude-cli.ts';
import { isNamespaced } from '../../harness/isolation.ts';
import { CLAUDE_MODES, type ClaudeMode } from './claude-code-modes.ts';
import type { Json } from './client-formats.ts';
import { keyOf, startTappedClouds, upstreamOf, type TappedClouds } from './clouds.ts';
import { resultOf, runSurface, type InstalledSdk, type SurfaceAnswer, type SurfaceQuery } from './surface-run.ts';

/** Only the tool can have brought this to the provider. */
const SECRET_WORD = 'medlar-5917';
const FILES = { 'word.txt': SECRET_WORD };
/** Writes a file, so that it is not run unasked. */
const COMMAND = 'tee copy.txt < word.txt';
const DONE = { type: 'result', subtype: 'success', is_error: false, num_turns: 2, result: 'I have read the word.' };
const PROMPT = 'Which word is in word.txt?';
const PLAIN = CLAUDE_MODES.find(({ dialect }) => dialect === 'Anthropic')!;
const BEDROCK = CLAUDE_MODES.find(({ dialect }) => dialect === 'Bedrock')!;
const FAMILIES = ['Anthropic', 'Bedrock'] as const;

let clouds: TappedClouds;
let installed: InstalledSdk;

beforeAll(async () => {
  const [claude, sdk] = await Promise.all([installClaudeCode(), installAgentSdk()]);
  installed = { claude, sdk };
  clouds = await startTappedClouds();
});

afterAll(() => clouds?.close());

beforeEach(() => {
  clouds.clear();
  const input = { command: COMMAND, description: 'Reads the word' };
  clouds.behave(() => ({ kind: 'tool', name: 'Bash', input, finalText: 'I have read the word.' }));
});

function ask(mode: ClaudeMode, family: ProviderFamily, query: Partial<SurfaceQuery>): Promise<SurfaceAnswer> {
  return runSurface(installed, clouds.tap, {
    prompt: PROMPT,
    baseUrls: mode.baseUrls,
    files: FILES,
    ...query,
    environment: { ...mode.environment(keyOf(family)), ...query.environment },
    options: { model: mode.model, includePartialMessages: true, ...query.options },
  });
}

/** Two requests of a surface, the second with what the tool found, both served by the family. */
async function expectServed(mode: ClaudeMode, family: ProviderFamily, agent: string): Promise<void> {
  expect(clouds.turns()).toHaveLength(2);
  expectAccepted(mode, agent);
  const [first, second] = clouds.asked(family).map(({ body }) => body.toString());
  expect(first).not.toContain(SECRET_WORD);
  expect(second).toContain(SECRET_WORD);
  for (const record of await clouds.records(2)) {
    expect(record).toMatchObject({ dialect: mode.dialect, upstream: upstreamOf(family), outcome: 'complete' });
  }
}

/** Whatever a model was asked came under the name of the surface, and was answered. */
function expectAccepted(mode: ClaudeMode, agent: string): void {
  for (const { request, response } of clouds.turns()) {
    expect(request.startLine).toMatch(mode.path);
    expect(request.headers['user-agent']).toBe(`claude-cli/${CLAUDE_CODE_VERSION} (external, ${agent})`);
    expect(response!.startLine).toContain(' 200 ');
  }
}

function partialText({ messages }: SurfaceAnswer): string {
  const deltas = messages.map(({ event }) => (event as { delta?: Json } | undefined)?.delta);
  return deltas.map((delta) => (delta?.['type'] === 'text_delta' ? String(delta['text']) : '')).join('');
}

describe('Agent SDK', () => {
  describe.each([PLAIN, BEDROCK])('$dialect', (mode) => {
    test.each(FAMILIES)('[API-25] a query with a tool, message by message, is served by %s', async (family) => {
      const answer = await ask(mode, family, { options: { allowedTools: ['Bash'] } });
      expect(answer).toMatchObject({ error: null, entrypoint: 'sdk-ts' });
      expect(resultOf(answer)).toMatchObject(DONE);
      expect(partialText(answer)).toContain(DONE.result);
      await expectServed(mode, family, `sdk-ts, agent-sdk/${AGENT_SDK_VERSION}`);
    });

    test('[API-25] what the gateway refuses is an error of the query, in the words of the gateway', async () => {
      const answer = await ask(mode, 'Bedrock', { options: { model: 'gpt-9' } });
      expect(answer.error?.message).toMatch(/gpt-9/);
      expect(answer.error?.message).toContain('not known to this gateway');
      expect(resultOf(answer)).toMatchObject({ is_error: true });
      expect(clouds.asked('Bedrock')).toEqual([]);
    });
  });

  test.each([
    ['abort', 'Anthropic', { error: { message: expect.stringContaining('aborted by user') as string } }],
    ['interrupt', 'Bedrock', { result: { subtype: 'error_during_execution' } }],
  ] as const)('[API-25] %s of a query stops the answer at %s', async (stop, family, outcome) => {
    clouds.behave(() => ({ kind: 'events', count: 10_000, gapMs: 20, delta: 'word ' }));
    const answer = await ask(PLAIN, family, { stop });
    expect({ error: answer.error, result: resultOf(answer) }).toMatchObject(outcome);
    const asked = clouds.asked(family);
    expect(asked).toHaveLength(1);
    expect(await asked[0]!.ended).toBe('aborted');
  });
});

describe('GitHub Action', () => {
  const credential = (): Record<string, string> => ({ ANTHROPIC_API_KEY: keyOf('Bedrock'), GITHUB_ACTIONS: 'true' });

  function expectApiKey(): void {
    for (const { request } of clouds.turns()) expect(request.headers['x-api-key']).toBe(keyOf('Bedrock'));
  }

  test('[API-25] with an API key, and the prompt through a named pipe as its first versions have it', async () => {
    const script = 'mkfifo pipe && { cat prompt.txt > pipe & } && cat pipe | "$0" "$@"';
    const flags = ['-p', '--verbose', '--output-format', 'stream-json', '--allowedTools', 'Bash', '--max-turns', '3'];
    const { code, stdout } = await runClaude('/bin/sh', {
      args: ['-c', script, installed.claude, ...flags],
      environment: {
        ...credential(),
        ANTHROPIC_MODEL: PLAIN.model,
        CLAUDE_CODE_ENTRYPOINT: 'claude-code-github-action',
      },
      files: { ...FILES, 'prompt.txt': PROMPT },
      tap: clouds.tap,
    });
    expect(code).toBe(0);
    const lines = stdout.trim().split('\n');
    const messages = lines.map((line) => JSON.parse(line) as Json);
    expect(messages[0]).toMatchObject({ type: 'system', subtype: 'init' });
    expect(resultOf({ messages })).toMatchObject(DONE);
    await expectServed(PLAIN, 'Bedrock', 'claude-code-github-action');
    expectApiKey();
  });

  test('[API-25] with an API key, through the Agent SDK as its later versions have it', async () => {
    const answer = await runSurface(installed, clouds.tap, {
      prompt: PROMPT,
      baseUrls: PLAIN.baseUrls,
      files: FILES,
      environment: { ...credential(), CLAUDE_CODE_ENTRYPOINT: 'claude-code-github-action' },
      options: {
        allowedTools: ['Bash'],
        systemPrompt: { type: 'preset', preset: 'claude_code' },
        settingSources: ['user', 'project', 'local'],
        extraArgs: { model: PLAIN.model },
      },
    });
    expect(resultOf(answer)).toMatchObject(DONE);
    await expectServed(PLAIN, 'Bedrock', `claude-code-github-action, agent-sdk/${AGENT_SDK_VERSION}`);
    expectApiKey();
  });
});

test('[API-25] what VS Code starts: a session that asks the person at the editor for a tool', async () => {
  const answer = await ask(PLAIN, 'Bedrock', {
    permission: 'allow',
    environment: { CLAUDE_CODE_ENTRYPOINT: 'claude-vscode' },
    options: { settingSources: ['user', 'project', 'local'], permissionMode: 'default' },
  });
  expect(answer.args.join(' ')).toContain('--output-format stream-json --verbose --input-format stream-json');
  expect(answer.args).toContain('--permission-prompt-tool=stdio');
  expect(answer.asked).toMatchObject([{ tool: 'Bash', input: { command: COMMAND } }]);
  expect(resultOf(answer)).toMatchObject(DONE);
  await expectServed(PLAIN, 'Bedrock', `claude-vscode, agent-sdk/${AGENT_SDK_VERSION}`);
});

// A client that is told of a proxy does not ask whether the base URL answers.
test.skipIf(!isNamespaced)('[API-25] Claude Code under the name of Desktop: hello, models, a turn', async () => {
  const result = await runClaude(installed.claude, {
    args: ['-p', PROMPT, '--allowedTools', 'Bash', '--model', PLAIN.model],
    environment: {
      ...PLAIN.environment(keyOf('Bedrock')),
      CLAUDE_CODE_ENTRYPOINT: 'claude-desktop',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '',
      CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY: '1',
    },
    files: FILES,
    tap: clouds.tap,
  });
  expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining(DONE.result) as string });
  const answers = clouds.exchanges().map(({ request, response }) => [request.startLine, response?.startLine]);
  expect(answers).toContainEqual(['HEAD /api/hello HTTP/1.1', 'HTTP/1.1 200 OK']);
  expect(answers).toContainEqual([expect.stringMatching(/^GET \/v1\/models/), 'HTTP/1.1 200 OK']);
  // With all its traffic it asks for a title of the session besides.
  expectAccepted(PLAIN, 'claude-desktop');
  expect(clouds.asked('Bedrock').some(({ body }) => body.includes(SECRET_WORD))).toBe(true);
});
