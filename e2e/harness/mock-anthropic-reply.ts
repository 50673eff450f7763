/**
 * Carries out one behaviour on one response of the mock upstream. Frames leave as separate writes after the headers were
 * flushed, the way a provider's do; that is what makes Nagle or an event held back visible to a test.
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBrotliCompress, createGzip, createZstdCompress } from 'node:zlib';
import type {
  Behaviour,
  CutAnswer,
  Encoding,
  ErrorEventAnswer,
  EventStreamAnswer,
  RawAnswer,
  SilenceAnswer,
  StatusAnswer,
  TextAnswer,
  ThinkingAnswer,
  ToolAnswer,
} from './mock-anthropic-behaviour.ts';
import { eventFrames, messageOf, textMessage } from './mock-anthropic-content.ts';
import {
  errorEnvelope,
  errorTypeOf,
  frame,
  messageFrames,
  messageJson,
  providerHeaders,
} from './mock-anthropic-messages.ts';

/** How another surface than the Messages API writes its answers. */
export interface ReplySurface {
  readonly headers: (requestId: string, contentType: string) => Record<string, string>;
  readonly streamType?: string;
  /** One or more server-sent events as the surface streams them. */
  encode?(events: Buffer): Buffer;
  /** An error in the surface's own shape. */
  error(status: number, message: string): { readonly headers: Headers; readonly body: string };
  count?(inputTokens: number): string;
  /** What an answer says of the model that was asked for. Default: the name it was asked for by. */
  modelName?(asked: string): string;
}

/** What a reply needs to know of the request. `json` is undefined when the body is not a JSON object. */
export interface ReplyContext {
  readonly requestId: string;
  readonly messageId: string;
  readonly bodyLength: number;
  readonly method: string;
  readonly path: string;
  readonly json: () => Readonly<Record<string, unknown>> | undefined;
  /** Called before the mock itself breaks the connection, so that the record does not blame the client. */
  readonly onCut: () => void;
  /** Aborted when the connection is gone. */
  readonly gone: AbortSignal;
  readonly surface?: ReplySurface | undefined;
}

type Headers = Readonly<Record<string, string | undefined>>;
type MessageBehaviour = TextAnswer | ToolAnswer | ThinkingAnswer | EventStreamAnswer;

const messagePaths: ReadonlySet<string> = new Set(['/v1/messages', '/v1/messages/count_tokens']);

/** Sends the answer. Resolves when all was written, or rejects with the abort when the client left. */
export async function reply(response: ServerResponse, behaviour: Behaviour, context: ReplyContext): Promise<void> {
  switch (behaviour.kind) {
    case 'raw':
      return raw(response, behaviour, context);
    case 'hang':
      return;
    case 'status':
      return status(response, behaviour, context);
    case 'redirect':
      return whole(response, behaviour.status ?? 302, '', context, { location: behaviour.location });
    case 'count':
      return count(response, behaviour.inputTokens, context);
    case 'text':
    case 'tool':
    case 'thinking':
    case 'events':
    case 'cut':
    case 'silence':
    case 'error-event':
      return answer(response, behaviour, context);
  }
}

async function status(response: ServerResponse, behaviour: StatusAnswer, context: ReplyContext): Promise<void> {
  const { status, message = 'mock error', native = false, headers } = behaviour;
  if (behaviour.delayMs !== undefined) await sleep(behaviour.delayMs, undefined, { signal: context.gone });
  const own = native ? context.surface?.error(status, message) : undefined;
  if (own !== undefined) return whole(response, status, own.body, context, { ...own.headers, ...headers });
  const type = behaviour.errorType ?? errorTypeOf(status);
  return whole(response, status, behaviour.body ?? errorEnvelope(type, message, context.requestId), context, headers);
}

/** Answers that need a readable request: checks it as the provider would, then writes a message. */
async function answer(
  response: ServerResponse,
  behaviour: Extract<Behaviour, { kind: 'text' | 'tool' | 'thinking' | 'events' | 'cut' | 'silence' | 'error-event' }>,
  context: ReplyContext,
): Promise<void> {
  if (context.method === 'GET' && context.path === '/v1/models') {
    // The first of many pages, from which nobody may conclude that a model is missing.
    return whole(response, 200, JSON.stringify({ data: [], has_more: true }), context);
  }
  if (context.method !== 'POST' || !messagePaths.has(context.path)) {
    return whole(response, 404, errorEnvelope('not_found_error', 'Not found', context.requestId), context);
  }
  const body = context.json();
  if (body === undefined || typeof body['model'] !== 'string') {
    const text = body === undefined ? 'The request body is not valid JSON' : 'model: Field required';
    return whole(response, 400, errorEnvelope('invalid_request_error', text, context.requestId), context);
  }
  if (context.path.endsWith('/count_tokens')) return count(response, Math.ceil(context.bodyLength / 4), context);

  const model = modelName(context, body['model']);
  const streaming = body['stream'] === true;
  if ('delayMs' in behaviour) await sleep(behaviour.delayMs, undefined, { signal: context.gone });
  switch (behaviour.kind) {
    case 'text':
    case 'thinking':
    case 'tool': {
      const message = messageOf(behaviour, model, body, context.messageId);
      if (streaming) return stream(response, messageFrames(message), behaviour, context);
      return encoded(response, messageJson(message), behaviour, context);
    }
    case 'events': {
      return stream(response, eventFrames(behaviour, model, context.messageId), behaviour, context);
    }
    case 'cut':
    case 'silence':
    case 'error-event':
      return interrupted(response, behaviour, model, streaming, context);
  }
}

