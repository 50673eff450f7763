// The real Claude Code recovers from some refusals of a provider by their wording: it drops what was refused and asks again, or says what
// to do. The gateway passes the words on, and its own `x-should-retry: false` beside them must not be in the way.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { installClaudeCode, runClaude, type ClaudeResult } from '../harness/claude-cli.ts';
import { startJourney, type Journey } from '../harness/journey.ts';
import { basicResources, CI_KEY } from '../harness/resources.ts';

let claude: string;
let journey: Journey;

beforeAll(async () => {
  claude = await installClaudeCode();
  journey = await startJourney((url) => basicResources(url));
});

afterAll(() => journey?.close());
beforeEach(() => journey.clear());

/** One turn of which the provider refuses the first request with these words. */
async function refusedOnce(message: string): Promise<{ result: ClaudeResult; sent: number }> {
  let sent = 0;
  journey.mock.behave(() =>
    sent++ === 0 ? { kind: 'status', status: 400, message } : { kind: 'text', text: 'served' },
  );
  const environment = { ANTHROPIC_AUTH_TOKEN: CI_KEY };
  const args = ['-p', 'hi', '--model', 'claude-sonnet-5-5'];
  const result = await runClaude(claude, { environment, args, tap: journey.tap });
  const [first] = journey.exchanges().filter(({ response }) => response?.headers['x-should-retry'] === 'false');
  expect(first?.response?.body.toString()).toContain(message.slice(0, 20));
  return { result, sent };
}

test.each([
  'messages.1.content.0: Expected `thinking`, but found `text`',
  'adaptive thinking is not supported on this model',
  'input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input length or `max_tokens` and try again',
  'safeguards: Extra inputs are not permitted',
  'Unexpected value(s) `context-management-2025-06-27` for the `anthropic-beta` header',
])('[ERR-18] [XLAT-13] [ERR-17] it asks again and is served after: %s', async (message) => {
  const { result, sent } = await refusedOnce(message);
  expect(result.stdout).toContain('served');
  expect(result.code).toBe(0);
  expect(sent).toBe(2);
});

test('[ERR-18] a conversation that is too long is named as such, and not sent again', async () => {
  const { result, sent } = await refusedOnce('prompt is too long: 210104 tokens > 200000 maximum');
  expect(result.stdout).toContain('Prompt is too long');
  expect(sent).toBe(1);
});
