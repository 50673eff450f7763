// Keeps a real client from reaching anything but the tap in front of it. Where the kernel allows it, the client runs in a network namespace
// of its own that holds loopback and nothing else, and one port of that loopback leads to the tap's Unix socket. Elsewhere the client is
// given proxies that nobody listens on.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const INSIDE = fileURLToPath(new URL('./isolated-run.ts', import.meta.url));

/** Prefix of a command that gets its own network, or undefined where the kernel refuses. Root needs no user namespace. */
const NAMESPACE = [
  ['unshare', '--net'],
  ['unshare', '--net', '--map-root-user'],
].find(([program = '', ...args]) => spawnSync(program, [...args, 'ip', 'link', 'set', 'lo', 'up']).status === 0);

/** True when clients run without any network but loopback. */
export const isNamespaced = NAMESPACE !== undefined;

export interface Isolated {
  readonly command: readonly string[];
  /** Where the client finds the tap. */
  readonly baseUrl: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Port of the namespace's own loopback: nobody else is there. */
const INSIDE_PORT = 8080;
/** Discard; nothing listens there. */
const NOWHERE = 'http://127.0.0.1:9';

/** @param tap its URL, and the Unix socket it listens on as well */
export function isolate(command: readonly string[], tap: { url: string; socketPath: string }): Isolated {
  if (NAMESPACE === undefined) {
    return {
      command,
      baseUrl: tap.url,
      environment: { HTTPS_PROXY: NOWHERE, HTTP_PROXY: NOWHERE, NO_PROXY: '127.0.0.1' },
    };
  }
  return {
    command: [...NAMESPACE, process.execPath, INSIDE, String(INSIDE_PORT), tap.socketPath, ...command],
    baseUrl: `http://127.0.0.1:${INSIDE_PORT}`,
    environment: {},
  };
}
