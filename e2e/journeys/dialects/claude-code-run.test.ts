// The built program under `portcullis run`, with every format switched on in its manifest: Claude Code has a turn in each of its modes, and
// what arrives at the provider is the Messages API.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { installClaudeCode, runClaude } from '../../harness/claude-cli.ts';
import { startJourney, type Journey } from '../../harness/journey.ts';
import { basicResources, CI_KEY } from '../../harness/resources.ts';
import { CLAUDE_MODES } from './claude-code-modes.ts';

let claude: string;
let journey: Journey;

beforeAll(async () => {
  claude = await installClaudeCode();
  journey = await startJourney((url) =>
    basicResources(url, { dialects: ['Anthropic', 'Bedrock', 'Vertex', 'Foundry', 'ClaudePlatformAWS'] }),
  );
});

afterAll(() => journey?.close());
beforeEach(() => journey.clear());

test.each(CLAUDE_MODES.map((mode) => [mode.dialect, mode] as const))(
  '[API-25] a turn in the %s format through the built program',
  async (dialect, { environment, baseUrls, model }) => {
    journey.mock.behave(() => ({ kind: 'text', text: 'served' }));
    const result = await runClaude(claude, {
      args: ['-p', 'hi', '--model', model],
      environment: environment(CI_KEY),
      baseUrls,
      tap: journey.tap,
    });
    expect(result).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('served') as string });
    const served = (await journey.calls()).filter(({ atProvider }) => atProvider !== undefined);
    expect(served).toHaveLength(1);
    expect(served[0]!.audit).toMatchObject({ dialect, model: 'claude-sonnet-4-6', outcome: 'complete' });
    expect(served[0]!.atProvider!.request.startLine).toMatch(/^POST \/v1\/messages(\?beta=true)? /);
  },
);
