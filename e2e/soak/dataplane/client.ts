// One call as some client somewhere makes it: plain or streamed, patient or not, with the right key or a wrong one.
import { randomUUID } from 'node:crypto';
import { request, type Agent } from 'node:http';
import { connect } from 'node:net';
import { CI_KEY } from '../../harness/gateway.ts';
import type { Ledger } from './ledger.ts';

type Manner =
  | 'plain'
  | 'large'
  | 'stream'
  | 'count'
  | 'models'
  | 'leaves'
  | 'leaves uploading'
  | 'wrong key'
  | 'unknown model';

/** Shares of the load; they add up to 1. */
const MANNERS: readonly (readonly [share: number, manner: Manner])[] = [
  [0.3, 'plain'],
  [0.05, 'large'],
  [0.28, 'stream'],
  [0.05, 'count'],
  [0.05, 'models'],
  [0.15, 'leaves'],
  [0.02, 'leaves uploading'],
  [0.05, 'wrong key'],
  [0.05, 'unknown model'],
];
const LARGE_BYTES = 200_000;
/** Longest time until a client that leaves has left: about as long as a stream lasts. */
const LEAVE_WITHIN_MS = 700;

export interface Target {
  readonly url: string;
  readonly agent: Agent;
  readonly ledger: Ledger;
}

/** Makes one random call and resolves when it is over, however it ended. */
export function call(target: Target): Promise<void> {
  let drawn = Math.random();
  const [, manner] = MANNERS.find(([share]) => (drawn -= share) < 0) ?? MANNERS[0]!;
  return perform(target, manner);
}

function perform({ url, agent, ledger }: Target, manner: Manner): Promise<void> {
  const id = randomUUID();
  const isGet = manner === 'models';
  const leaves = manner === 'leaves' || manner === 'leaves uploading';
  const path = isGet ? '/v1/models' : manner === 'count' ? '/v1/messages/count_tokens' : '/v1/messages?beta=true';
  const body = Buffer.from(bodyOf(manner));
  ledger.begin(id);
  return new Promise((resolve) => {
    const sent = request(`${url}${path}`, {
      method: isGet ? 'GET' : 'POST',
      agent,
      headers: {
        authorization: `Bearer ${manner === 'wrong key' ? `${CI_KEY}x` : CI_KEY}`,
        'x-client-request-id': id,
        ...(isGet ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
      },
    });
    let status: number | undefined;
    let left = false;
    let ended = false;
    const end = (ending: Parameters<Ledger['end']>[1], detail?: string): void => {
      if (ended) return;
      ended = true;
      ledger.end(id, ending, status, detail);
      resolve();
    };
    sent.once('error', (error) => {
      if (left) end(status === undefined ? 'left early' : 'left');
      else end(status === undefined ? 'failed' : 'broken', error.message);
    });
    sent.once('response', (response) => {
      status = response.statusCode;
      response.resume();
      response.on('error', () => undefined);
      response.once('close', () => {
        if (response.complete) end('answered');
        else end(left ? 'left' : 'broken');
      });
    });
    if (leaves) {
      setTimeout(() => {
        left = true;
        sent.destroy();
        end(status === undefined ? 'left early' : 'left');
      }, Math.random() * LEAVE_WITHIN_MS);
    }
    if (manner === 'leaves uploading') sent.write(body.subarray(0, body.length / 2));
    else sent.end(isGet ? undefined : body);
  });
}

function bodyOf(manner: Manner): string {
  const stream = manner === 'stream' || (manner === 'leaves' && Math.random() < 0.7);
  const content = manner === 'large' || manner === 'leaves uploading' ? 'long '.repeat(LARGE_BYTES / 5) : 'short';
  return JSON.stringify({
    model: manner === 'unknown model' ? `nobody-${Math.random()}` : 'claude-haiku-5-5',
    max_tokens: 64,
    ...(stream ? { stream: true } : {}),
    messages: [{ role: 'user', content }],
  });
}

/** Bytes that are no request, on a connection that is then left alone. */
export function rubbish(url: string): void {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => undefined).resume();
  socket.write(Math.random() < 0.5 ? 'rubbish\r\n\r\n' : 'GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Never: ');
  setTimeout(() => socket.destroy(), Math.random() * 3_000);
}
