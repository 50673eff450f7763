// Where build.sh puts the programs of Kubernetes: outside of the checkout, one folder for each version.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const MODULE = readFileSync(new URL('go/go.mod', import.meta.url), 'utf8');

/** Such as `v1.36.4`. */
export const KUBERNETES_VERSION = /^\tk8s\.io\/kubernetes (v\S+)/m.exec(MODULE)![1]!;

export const BINARIES = join(
  process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'),
  'portcullis',
  'k8s',
  KUBERNETES_VERSION,
  'bin',
);

/** @throws {Error} when the program has not been built, with the way to do that */
export function binary(name: string): string {
  const path = join(BINARIES, name);
  if (!existsSync(path)) throw new Error(`${name} is not built yet: run make kubernetes (make e2e for a cluster)`);
  return path;
}
