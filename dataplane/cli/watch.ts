// Notices changed files by looking, a few times a second. Notification APIs miss what editors and mounts do (rename over, swapped links,
// network folders); a look at a handful of files costs nothing.
import { statSync } from 'node:fs';
import { manifestFiles } from './load.ts';

const LOOK_EVERY_MS = 200;

/**
 * @param changed called after any change of content, name or number of files; never again before it has settled
 * @returns stops watching
 */
export function watchFiles(paths: readonly string[], changed: () => Promise<void>): () => void {
  let before = fingerprint(paths);
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    const after = fingerprint(paths);
    if (after === before) return;
    before = after;
    busy = true;
    void changed().finally(() => (busy = false));
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}

/** Inode and times of every file; a file that is missing for the moment (between unlink and rename) counts as a change when it is back. */
function fingerprint(paths: readonly string[]): string {
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
