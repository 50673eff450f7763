// The real Claude Code in each of its modes, in front of four provider families: a turn with a tool, and the recoveries it makes by what it
// is told.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { installClaudeCode, runClaude, type ClaudeOptions, type ClaudeResult } from '../../harness/claude-cli.ts';
import { CLAUDE_MODES, type ClaudeMode } from './claude-code-modes.ts';
import { COUNTED, keyOf, refusing, startTappedClouds, upstreamOf, type TappedClouds } from './clouds.ts';

/** Only the tool can have brought this to the provider. */
const SECRET_WORD = 'medlar-2846';
/** The others differ from these in nothing that a client could notice: the matrix has them all. */
const FAMILIES = ['Anthropic', 'Bedrock', 'Vertex', 'Foundry'] as const;
const MODES = CLAUDE_MODES.map((mode) => [mode.dialect, mode] as const);

const BEDROCK = CLAUDE_MODES.find(({ dialect }) => dialect === 'Bedrock')!;

const RETRIES = 2;
/** In these modes the client takes a 401 for a token of the cloud that ran out and asks again, whatever it is told. */
const STUBBORN: ReadonlySet<ClaudeMode['dialect']> = new Set(['Vertex', 'ClaudePlatformAWS']);

let claude: string;
let clouds: TappedClouds;

beforeAll(async () => {
  claude = await installClaudeCode();
  clouds = await startTappedClouds();
});

afterAll(() => clouds?.close());
beforeEach(() => clouds.clear());

function run(mode: ClaudeMode, key: string, options: Pick<ClaudeOptions, 'args' | 'files'>, more = {}) {
  const { baseUrls, model, environment } = mode;
  const args = [...options.args, '--model', model];
  return runClaude(claude, {
    ...options,
    args,
    baseUrls,
    environment: { ...environment(key), ...more },
    tap: clouds.tap,
  });
}

function turn(mode: ClaudeMode, family: ProviderFamily): Promise<ClaudeResult> {
  const args = ['-p', 'Which word is in word.txt?', '--output-format', 'json', '--allowedTools', 'Bash(cat:*)'];
  return run(mode, keyOf(family), { args, files: { 'word.txt': SECRET_WORD } });
}

function ask(mode: ClaudeMode, key: string, more = {}): Promise<ClaudeResult> {
  return run(mode, key, { args: ['-p', 'hi'] }, { CLAUDE_CODE_MAX_RETRIES: String(RETRIES), ...more });
}

describe.each(MODES)('%s', (_name, mode) => {
  test.each(FAMILIES)('[API-25] [PROV-23] a turn with a tool is served by %s', async (family) => {
    clouds.behave(() => ({
      kind: 'tool',
      name: 'Bash',
      input: { command: 'cat word.txt', description: 'Reads the word' },
      finalText: 'I have read the word.',
    }));
    const result = await turn(mode, family);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(result.stdout)).toMatchObject({ result: 'I have read the word.', is_error: false, num_turns: 2 });
    const turns = clouds.turns();
    expect(turns.map(({ request }) => request.startLine)).toEqual([
      expect.stringMatching(mode.path),
      expect.stringMatching(mode.path),
    ]);
    const [first, second] = clouds.asked(family).map(({ body }) => body.toString());
    expect(first).not.toContain(SECRET_WORD);
    expect(second).toContain(SECRET_WORD);
    const records = await clouds.records(2);
    for (const record of records) {
      expect(record).toMatchObject({
        dialect: mode.dialect,
        upstream: upstreamOf(family),
        model: 'claude-sonnet-4-6',
        outcome: 'complete',
        status: 200,
        stream: true,
      });
      expect(Number(record['cost_usd'])).toBeGreaterThan(0);
    }
  });

  describe.each(['Bedrock', 'Vertex'] as const)('in front of %s', (family) => {
    test('[ERR-18] [XLAT-19] a conversation that is too long is named as such, and not sent again', async () => {
      clouds.behave(() => refusing(family, 'too long'));
      const result = await ask(mode, keyOf(family));
      expect(result.stdout).toContain('Prompt is too long');
      expect(clouds.turns()).toHaveLength(1);
    });

    test('[XLAT-19] after a rate limit it waits and is served', async () => {
      let asked = 0;
      clouds.behave(() => ((asked += 1) === 1 ? refusing(family, 'limited') : { kind: 'text', text: 'served' }));
      const result = await ask(mode, keyOf(family));
      expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining('served') as string });
      expect(clouds.turns()).toHaveLength(2);
    });
  });

  test('[XLAT-06] after an answer that broke off in the middle it asks again and is served', async () => {
    let asked = 0;
    clouds.behave(() =>
      (asked += 1) === 1
        ? { kind: 'error-event', afterEvents: 3, errorType: 'overloaded_error', message: 'Overloaded' }
        : { kind: 'text', text: 'served' },
    );
    const result = await ask(mode, keyOf('Bedrock'));
    expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining('served') as string });
    expect(clouds.turns()).toHaveLength(2);
  });

  test('[ERR-15] a wrong key is refused in words that reach the person', async () => {
    const result = await ask(mode, 'sk-pc-nobody-0123456789abcdefghijklmnopqrstuvwxyzABCD');
    expect(result.code).not.toBe(0);
    expect(result.stdout).toMatch(/not valid here/);
    const turns = clouds.turns();
    for (const { response } of turns) expect(response!.headers['x-should-retry']).toBe('false');
    expect(turns).toHaveLength(STUBBORN.has(mode.dialect) ? 1 + RETRIES : 1);
  });
});

describe('/context, which counts everything there is', () => {
  const context = async (mode: ClaudeMode): Promise<string[]> => {
    clouds.behave(() => ({ kind: 'count', inputTokens: COUNTED }));
    const result = await run(mode, keyOf('Anthropic'), { args: ['-p', '/context'] });
    expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining('Context Usage') as string });
    expect(clouds.turns()).toEqual([]);
    const counts = clouds.exchanges().filter(({ request }) => /count[-_]tokens/.test(request.startLine));
    expect(counts.length).toBeGreaterThan(10);
    return counts.map(({ response }) => response!.startLine.split(' ')[1]!);
  };

  test.each(MODES.filter(([name]) => name !== 'Bedrock'))(
    "[API-03] in the %s format every count is the provider's, and none a billed message",
    async (_name, mode) => {
      expect(new Set(await context(mode))).toEqual(new Set(['200']));
      for (const { url } of clouds.asked('Anthropic')) expect(url).toContain('count_tokens');
    },
  );

  test('[XLAT-08] the counts of Bedrock mode come without the key: not found, so that the client estimates', async () => {
    expect(new Set(await context(BEDROCK))).toEqual(new Set(['404']));
    expect(clouds.asked('Anthropic')).toEqual([]);
  });
});

test('[XLAT-17] what Bedrock mode asks at its start is answered at once, although it comes without the key', async () => {
  clouds.behave(() => ({ kind: 'text', text: 'served' }));
  const result = await ask(BEDROCK, keyOf('Anthropic'));
  expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining('served') as string });
  const profiles = clouds.exchanges().filter(({ request }) => request.startLine.includes('/inference-profiles'));
  expect(profiles.length).toBeGreaterThan(0);
  for (const { request, response } of profiles) {
    expect(request.headers['authorization']).toBeUndefined();
    expect(response!.startLine).toContain(' 200 ');
  }
});
