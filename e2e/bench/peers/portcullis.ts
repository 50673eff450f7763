/** Portcullis itself, as built: virtual keys, policy, metering, audit records to a file, metrics on. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Peer, RunningPeer } from './peer.ts';
import { keyManifest, keyValue, manifests } from './portcullis-files.ts';
import { freePort } from '../../harness/free-port.ts';
import { startServer, untilAnswers } from './start-server.ts';

const program = fileURLToPath(new URL('../../../dist/portcullis.js', import.meta.url));

export interface RunningPortcullis extends RunningPeer {
  /** Milliseconds from the start of the process to its first answer that went through the upstream. */
  readonly readyMs: number;
  /** Everything it logged, audit records included. */
  readonly log: () => string;
  /** Switches the last key on or off the way a deployment does: a new file renamed over the old one. */
  switchKey(state: 'Active' | 'Disabled'): void;
}

/** Starts Portcullis with a number of virtual keys; callers use the last one. */
export async function startPortcullis(upstreamUrl: string, folder: string, keys: number): Promise<RunningPortcullis> {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const file = join(folder, 'bench.yaml');
  const common = manifests({ port, metricsPort, upstreamUrl, keys });
  const withKey = (state: 'Active' | 'Disabled'): string => `${common}---\n${keyManifest(keys - 1, state)}`;
  writeFileSync(file, withKey('Active'));
  const state = join(folder, 'state');
  mkdirSync(state);

  const begun = performance.now();
  const server = startServer(program, ['run', '--state', state, file], folder);
  const headers = { authorization: `Bearer ${keyValue(keys - 1)}` };
  const url = `http://127.0.0.1:${port}`;
  await untilAnswers(server, url, headers, 60_000);
  const readyMs = performance.now() - begun;
  return {
    name: 'portcullis',
    url,
    pid: server.pid,
    headers,
    readyMs,
    log: server.log,
    records: () => occurrences(readFileSync(server.logFile), '"event":"call"'),
    stop: server.stop,
    switchKey: (state) => {
      writeFileSync(`${file}.new`, withKey(state));
      renameSync(`${file}.new`, file);
    },
  };
}

function occurrences(bytes: Buffer, text: string): number {
  let count = 0;
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + text.length)) count += 1;
  return count;
}

export const portcullis: Peer = {
  name: 'portcullis',
  missing: () => (existsSync(program) ? undefined : 'dist/portcullis.js is not built; npm run build'),
  start: (upstreamUrl, folder) => startPortcullis(upstreamUrl, folder, 200),
};