function modelName({ surface }: ReplyContext, asked: string): string {
  return surface?.modelName?.(asked) ?? asked;
}

/** Answers that do not come to their end. */
async function interrupted(
  response: ServerResponse,
  behaviour: CutAnswer | SilenceAnswer | ErrorEventAnswer,
  model: string,
  streaming: boolean,
  context: ReplyContext,
): Promise<void> {
  switch (behaviour.kind) {
    case 'cut': {
      const message = textMessage(behaviour.text, model, context.messageId);
      if (streaming) await stream(response, messageFrames(message).slice(0, behaviour.afterEvents), {}, context, true);
      else await half(response, messageJson(message), context);
      context.onCut();
      response.destroy();
      return;
    }
    case 'silence': {
      const frames = messageFrames(textMessage(behaviour.text, model, context.messageId));
      await stream(response, frames.slice(0, behaviour.afterEvents), {}, context, true);
      if (behaviour.forMs === undefined) return;
      await sleep(behaviour.forMs, undefined, { signal: context.gone });
      const rest = Buffer.concat(frames.slice(behaviour.afterEvents));
      response.end(context.surface?.encode?.(rest) ?? rest);
      return;
    }
    case 'error-event': {
      const frames = messageFrames(textMessage(undefined, model, context.messageId)).slice(0, behaviour.afterEvents);
      const error = { type: behaviour.errorType ?? 'overloaded_error', message: behaviour.message ?? 'Overloaded' };
      frames.push(frame('error', { type: 'error', error, request_id: context.requestId }));
      return stream(response, frames, {}, context);
    }
  }
}

function headersOf({ requestId, surface }: ReplyContext, contentType: string): OutgoingHttpHeaders {
  return (surface?.headers ?? providerHeaders)(requestId, contentType);
}

function setHeaders(headers: OutgoingHttpHeaders, over: Headers | undefined): OutgoingHttpHeaders {
  for (const [name, value] of Object.entries(over ?? {})) {
    if (value === undefined) delete headers[name];
    else headers[name] = value;
  }
  return headers;
}

function whole(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  context: ReplyContext,
  over?: Headers,
): void {
  const headers = headersOf(context, 'application/json');
  headers['content-length'] = Buffer.byteLength(body);
  response.writeHead(status, setHeaders(headers, over)).end(body);
}

function count(response: ServerResponse, inputTokens: number, context: ReplyContext): void {
  const body = context.surface?.count?.(inputTokens) ?? JSON.stringify({ input_tokens: inputTokens });
  whole(response, 200, body, context);
}

async function half(response: ServerResponse, body: Buffer, context: ReplyContext): Promise<void> {
  const headers = headersOf(context, 'application/json');
  headers['content-length'] = body.length;
  response.writeHead(200, headers);
  await written(response, body.subarray(0, body.length >> 1));
}

function encoded(response: ServerResponse, body: Buffer, behaviour: MessageBehaviour, context: ReplyContext): void {
  if (behaviour.encoding === undefined) return whole(response, 200, body, context, behaviour.headers);
  const headers = headersOf(context, 'application/json');
  headers['content-encoding'] = behaviour.encoding;
  response.writeHead(200, setHeaders(headers, behaviour.headers));
  const coder = compressors[behaviour.encoding]();
  coder.pipe(response);
  coder.end(body);
}

interface StreamOptions {
  readonly encoding?: Encoding;
  readonly gapMs?: number;
  readonly headers?: Headers;
}

async function stream(
  response: ServerResponse,
  frames: readonly Buffer[],
  options: StreamOptions,
  context: ReplyContext,
  keepOpen = false,
): Promise<void> {
  const headers = headersOf(context, context.surface?.streamType ?? 'text/event-stream; charset=utf-8');
  if (options.encoding !== undefined) headers['content-encoding'] = options.encoding;
  response.writeHead(200, setHeaders(headers, options.headers)).flushHeaders();
  const coder = options.encoding === undefined ? undefined : compressors[options.encoding]();
  coder?.pipe(response);
  for (const [index, events] of frames.entries()) {
    if (index > 0 && options.gapMs) await sleep(options.gapMs, undefined, { signal: context.gone });
    const chunk = context.surface?.encode?.(events) ?? events;
    if (coder === undefined) await written(response, chunk);
    else {
      coder.write(chunk);
      // Without a flush the coder would hold small events back until it has a block.
      await new Promise<void>((resolve) => coder.flush(resolve));
    }
  }
  if (!keepOpen) (coder ?? response).end();
}

async function raw(response: ServerResponse, behaviour: RawAnswer, context: ReplyContext): Promise<void> {
  response.writeHead(behaviour.status, behaviour.headers);
  if (behaviour.gapMs !== undefined) response.flushHeaders();
  const last = behaviour.chunks.length - 1;
  for (const [index, chunk] of behaviour.chunks.entries()) {
    if (index > 0 && behaviour.gapMs) await sleep(behaviour.gapMs, undefined, { signal: context.gone });
    if (index === last && !behaviour.keepOpen) response.end(chunk);
    else response.write(chunk);
  }
  if (last < 0 && !behaviour.keepOpen) response.end();
}

const compressors = { gzip: createGzip, br: createBrotliCompress, zstd: createZstdCompress };

/** Resolves when the bytes were handed to the kernel, so that a cut after it does not swallow them. */
async function written(response: ServerResponse, chunk: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    response.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}
