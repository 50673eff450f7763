/**
 * Carries out one behaviour on one response of the mock upstream. Frames leave as separate writes after the headers were
 * flushed, the way a provider's do; that is what makes Nagle or an event held back visible to a test.
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBrotliCompress, createGzip, createZstdCompress } from 'node:zlib';
import type {
  Behaviour,
  Encoding,
  EventStreamAnswer,
  RawAnswer,
  TextAnswer,
  ToolAnswer,
} from './mock-anthropic-behaviour.ts';
import {
  blockStartFrame,
  closingFrames,
  defaultUsage,
  errorEnvelope,
  errorTypeOf,
  frame,
  messageFrames,
  messageJson,
  pingFrame,
  providerHeaders,
  startFrame,
  textDeltaFrame,
} from './mock-anthropic-messages.ts';
import type { ContentBlock, Message, Usage } from './mock-anthropic-messages.ts';

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
}

type Headers = Readonly<Record<string, string | undefined>>;
type MessageBehaviour = TextAnswer | ToolAnswer | EventStreamAnswer;

const messagePaths: ReadonlySet<string> = new Set(['/v1/messages', '/v1/messages/count_tokens']);

/** Sends the answer. Resolves when all was written, or rejects with the abort when the client left. */
export async function reply(response: ServerResponse, behaviour: Behaviour, context: ReplyContext): Promise<void> {
  switch (behaviour.kind) {
    case 'raw':
      return raw(response, behaviour, context);
    case 'hang':
      return;
    case 'status': {
      if (behaviour.delayMs !== undefined) await sleep(behaviour.delayMs, undefined, { signal: context.gone });
      const type = behaviour.errorType ?? errorTypeOf(behaviour.status);
      const body = behaviour.body ?? errorEnvelope(type, behaviour.message ?? 'mock error', context.requestId);
      return whole(response, behaviour.status, body, context, behaviour.headers);
    }
    case 'redirect':
      return whole(response, behaviour.status ?? 302, '', context, { location: behaviour.location });
    case 'count':
      return count(response, behaviour.inputTokens, context);
    case 'text':
    case 'tool':
    case 'events':
    case 'cut':
    case 'silence':
    case 'error-event':
      return answer(response, behaviour, context);
  }
}

/** Answers that need a readable request: checks it as the provider would, then writes a message. */
async function answer(
  response: ServerResponse,
  behaviour: Extract<Behaviour, { kind: 'text' | 'tool' | 'events' | 'cut' | 'silence' | 'error-event' }>,
  context: ReplyContext,
): Promise<void> {
  if (context.method !== 'POST' || !messagePaths.has(context.path)) {
    return whole(response, 404, errorEnvelope('not_found_error', 'Not found', context.requestId), context);
  }
  const body = context.json();
  if (body === undefined || typeof body['model'] !== 'string') {
    const text = body === undefined ? 'The request body is not valid JSON' : 'model: Field required';
    return whole(response, 400, errorEnvelope('invalid_request_error', text, context.requestId), context);
  }
  if (context.path.endsWith('/count_tokens')) return count(response, Math.ceil(context.bodyLength / 4), context);

  const model = body['model'];
  const streaming = body['stream'] === true;
  switch (behaviour.kind) {
    case 'text':
    case 'tool': {
      if (behaviour.delayMs !== undefined) await sleep(behaviour.delayMs, undefined, { signal: context.gone });
      const message = messageOf(behaviour, model, body, context);
      if (streaming) return stream(response, messageFrames(message), behaviour, context);
      return encoded(response, messageJson(message), behaviour, context);
    }
    case 'events': {
      if (behaviour.delayMs !== undefined) await sleep(behaviour.delayMs, undefined, { signal: context.gone });
      return stream(response, eventFrames(behaviour, model, context), behaviour, context);
    }
    case 'cut': {
      const message = textMessage(behaviour.text, model, context);
      if (streaming) await stream(response, messageFrames(message).slice(0, behaviour.afterEvents), {}, context, true);
      else await half(response, messageJson(message), context);
      context.onCut();
      response.destroy();
      return;
    }
    case 'silence': {
      const frames = messageFrames(textMessage(behaviour.text, model, context));
      await stream(response, frames.slice(0, behaviour.afterEvents), {}, context, true);
      if (behaviour.forMs === undefined) return;
      await sleep(behaviour.forMs, undefined, { signal: context.gone });
      response.end(Buffer.concat(frames.slice(behaviour.afterEvents)));
      return;
    }
    case 'error-event': {
      const frames = messageFrames(textMessage(undefined, model, context)).slice(0, behaviour.afterEvents);
      const error = { type: behaviour.errorType ?? 'overloaded_error', message: behaviour.message ?? 'Overloaded' };
      frames.push(frame('error', { type: 'error', error, request_id: context.requestId }));
      return stream(response, frames, {}, context);
    }
  }
}

