// `portcullis check FILE…`: compiles offline and prints what a cluster would say, for the pipeline of a GitOps repository.
import { compileFiles } from './compile-files.ts';
import { isAccepted, isUsable, jsonText, tableText } from './report.ts';

export interface CheckOptions {
  readonly paths: readonly string[];
  readonly json: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  readonly print: (text: string) => void;
}

/** @returns the exit code: 1 when a file cannot be read as manifests, an object is not Accepted, or a catalog does not fit */
export function check({ paths, json, environment, now, print }: CheckOptions): number {
  const compiled = compileFiles({ paths, environment, now });
  print(json ? jsonText(compiled) : tableText(compiled));
  return compiled.faults.length === 0 && compiled.statuses.every((status) => isAccepted(status) && isUsable(status))
    ? 0
    : 1;
}
