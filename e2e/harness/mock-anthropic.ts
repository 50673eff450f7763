/**
 * A stand-in for api.anthropic.com on a loopback port: answers `POST /v1/messages` and `/v1/messages/count_tokens` as it
 * is told, and remembers every request byte for byte. Tests own one each; the benchmark runs one as its own process.
 */
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Behaviour } from './mock-anthropic-behaviour.ts';
import { reply, type ReplySurface } from './mock-anthropic-reply.ts';

export type { Behaviour } from './mock-anthropic-behaviour.ts';
export type { Usage } from './mock-anthropic-messages.ts';

/** How an exchange ended: `answered` in full, `aborted` by the client, `cut` by the mock as told. */
export type Ending = 'answered' | 'aborted' | 'cut';

/** One request as it arrived. */
export interface RecordedRequest {
  readonly method: string;
  /** The request target as on the wire, query included. */
  readonly url: string;
  /** Names and values in turn, in the order and case of the wire. */
  readonly rawHeaders: readonly string[];
  /** The same by lower-case name. */
  readonly headers: IncomingHttpHeaders;
  /** The body as received, never decoded. What had arrived, when the client left early. */
  readonly body: Buffer;
  /** Milliseconds by the clock given to the mock (default: the epoch's), when the headers were read. */
  readonly receivedAt: number;
  /** True once the client left before it had the whole answer. */
  readonly aborted: boolean;
  /** Milliseconds by the same clock, once the exchange ended. */
  readonly endedAt: number | undefined;
  /** Settles when the exchange ended; never rejects. */
  readonly ended: Promise<Ending>;
  /** The body as a JSON object, undefined when it is none. Parsed on first use. */
  json(): Readonly<Record<string, unknown>> | undefined;
}

/** Chooses what to do with a request; a promise lets a test hold the answer back. */
export type Behave = (request: RecordedRequest) => Behaviour | Promise<Behaviour>;

/** Another surface than the Messages API: what it makes of a request, and how it answers. */
export interface Surface extends ReplySurface {
  /** @returns the call in the words of the Messages API, or how the surface refuses it */
  read(request: RecordedRequest): SurfaceCall | SurfaceRefusal;
}

export interface SurfaceCall {
  readonly operation: 'messages' | 'count';
  /** With `model` and `stream`, wherever they stood. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface SurfaceRefusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

export interface MockAnthropicOptions {
  /** What to do until `behave()` says otherwise. Default: a short text answer, a count of a quarter of the bytes. */
  readonly behave?: Behave;
  /** How many requests to remember, the oldest forgotten first; 0 keeps none. Default 1000. */
  readonly retain?: number;
  /** False reads past request bodies, for load: then only behaviours that need no body work (`raw`, `status`, …). */
  readonly collectBodies?: boolean;
  /** Port on 127.0.0.1. Default: a free one. */
  readonly port?: number;
  readonly now?: () => number;
  /** Default: the Messages API, without a look at credentials. */
  readonly surface?: Surface;
}

export interface MockAnthropic {
  /** `http://127.0.0.1:PORT`, without a trailing slash. */
  readonly url: string;
  /** The requests remembered, oldest first. Live: grows while requests arrive. */
  readonly requests: readonly RecordedRequest[];
  /** Bodies of the surface's own refusals: what was wrong with requests. */
  readonly refused: readonly string[];
  /** Requests received since the start, remembered or not. */
  received(): number;
  /** Exchanges that have not ended. */
  open(): number;
  /** Replaces the behaviour for requests that arrive from now on. */
  behave(fn: Behave): void;
  /** Ends connections on which nothing is under way, as a server does that was idle for long. */
  hangUp(): void;
  /** Breaks every open connection and stops listening. */
  close(): Promise<void>;
}

const PATHS = { messages: '/v1/messages', count: '/v1/messages/count_tokens' } as const;

interface MutableRecord extends RecordedRequest {
  /** The body's chunks so far; `body` joins them when asked. */
  readonly chunks: Buffer[];
  aborted: boolean;
  endedAt: number | undefined;
}

