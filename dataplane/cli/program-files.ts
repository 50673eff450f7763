// The files this program consists of: run from sources, or bundled into a folder of a few entries and the chunks that they share.
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UnusableConfigurationError } from './unusable.ts';

export interface ProgramFiles {
  /** Starts a load thread. */
  readonly load: string;
  /** Whatever a load reads of the program, and what was started. */
  readonly all: readonly string[];
}

/** @param started file that was started: `main.ts`, or what it is bundled into */
export function programFiles(started: string): ProgramFiles {
  const folder = dirname(started);
  if (started.endsWith('.ts')) {
    const load = join(folder, 'cli', 'load-thread.ts');
    return { load, all: [started, load] };
  }
  const load = join(folder, 'portcullis-load.js');
  const chunks = join(folder, 'chunks');
  return { load, all: [started, load, ...readdirSync(chunks).map((name) => join(chunks, name))] };
}

/**
 * Remembers files as they are now. An upgrade in place would otherwise have the next load run new code for an old process.
 * @returns throws {@link UnusableConfigurationError} when one of them is another one by then, or gone
 */
export function guardProgram(files: readonly string[]): () => void {
  const started = files.map(fingerprint);
  return () => {
    const replaced = files.find((file, index) => fingerprint(file) !== started[index]);
    if (replaced !== undefined)
      throw new UnusableConfigurationError(`${replaced} was replaced: restart to use it and to take edits again`);
  };
}

function fingerprint(file: string): string {
  const { ino, size, mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? { ino: 0, size: 0, mtimeMs: 0 };
  return `${ino} ${size} ${mtimeMs}`;
}
