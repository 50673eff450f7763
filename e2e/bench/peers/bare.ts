/** The bare forwarder: Fastify and undici.dispatch with nothing between them, the floor of the stack the gateway is built on. */
import { fileURLToPath } from 'node:url';
import type { Peer } from './peer.ts';
import { freePort } from '../../harness/free-port.ts';
import { startServer, untilAnswers } from './start-server.ts';

const program = fileURLToPath(new URL('../bare-forwarder.ts', import.meta.url));

export const bare: Peer = {
  name: 'bare',
  missing: () => undefined,
  start: async (upstreamUrl, folder) => {
    const port = await freePort();
    const server = startServer(process.execPath, [program, String(port), upstreamUrl], folder);
    const headers = { 'x-api-key': 'sk-ant-bench' };
    const url = `http://127.0.0.1:${port}`;
    await untilAnswers(server, url, headers);
    return { name: 'bare', url, pid: server.pid, headers, stop: server.stop };
  },
};
