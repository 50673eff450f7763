// Which files the arguments of `run` and `check` mean.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MANIFEST = /\.(ya?ml|json)$/;

/** The files behind the arguments: folders stand for the manifests in them, in order of name. @throws when a path does not exist */
export function manifestFiles(paths: readonly string[]): string[] {
  return paths.flatMap((path) =>
    statSync(path).isDirectory()
      ? readdirSync(path)
          .filter((name) => MANIFEST.test(name))
          .sort()
          .map((name) => join(path, name))
      : [path],
  );
}