/** Starts a mock upstream on 127.0.0.1. Rejects when the port is taken. */
export async function startMockAnthropic(options: MockAnthropicOptions = {}): Promise<MockAnthropic> {
  const retain = options.retain ?? 1000;
  const collectBodies = options.collectBodies ?? true;
  const now = options.now ?? Date.now;
  const { surface } = options;
  const refused: string[] = [];
  const requests: RecordedRequest[] = [];
  let behave: Behave = options.behave ?? (() => ({ kind: 'text' }));
  let received = 0;
  let open = 0;

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const serial = String((received += 1)).padStart(22, '0');
    open += 1;
    let cut = false;
    const gone = new AbortController();
    const ended = Promise.withResolvers<Ending>();
    const record = newRecord(incoming, now(), ended.promise);
    response.once('close', () => {
      open -= 1;
      record.endedAt = now();
      record.aborted = !cut && !response.writableFinished;
      gone.abort();
      ended.resolve(cut ? 'cut' : record.aborted ? 'aborted' : 'answered');
    });
    if (retain > 0) {
      if (requests.length >= retain) requests.shift();
      requests.push(record);
    }
    // The client left during its upload: no answer to choose.
    if (!(await readBody(incoming, record, collectBodies))) return;
    const call = surface?.read(record);
    if (call !== undefined && 'status' in call) {
      if (call.status >= 400) refused.push(call.body);
      response.writeHead(call.status, { 'content-type': 'application/json', ...call.headers }).end(call.body);
      return;
    }
    const path = call === undefined ? (record.url.split('?', 1)[0] ?? '') : PATHS[call.operation];
    const behaviour = await behave(record);
    if (gone.signal.aborted) return;
    await reply(response, behaviour, {
      requestId: `req_01${serial}`,
      messageId: `msg_01${serial}`,
      bodyLength: record.body.length,
      method: record.method,
      path,
      json: () => call?.body ?? record.json(),
      onCut: () => (cut = true),
      gone: gone.signal,
      surface,
    });
  }

  const server = createServer(
    { keepAliveTimeout: 120_000, requestTimeout: 0, maxHeaderSize: 131_072 },
    (incoming, response) => {
      serve(incoming, response).catch((error: unknown) => {
        // The client left while the answer was on its way: nothing to report, the record says so.
        if (response.destroyed || (error instanceof Error && error.name === 'AbortError')) return;
        // A scripted behaviour threw: say so on the wire rather than let the test wait for an answer.
        if (response.headersSent) response.destroy();
        else response.writeHead(500, { 'content-type': 'text/plain' }).end(`mock behaviour failed: ${String(error)}`);
      });
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen({ port: options.port ?? 0, host: '127.0.0.1', backlog: 4096 }, resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    refused,
    received: () => received,
    open: () => open,
    behave: (fn) => {
      behave = fn;
    },
    hangUp: () => server.closeIdleConnections(),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function newRecord(incoming: IncomingMessage, receivedAt: number, ended: Promise<Ending>): MutableRecord {
  const chunks: Buffer[] = [];
  let parsed: { value: Readonly<Record<string, unknown>> | undefined } | undefined;
  return {
    method: incoming.method ?? '',
    url: incoming.url ?? '',
    rawHeaders: incoming.rawHeaders,
    headers: incoming.headers,
    chunks,
    get body() {
      if (chunks.length > 1) chunks.splice(0, chunks.length, Buffer.concat(chunks));
      return chunks[0] ?? Buffer.alloc(0);
    },
    receivedAt,
    aborted: false,
    endedAt: undefined,
    ended,
    json() {
      parsed ??= { value: parseObject(this.body) };
      return parsed.value;
    },
  };
}

function parseObject(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Reads the body into the record, or past it. False when the client left before its end. */
async function readBody(incoming: IncomingMessage, record: MutableRecord, keep: boolean): Promise<boolean> {
  if (keep) incoming.on('data', (chunk: Buffer) => record.chunks.push(chunk));
  else incoming.resume();
  return new Promise<boolean>((resolve) => {
    incoming.once('end', () => resolve(true)).once('close', () => resolve(false));
  });
}
