// A client that hides nothing: header bytes as given, no decompression, no connection reuse, the answer chunk by chunk.
import { request, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { turnHeaders } from './claude-code.ts';

export interface Ask {
  readonly method?: string;
  /** Path with query. Default: the one Claude Code sends a turn to. */
  readonly path?: string;
  /** Names and values in turn. Default: those of a turn of Claude Code. */
  readonly headers?: readonly string[];
  /** A string or bytes as given, anything else as JSON. */
  readonly body?: unknown;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** False when the connection broke before the end. */
  readonly complete: boolean;
  /** Milliseconds of the process clock at which each chunk arrived, with the chunk. */
  readonly chunks: readonly { readonly at: number; readonly bytes: Buffer }[];
}

export interface Opened {
  readonly request: ClientRequest;
  readonly response: IncomingMessage;
}

/** Sends a request and leaves the rest to the caller. */
export function begin(origin: string, { method = 'POST', path, headers, body }: Ask = {}): ClientRequest {
  const bytes = body === undefined ? undefined : asBytes(body);
  const url = new URL(origin);
  const names = [...(headers ?? turnHeaders()), 'Host', url.host];
  if (bytes !== undefined) names.push('Content-Length', String(bytes.length));
  const sent = request({
    host: url.hostname,
    port: url.port,
    method,
    path: path ?? '/v1/messages?beta=true',
    headers: names,
    agent: false,
  });
  sent.on('error', () => undefined).end(bytes);
  return sent;
}

/** Sends a request and resolves at the response headers; nothing of the body is read. */
export function open(origin: string, ask: Ask = {}): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const sent = begin(origin, ask);
    sent.once('response', (response) => resolve({ request: sent, response })).once('error', reject);
  });
}

/** Sends a request and reads the whole answer, also one that breaks off. */
export async function send(origin: string, ask: Ask = {}): Promise<Answer> {
  return read((await open(origin, ask)).response);
}

export async function read(response: IncomingMessage): Promise<Answer> {
  const chunks: { at: number; bytes: Buffer }[] = [];
  response.on('data', (bytes: Buffer) => chunks.push({ at: performance.now(), bytes }));
  response.on('error', () => undefined).resume();
  await new Promise<void>((resolve) => response.once('close', () => resolve()));
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks.map(({ bytes }) => bytes)),
    complete: response.complete,
    chunks,
  };
}

/** Resolves with everything read so far once it holds `text`. The rest stays for later readers. */
export function readUntil(response: IncomingMessage, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const done = (): void => void response.removeListener('data', onData).removeListener('close', onClose).pause();
    const onData = (bytes: Buffer): void => {
      seen += bytes.toString();
      if (!seen.includes(text)) return;
      done();
      resolve(seen);
    };
    const onClose = (): void => {
      done();
      reject(new Error(`the answer ended without ${JSON.stringify(text)}: ${seen}`));
    };
    response.on('data', onData).once('close', onClose).resume();
  });
}

/** Headers of a turn without some of them, and with others; names compare without regard to case. */
export function headersWith(changes: Readonly<Record<string, string | undefined>>): string[] {
  const changed = new Set(Object.keys(changes).map((name) => name.toLowerCase()));
  const headers = turnHeaders();
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!changed.has(headers[i]!.toLowerCase())) kept.push(headers[i]!, headers[i + 1]!);
  }
  for (const [name, value] of Object.entries(changes)) if (value !== undefined) kept.push(name, value);
  return kept;
}

function asBytes(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}
