// A steady flood of calls and open streams at pods of a Gateway, as a Service would spread them over those that are ready. Each caller knows what
// it must be told, so an answer is right or wrong whatever happens around it.
import { Agent, request, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningPod } from './mini-kubelet.ts';

export interface Caller {
  readonly name: string;
  readonly value: string;
  readonly model: string;
  /** HTTP status of its calls, from the moment it joins. */
  readonly expected: number;
}

export interface FloodOptions {
  /** Those a Service would send to now. */
  readonly pods: () => readonly RunningPod[];
  readonly callers: readonly Caller[];
  /** Calls side by side; each caller of {@link FloodOptions.callers} has its turn. */
  readonly connections?: number;
  /** Milliseconds from an answer to the next call on the same connection. */
  readonly pauseMs?: number;
  /** Streams side by side, all of the first caller. */
  readonly streams?: number;
  /** Text deltas of a complete stream. */
  readonly deltas: number;
}

/** An answer that should have been another, or none. */
export interface Failure {
  readonly pod: string;
  readonly what: string;
}

export interface FloodReport {
  readonly calls: number;
  /** Streams that ended complete. */
  readonly streams: number;
  readonly failures: readonly Failure[];
}

export interface Flood {
  /** What happened since the last time this was asked. */
  take(): FloodReport;
  /** Lets the streams end and stops. */
  stop(): Promise<void>;
}

interface Answer {
  /** 0 when there was none. */
  readonly status: number;
  readonly text: string;
}

const PORT = 8080;
/** Longer than any stream of the tests lasts. */
const PATIENCE_MS = 30_000;

export function startFlood(options: FloodOptions): Flood {
  const { pods, callers, connections = 6, pauseMs = 25, streams = 6, deltas } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  let report = { calls: 0, streams: 0, failures: [] as Failure[] };
  const stopping = new AbortController();
  let turn = 0;

  const choose = (): RunningPod | undefined => {
    const ready = pods();
    return ready[Math.floor(Math.random() * ready.length)];
  };
  const failed = (pod: RunningPod, what: string): void => void report.failures.push({ pod: pod.name, what });

  async function callOnce(): Promise<void> {
    const pod = choose();
    const caller = callers[turn++ % callers.length];
    if (pod === undefined || caller === undefined) return;
    const answer = await ask(agent, pod, caller, false);
    report.calls++;
    const complete = answer.status !== 200 || answer.text.includes('"type":"message"');
    if (answer.status !== caller.expected || !complete) {
      failed(pod, `${caller.name} is answered ${describe(answer)}, not ${caller.expected}`);
    }
  }

  async function streamOnce(): Promise<void> {
    const pod = choose();
    const caller = callers[0];
    if (pod === undefined || caller === undefined) return;
    const answer = await ask(agent, pod, caller, true);
    const got = answer.text.split('event: content_block_delta').length - 1;
    if (got === deltas && answer.text.includes('event: message_stop')) report.streams++;
    else failed(pod, `a stream ended after ${got} of ${deltas} deltas: ${describe(answer)}`);
  }

  async function forever(work: () => Promise<void>): Promise<void> {
    while (!stopping.signal.aborted) {
      await work();
      await sleep(pauseMs);
    }
  }

  const loops = [
    ...Array.from({ length: connections }, () => forever(callOnce)),
    ...Array.from({ length: streams }, () => forever(streamOnce)),
  ];
  return {
    take() {
      const taken = report;
      report = { calls: 0, streams: 0, failures: [] };
      return taken;
    },
    async stop() {
      stopping.abort();
      await Promise.all(loops);
      agent.destroy();
    },
  };
}

const describe = ({ status, text }: Answer): string => `${status} ${text.slice(-200)}`;

/** One call; a connection that the server closed while it was idle is not the call's fault, and is tried once on a new one. */
async function ask(agent: Agent, pod: RunningPod, caller: Caller, stream: boolean): Promise<Answer> {
  const first = await send(agent, pod, caller, stream);
  return first.stale ? send(agent, pod, caller, stream) : first;
}

/** A call of one caller to one pod, outside of any flood. */
export function call(pod: RunningPod, caller: Pick<Caller, 'value' | 'model'>, stream = false): Promise<Answer> {
  return send(undefined, pod, caller, stream);
}

function send(
  agent: Agent | undefined,
  { address }: RunningPod,
  { value, model }: Pick<Caller, 'value' | 'model'>,
  stream: boolean,
): Promise<Answer & { readonly stale: boolean }> {
  return new Promise((resolve) => {
    let status = 0;
    let text = '';
    const headers = { authorization: `Bearer ${value}`, 'content-type': 'application/json' };
    const sent = request(`http://${address}:${PORT}/v1/messages`, { method: 'POST', headers, agent });
    const end = (error?: Error): void => {
      const stale = error !== undefined && status === 0 && sent.reusedSocket;
      resolve({ status: error === undefined ? status : 0, text: `${text}${error?.message ?? ''}`, stale });
    };
    sent.setTimeout(PATIENCE_MS, () => sent.destroy(new Error('no answer in time')));
    sent.once('error', end).once('response', (response: IncomingMessage) => {
      status = response.statusCode ?? 0;
      response
        .setEncoding('utf8')
        .on('data', (chunk: string) => (text += chunk))
        .once('end', () => end())
        .once('error', end);
    });
    sent.end(JSON.stringify({ model, max_tokens: 8, stream, messages: [{ role: 'user', content: 'Hi' }] }));
  });
}
