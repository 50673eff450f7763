// Clients for the failover drill: many at once, each asks for one stream after the other over its own connection and never asks twice.
import { Agent, request } from 'node:http';

/** How a call ended. Before its first byte: refused or broken off. After it: an error event, or nothing that says why. */
export type Ending = 'complete' | 'refused' | 'error-event' | 'broken';

export interface DrilledCall {
  /** Of the gateway; undefined when there was no answer. */
  readonly id: string | undefined;
  readonly status: number;
  /** Milliseconds from sending to the first byte of the body. */
  readonly firstByteMs: number | undefined;
  readonly ending: Ending;
}

export interface DrillOptions {
  readonly url: string;
  readonly key: string;
  readonly body: string;
  readonly clients: number;
  /** Milliseconds after which no client begins another call; those that run are waited for. */
  readonly forMs: number;
}

/** @returns every call that was made, in the order in which they ended */
export async function drilled({ url, key, body, clients, forMs }: DrillOptions): Promise<DrilledCall[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const until = performance.now() + forMs;
  const calls: DrilledCall[] = [];
  const client = async (index: number): Promise<void> => {
    // They begin one after the other within the first part of the time, as people do.
    await new Promise((resolve) => setTimeout(resolve, (index / clients) * (forMs / 4)));
    while (performance.now() < until) calls.push(await call(url, key, body, agent));
  };
  try {
    await Promise.all(Array.from({ length: clients }, (_, index) => client(index)));
  } finally {
    agent.destroy();
  }
  return calls;
}

function call(url: string, key: string, body: string, agent: Agent): Promise<DrilledCall> {
  const begun = performance.now();
  let id: string | undefined;
  let status = 0;
  let firstByteMs: number | undefined;
  let tail = '';
  return new Promise((resolve) => {
    const done = (): void => resolve({ id, status, firstByteMs, ending: endingOf(status, tail) });
    const headers = {
      'content-type': 'application/json',
      'anthropic-version': '2023-06-01',
      authorization: `Bearer ${key}`,
      'content-length': Buffer.byteLength(body),
    };
    const sent = request(`${url}/v1/messages`, { method: 'POST', agent, headers }, (response) => {
      id = response.headers['x-request-id'] as string | undefined;
      status = response.statusCode ?? 0;
      response.setEncoding('utf8').on('data', (text: string) => {
        firstByteMs ??= performance.now() - begun;
        // The last events say how it ended.
        tail = (tail + text).slice(-1_000);
      });
      response.on('error', () => undefined).once('close', done);
    });
    sent.once('error', done).end(body);
  });
}

function endingOf(status: number, tail: string): Ending {
  if (status !== 200) return 'refused';
  if (tail.includes('event: message_stop')) return 'complete';
  return tail.includes('event: error') ? 'error-event' : 'broken';
}
