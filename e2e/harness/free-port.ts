// Ports for servers that listen a moment later, in another process or under a manifest that names them.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below those that kernels give to outgoing connections, of which tests open thousands: one of them would be taken by the time it is used. */
const [FIRST, END] = [20_000, 32_000];

/** A port of 127.0.0.1 that nobody listens on. Chosen by chance, because other processes choose at the same time. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
