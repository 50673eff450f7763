// The Claude Agent SDK, as published: installed once outside the checkout, in front of the same Claude Code that the other journeys run.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLAUDE_CODE_VERSION } from './claude-cli.ts';
import { cachedClient, install } from './client-cache.ts';

/** The newest version these journeys were seen to work with. */
export const AGENT_SDK_VERSION = '0.3.330';

const PACKAGES = [`@anthropic-ai/claude-agent-sdk@${AGENT_SDK_VERSION}`, '@anthropic-ai/sdk@1.12.0'];

/**
 * Installs the pinned version when it is missing.
 * @returns the folder that holds its `node_modules`
 * @throws when it was made for another Claude Code than the one that is pinned
 */
export function installAgentSdk(): Promise<string> {
  return cachedClient(`agent-sdk-${AGENT_SDK_VERSION}`, async (into) => {
    // The copy of Claude Code that it brings along is optional, and the one that is here already.
    const flags = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts', '--omit=optional', '--loglevel=error'];
    await install('npm', ['install', ...flags, '--prefix', into, ...PACKAGES], into);
    const file = join(into, 'node_modules', '@anthropic-ai', 'claude-agent-sdk', 'package.json');
    const { claudeCodeVersion } = JSON.parse(readFileSync(file, 'utf8')) as { claudeCodeVersion?: string };
    if (claudeCodeVersion !== CLAUDE_CODE_VERSION) throw new Error(`made for Claude Code ${claudeCodeVersion}`);
  });
}
