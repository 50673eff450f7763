// Notices changed files by looking, a few times a second. Notification APIs miss what editors and mounts do (rename over, swapped links,
// network folders); a look at a handful of files costs nothing.
import { statSync } from 'node:fs';
import { manifestFiles } from './manifest-files.ts';

const LOOK_EVERY_MS = 100;
/** A file that is written in place is seen empty or cut short, and a key that is not there for a moment would be a deleted key. */
const QUIET_LOOKS = 1;
/** Somebody who never stops writing is not waited for. */
const MAX_LOOKS = 5;

export interface Watcher {
  stop(): void;
}

/**
 * @param changed called after any change of content, name or number of files, once it was quiet for a look; never again before it has
 * settled
 * @param start the {@link fingerprint} of the files before they were read for the first time, so that no edit falls between
 */
export function watchFiles(
  paths: readonly string[],
  changed: () => Promise<void>,
  start: string = fingerprint(paths),
): Watcher {
  let loaded = start;
  let seen = loaded;
  let quiet = 0;
  let looks = 0;
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    const now = fingerprint(paths);
    if (now === loaded && seen === loaded) return;
    quiet = now === seen ? quiet + 1 : 0;
    looks++;
    seen = now;
    if (quiet < QUIET_LOOKS && looks < MAX_LOOKS) return;
    quiet = looks = 0;
    if (now === loaded) return;
    loaded = now;
    busy = true;
    void changed().finally(() => (busy = false));
  }, LOOK_EVERY_MS);
  return { stop: () => clearInterval(timer) };
}

/** Inode and times of every file; a file that is missing for the moment (between unlink and rename) counts as a change when it is back. */
export function fingerprint(paths: readonly string[]): string {
  try {
    return manifestFiles(paths)
      .map((file) => {
        const { ino, size, mtimeMs, ctimeMs } = statSync(file);
        return `${file} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
      })
      .join('\n');
  } catch (error) {
    return `unreadable ${(error as NodeJS.ErrnoException).code ?? ''}`;
  }
}
