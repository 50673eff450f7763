// What somebody in front of the real Claude Code gets to see when the gateway refuses: the sentence that helps, at once, not after minutes
// of retries.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { installClaudeCode, runClaude, type ClaudeOptions, type ClaudeResult } from '../harness/claude-cli.ts';
import { basicResources, CI_KEY, importedKey, policy, withObjects, type Resources } from '../harness/resources.ts';
import { startJourney, type Journey } from '../harness/journey.ts';

const REVOKED_KEY = 'sk-pc-left-0123456789abcdefghijklmnopqrstuvwxyzABCD';
const ADVICE = 'Ask #ai-platform for Opus.';

let claude: string;
let journey: Journey;

beforeAll(async () => {
  claude = await installClaudeCode();
  journey = await startJourney((url) => resources(url, 'Active'));
});

afterAll(() => journey?.close());
beforeEach(() => journey.clear());

function resources(url: string, state: string): Resources {
  return withObjects(
    basicResources(url),
    [
      importedKey('left', { state }),
      policy('everyone', {
        match: { everyone: {} },
        models: { allow: ['claude-haiku-*'] },
        denyMessage: ADVICE,
      }),
    ],
    { 'default/keys': { left: REVOKED_KEY } },
  );
}

function ask(credential: Pick<ClaudeOptions, 'environment' | 'settings'>, model: string): Promise<ClaudeResult> {
  return runClaude(claude, { ...credential, args: ['-p', 'hi', '--model', model], tap: journey.tap });
}

/** The gateway's own words in an answer. */
async function wording(): Promise<string[]> {
  return (await journey.calls()).map(({ atClient }) => {
    const { error } = JSON.parse(atClient.response!.body.toString()) as { error: { message: string } };
    return error.message;
  });
}

test('[ERR-02] a key revoked by an edit ends the next turn at once, and its holder reads why', async () => {
  const environment = { ANTHROPIC_AUTH_TOKEN: REVOKED_KEY };
  expect(await ask({ environment }, 'claude-haiku-5-5')).toMatchObject({ code: 0 });
  await journey.gateway.edit(resources(journey.providerUrl, 'Revoked'));
  const before = journey.mock.received();
  journey.clear();

  const result = await ask({ environment }, 'claude-haiku-5-5');
  expect(result.code).not.toBe(0);
  const [message = '', ...more] = await wording();
  expect(message).toContain('revoked');
  expect(more).toEqual([]);
  expect(result.stdout + result.stderr).toContain(message);
  expect(result.durationMs).toBeLessThan(15_000);
  const [call] = await journey.calls();
  expect(call!.atClient.response!.headers['x-should-retry']).toBe('false');
  expect(call!.audit).toMatchObject({ event: 'access.denied', status: 401, reason: 'revoked_key' });
  expect(journey.mock.received()).toBe(before);
});

// A client with a helper takes 401 and 403 for an old key: it runs the helper twice more and then repeats as often as its own limit allows,
// whatever x-should-retry says. The gateway can only say why.
test('[ERR-02] an apiKeyHelper that prints a key nobody knows: its user reads why', async () => {
  const settings = { apiKeyHelper: `printf %s ${CI_KEY}x` };
  const result = await ask({ environment: { CLAUDE_CODE_MAX_RETRIES: '0' }, settings }, 'claude-haiku-5-5');
  expect(result.code).not.toBe(0);
  const messages = await wording();
  expect(messages).toHaveLength(3);
  expect(messages[0]).toContain('not valid here');
  expect(result.stdout + result.stderr).toContain(messages[0]);
});

test('[ERR-01] the refusal of a model reaches the user with the advice of the platform team', async () => {
  const before = journey.mock.received();
  const result = await ask({ environment: { ANTHROPIC_AUTH_TOKEN: CI_KEY } }, 'claude-opus-5-5');
  expect(result.code).not.toBe(0);
  expect(result.stdout).toContain(ADVICE);
  expect(result.stdout).toContain('claude-opus-5-5');
  for (const { audit } of await journey.calls()) expect(audit).toMatchObject({ status: 400, reason: 'denied_model' });
  expect(journey.mock.received()).toBe(before);
});
