// The SDKs that speak a cloud's format, as published: installed once outside the checkout, and scripts with them that run in a home of their
// own, without any network but the way to the tap, and print one JSON value.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cachedClient, install } from './client-cache.ts';
import { isolate } from './isolation.ts';

const PYTHON = ['anthropic[bedrock,vertex]==2.12.0', 'boto3==1.44.5'];
const TYPESCRIPT = [
  '@anthropic-ai/sdk@1.12.0',
  '@anthropic-ai/bedrock-sdk@1.1.3',
  '@anthropic-ai/vertex-sdk@1.1.3',
  '@anthropic-ai/foundry-sdk@1.1.1',
];
const RUN_MS = 90_000;

/** Installs the pinned versions when they are missing. @returns path of a Python interpreter that has them */
export async function installPythonSdks(): Promise<string> {
  const interpreter = (folder: string): string => join(folder, 'bin', 'python');
  const folder = await cachedClient(folderName('python', PYTHON), async (into) => {
    await install('python3', ['-m', 'venv', into], into);
    await install(interpreter(into), ['-m', 'pip', 'install', '--quiet', ...PYTHON], into);
  });
  return interpreter(folder);
}

/** Installs the pinned versions when they are missing. @returns the folder that holds their `node_modules` */
export function installTypeScriptSdks(): Promise<string> {
  return cachedClient(folderName('typescript', TYPESCRIPT), (into) => {
    const flags = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts', '--loglevel=error'];
    return install('npm', ['install', ...flags, '--prefix', into, ...TYPESCRIPT], into);
  });
}

/** Names every version, so that a change of one makes another folder. */
function folderName(language: string, packages: readonly string[]): string {
  const versions = packages.map((each) => each.split(/[=@]/).at(-1));
  return `cloud-sdks-${language}-${versions.join('-')}`;
}

export interface ScriptOptions {
  /** What the script reaches instead of a cloud; its URL is in `BASE_URL`. */
  readonly tap: { readonly url: string; readonly socketPath: string };
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Runs a script to its end.
 * @param command interpreter and script
 * @returns the JSON value that it printed
 * @throws with its error output when it fails or takes longer than a minute and a half
 */
export async function runScript(
  command: readonly string[],
  { tap, environment }: ScriptOptions,
): Promise<Readonly<Record<string, unknown>>> {
  const home = mkdtempSync(join(tmpdir(), 'portcullis-sdk-'));
  const isolated = isolate(command, tap);
  const baseUrl = isolated.baseUrl.replace(/^http:/, new URL(tap.url).protocol);
  const [program = '', ...args] = isolated.command;
  try {
    const { stdout } = await promisify(execFile)(program, args, {
      cwd: home,
      env: {
        PATH: process.env['PATH'],
        LANG: 'C.UTF-8',
        HOME: home,
        PYTHONDONTWRITEBYTECODE: '1',
        // No credential of the machine, neither from a file nor from its metadata server.
        AWS_EC2_METADATA_DISABLED: 'true',
        GCE_METADATA_HOST: '127.0.0.1:9',
        BASE_URL: baseUrl,
        ...isolated.environment,
        ...environment,
      },
      timeout: RUN_MS,
      maxBuffer: 16 * 1024 * 1024,
    });
    return JSON.parse(stdout) as Record<string, unknown>;
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  }
}
