// A full collection in a process from outside, by its inspector: what its heap holds afterwards is in use.

/** For NODE_OPTIONS of a process whose heap is to be collected; it says in its log where it listens. */
export const INSPECTABLE = '--inspect=127.0.0.1:0';

const LISTENING = /Debugger listening on (ws:\S+)/g;
/** What one collection finalizes, the next one frees. */
const COLLECTIONS = 2;

/**
 * Resolves when everything is collected and the connection is gone.
 * @param log of the process since whenever; the last start counts
 * @throws {Error} when it cannot be asked
 */
export async function collectGarbage(log: string): Promise<void> {
  const url = [...log.matchAll(LISTENING)].at(-1)?.[1];
  if (url === undefined) throw new Error('the log does not say where the inspector listens');
  const socket = new WebSocket(url);
  const closed = heard(socket, 'close');
  try {
    await heard(socket, 'open');
    for (let count = 0; count < COLLECTIONS; count++) {
      const done = heard(socket, 'message');
      socket.send(JSON.stringify({ id: count, method: 'HeapProfiler.collectGarbage' }));
      await done;
    }
  } finally {
    socket.close();
    await closed;
  }
}

function heard(socket: WebSocket, type: 'open' | 'message' | 'close'): Promise<Event> {
  return new Promise((resolve, reject) => {
    socket.addEventListener(type, resolve, { once: true });
    if (type !== 'close')
      socket.addEventListener('close', () => reject(new Error('the inspector hung up')), { once: true });
  });
}
