// Calls without pause at one address, from clients that neither try again nor forgive: whatever is no complete answer is a failure. Half of the
// connections are kept and used again, as Claude Code does it; the others are new for each call, as in scripts.
import { Agent, request, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Target {
  /** Such as `http://10.200.96.7:8080`. */
  readonly url: string;
  readonly key: string;
}

export interface LoadReport {
  readonly calls: number;
  /** In words, with the seconds since the start of the load. */
  readonly failures: readonly string[];
  /** Milliseconds of the slowest complete answer. */
  readonly slowest: number;
}

export interface Load {
  /** Uses another key from the next call on. */
  use(key: string): void;
  /** Ends it when the running calls have their answers. */
  stop(): Promise<LoadReport>;
}

export interface Answer {
  /** 0 when there was no complete one. */
  readonly status: number;
  readonly text: string;
}

const LOOPS = 12;
/** Longest pause between two calls of one client; the pauses differ, so that calls fall on every moment of a change. */
const PAUSE_MS = 60;
const PATIENCE_MS = 60_000;
const MODEL = 'claude-haiku-5-5';

/** One call, by a connection of its own unless an agent is given. Never rejects. */
export function callOnce({ url, key }: Target, body: object = {}, agent?: Agent): Promise<Answer> {
  return new Promise((resolve) => {
    let text = '';
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const sent = request(`${url}/v1/messages`, { method: 'POST', headers, agent: agent ?? false });
    const failed = (error: Error): void => resolve({ status: 0, text: `${error.message} ${text.slice(-200)}` });
    sent.setTimeout(PATIENCE_MS, () => sent.destroy(new Error('no answer in time')));
    sent.once('error', failed).once('response', (response: IncomingMessage) => {
      response
        .setEncoding('utf8')
        .on('data', (chunk: string) => (text += chunk))
        .once('error', failed)
        .once('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.end(JSON.stringify({ model: MODEL, max_tokens: 8, messages: [{ role: 'user', content: 'Hi' }], ...body }));
  });
}

export function startLoad(target: Target): Load {
  const begun = performance.now();
  const failures: string[] = [];
  let { key } = target;
  const over = new AbortController();
  let [calls, slowest] = [0, 0];

  async function client(number: number): Promise<void> {
    const agent = number % 2 === 0 ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
    while (!over.signal.aborted) {
      const asked = performance.now();
      const { status, text } = await callOnce({ ...target, key }, {}, agent);
      calls++;
      if (status === 200 && text.includes('"type":"message"')) slowest = Math.max(slowest, performance.now() - asked);
      else {
        const at = ((asked - begun) / 1_000).toFixed(2);
        failures.push(`${at} s, ${agent === undefined ? 'new' : 'kept'} connection: ${status} ${text.slice(-200)}`);
      }
      await sleep(Math.random() * PAUSE_MS);
    }
    agent?.destroy();
  }

  const clients = Array.from({ length: LOOPS }, (_, number) => client(number));
  return {
    use: (next) => (key = next),
    async stop() {
      over.abort();
      await Promise.all(clients);
      return { calls, failures, slowest: Math.round(slowest) };
    },
  };
}
