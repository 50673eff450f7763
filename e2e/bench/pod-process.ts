/** The part of a pod that loads a publication, in a process of its own. Takes the folder of {@link writePublication}; one command is one load. */
import { openedCredentials } from '#dataplane/cli/credential-ports.ts';
import { loadPublication, type Publication } from '#dataplane/config/cluster-load.ts';
import { mountPlace } from '#dataplane/config/cluster-place.ts';
import { readIndex } from '#shared/bundle/index-text.ts';
import { serveCommands } from './child-process.ts';
import { GATEWAY } from './peers/publication-files.ts';

export interface PodLoadReply {
  readonly loadMs: number;
  readonly keys: number;
}

const place = mountPlace(process.argv[2] ?? '', GATEWAY);
const open = openedCredentials({ environment: {}, environmentProxy: undefined });
let loaded: Publication;

serveCommands({}, async (): Promise<PodLoadReply> => {
  const begun = performance.now();
  loaded = await loadPublication(readIndex(await place.index()), place, undefined, open);
  return { loadMs: performance.now() - begun, keys: loaded.snapshot.keys.size };
});