function mergeUsage(usage: Partial<Usage> | undefined): Usage {
  return { ...defaultUsage, ...usage };
}

function textMessage(text: string | undefined, model: string, context: ReplyContext): Message {
  return messageOf({ kind: 'text', ...(text === undefined ? {} : { text }) }, model, {}, context);
}

function messageOf(
  behaviour: TextAnswer | ToolAnswer,
  model: string,
  body: Readonly<Record<string, unknown>>,
  context: ReplyContext,
): Message {
  const usage = mergeUsage(behaviour.usage);
  if (behaviour.kind === 'tool' && !hasToolResult(body)) {
    const id = context.messageId.replace('msg_', 'toolu_');
    const content: ContentBlock[] = [{ type: 'tool_use', id, name: behaviour.name, input: behaviour.input }];
    return { id: context.messageId, model, content, stopReason: 'tool_use', usage };
  }
  const text = (behaviour.kind === 'tool' ? behaviour.finalText : behaviour.text) ?? 'Hello from the mock upstream.';
  const stopReason = (behaviour.kind === 'text' ? behaviour.stopReason : undefined) ?? 'end_turn';
  return { id: context.messageId, model, content: [{ type: 'text', text }], stopReason, usage };
}

/** True when the last message of the conversation carries a tool's result. */
function hasToolResult(body: Readonly<Record<string, unknown>>): boolean {
  const messages: unknown = body['messages'];
  const last: unknown = Array.isArray(messages) ? messages.at(-1) : undefined;
  const content: unknown = typeof last === 'object' && last !== null && 'content' in last ? last.content : undefined;
  if (!Array.isArray(content)) return false;
  return content.some((block: unknown) => {
    return typeof block === 'object' && block !== null && 'type' in block && block.type === 'tool_result';
  });
}

function eventFrames(behaviour: EventStreamAnswer, model: string, context: ReplyContext): Buffer[] {
  const usage = mergeUsage({ output_tokens: behaviour.count, ...behaviour.usage });
  const block: ContentBlock = { type: 'text', text: '' };
  const message: Message = { id: context.messageId, model, content: [block], stopReason: 'end_turn', usage };
  const opening = Buffer.concat([startFrame(message), blockStartFrame(0, block), pingFrame]);
  const delta = textDeltaFrame(0, behaviour.delta ?? 'one more piece of text ');
  const frames = [opening, ...Array.from({ length: behaviour.count }, () => delta)];
  const last = frames.pop() ?? opening;
  return [...frames, Buffer.concat([last, ...closingFrames(message, 0)])];
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
  const headers: OutgoingHttpHeaders = providerHeaders(context.requestId, 'application/json');
  headers['content-length'] = Buffer.byteLength(body);
  response.writeHead(status, setHeaders(headers, over)).end(body);
}

function count(response: ServerResponse, inputTokens: number, context: ReplyContext): void {
  whole(response, 200, JSON.stringify({ input_tokens: inputTokens }), context);
}

async function half(response: ServerResponse, body: Buffer, context: ReplyContext): Promise<void> {
  const headers: OutgoingHttpHeaders = providerHeaders(context.requestId, 'application/json');
  headers['content-length'] = body.length;
  response.writeHead(200, headers);
  await written(response, body.subarray(0, body.length >> 1));
}

function encoded(response: ServerResponse, body: Buffer, behaviour: MessageBehaviour, context: ReplyContext): void {
  if (behaviour.encoding === undefined) return whole(response, 200, body, context, behaviour.headers);
  const headers: OutgoingHttpHeaders = providerHeaders(context.requestId, 'application/json');
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
  const headers: OutgoingHttpHeaders = providerHeaders(context.requestId, 'text/event-stream; charset=utf-8');
  if (options.encoding !== undefined) headers['content-encoding'] = options.encoding;
  response.writeHead(200, setHeaders(headers, options.headers)).flushHeaders();
  const coder = options.encoding === undefined ? undefined : compressors[options.encoding]();
  coder?.pipe(response);
  for (const [index, chunk] of frames.entries()) {
    if (index > 0 && options.gapMs) await sleep(options.gapMs, undefined, { signal: context.gone });
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
