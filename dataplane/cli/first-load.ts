// The first load of `run` begins before the parts that serve are read, which then happens beside it.
import { loadOnThread, type Loaded, type LoadRequest } from './load-worker.ts';
import { guardProgram, type ProgramFiles } from './program-files.ts';
import { fingerprint } from './watch.ts';

export interface FirstLoad {
  /** Of the manifests, before they were read. */
  readonly fingerprint: string;
  readonly loaded: Promise<Loaded>;
  /** Throws when the program is another one than at the start. */
  readonly sameProgram: () => void;
}

export function beginLoad({ load, all }: ProgramFiles, request: LoadRequest): FirstLoad {
  const begun = {
    sameProgram: guardProgram(all),
    fingerprint: fingerprint(request.paths),
    loaded: loadOnThread(load, request),
  };
  // Whoever waits for it hears of a failure, even when it comes before they do.
  begun.loaded.catch(() => undefined);
  return begun;
}
