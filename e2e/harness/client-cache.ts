// Where real clients are kept between runs: outside the checkout, one folder per client and version. A folder is made under another name
// and renamed when it is whole, so two runs at once and a run that was killed leave nothing half done in its place.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** `${XDG_CACHE_HOME:-~/.cache}/portcullis` */
export function cacheRoot(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'portcullis');
}

/**
 * The folder of a client, installed when it is missing.
 * @param name client and exact version, such as `claude-code-2.1.0`
 * @param install fills an empty folder; nothing it writes may depend on the folder's name
 * @returns absolute path
 */
export async function cachedClient(
  name: string,
  install: (folder: string) => Promise<void>,
  root = cacheRoot(),
): Promise<string> {
  const folder = join(root, name);
  if (existsSync(folder)) return folder;
  const temporary = join(root, `.${name}.${randomUUID()}`);
  mkdirSync(temporary, { recursive: true });
  try {
    await install(temporary);
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    // Somebody else was faster with the same version.
    if (!isTaken(error)) throw error;
  }
  return folder;
}

function isTaken(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall === 'rename' && (code === 'ENOTEMPTY' || code === 'EEXIST');
}

/** Runs an installer to its end. @throws with its output when it fails or takes longer than five minutes */
export async function install(program: string, args: readonly string[], cwd: string): Promise<void> {
  await promisify(execFile)(program, [...args], { cwd, timeout: 300_000, maxBuffer: 16 * 1024 * 1024 });
}
