// The real Claude Code, as published: installed once outside the checkout, run without a terminal in a home of its own that holds nothing
// of the machine's user, with no network but the way to the tap, and for a bounded time.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { cachedClient, install } from './client-cache.ts';
import { isolate } from './isolation.ts';

/** The newest version these journeys were seen to work with. */
export const CLAUDE_CODE_VERSION = '2.1.330';

const RUN_MS = 60_000;

/** Installs the pinned version when it is missing. @returns path of its executable */
export async function installClaudeCode(): Promise<string> {
  const folder = await cachedClient(`claude-code-${CLAUDE_CODE_VERSION}`, async (into) => {
    // The program is in the package of this platform; the scripts of the package around it only link to it.
    const flags = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts', '--loglevel=error'];
    await install(
      'npm',
      ['install', ...flags, '--prefix', into, `@anthropic-ai/claude-code@${CLAUDE_CODE_VERSION}`],
      into,
    );
    const version = execFileSync(executable(into), ['--version'], { encoding: 'utf8', env: { HOME: into } });
    if (!version.startsWith(`${CLAUDE_CODE_VERSION} `)) throw new Error(`installed claude says it is ${version}`);
  });
  return executable(folder);
}

function executable(folder: string): string {
  const packages = join(folder, 'node_modules', '@anthropic-ai');
  const native = readdirSync(packages).find((name) => name.startsWith('claude-code-'));
  if (native === undefined) throw new Error(`${packages} holds no Claude Code for ${process.platform}-${process.arch}`);
  return join(packages, native, 'claude');
}

export interface ClaudeOptions {
  /** Behind `claude`. */
  readonly args: readonly string[];
  /** Credential and switches; the base URL is filled in. */
  readonly environment: Readonly<Record<string, string>>;
  /** Variables that name the tap, each with the path behind its URL. Default: the one of the client's plain mode. */
  readonly baseUrls?: Readonly<Record<string, string>>;
  /** Content of the user's settings file. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Members added to the client's own state file, such as approvals. */
  readonly state?: Readonly<Record<string, unknown>>;
  /** What Claude Code reaches instead of the provider. */
  readonly tap: { readonly url: string; readonly socketPath: string };
  /** Files of the working folder by name. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface ClaudeResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
  /** Files below its configuration folder after the run: content by path. */
  readonly kept: ReadonlyMap<string, string>;
}

const QUIET = {
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  DISABLE_TELEMETRY: '1',
  DISABLE_ERROR_REPORTING: '1',
  DISABLE_AUTOUPDATER: '1',
};

/** @throws when the run takes longer than a minute, with what it printed */
export async function runClaude(executablePath: string, options: ClaudeOptions): Promise<ClaudeResult> {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'portcullis-claude-')));
  const [config, work] = [join(home, 'config'), join(home, 'work')];
  for (const folder of [config, work]) mkdirSync(folder);
  writeFileSync(join(config, '.claude.json'), JSON.stringify({ hasCompletedOnboarding: true, ...options.state }));
  writeFileSync(join(config, 'settings.json'), JSON.stringify(options.settings ?? {}));
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(work, name), text);

  const { command, baseUrl, environment } = isolate([executablePath, ...options.args], options.tap);
  const [program = '', ...args] = command;
  const begun = performance.now();
  const child = spawn(program, args, {
    cwd: work,
    // Nothing of our own environment: a session of Claude Code may well be what runs this test.
    env: {
      PATH: process.env['PATH'],
      LANG: 'C.UTF-8',
      HOME: home,
      CLAUDE_CONFIG_DIR: config,
      ...QUIET,
      ...Object.fromEntries(
        Object.entries(options.baseUrls ?? { ANTHROPIC_BASE_URL: '' }).map(([name, path]) => [name, baseUrl + path]),
      ),
      ...environment,
      ...options.environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  // The whole group, since the client starts processes of its own.
  const kill = (): void => {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // Gone already.
    }
  };
  process.once('exit', kill);
  let [stdout, stderr, timedOut] = ['', '', false];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const patience = setTimeout(() => {
    timedOut = true;
    kill();
  }, RUN_MS);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    if (timedOut) throw new Error(`claude did not end within ${RUN_MS} ms:\n${stdout}\n${stderr}`);
    return { code, stdout, stderr, durationMs: performance.now() - begun, kept: filesBelow(config) };
  } finally {
    clearTimeout(patience);
    kill();
    process.off('exit', kill);
    rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  }
}

function filesBelow(folder: string): ReadonlyMap<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [relative(folder, path), readFileSync(path, 'utf8')];
    }),
  );
}
