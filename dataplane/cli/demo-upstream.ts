// A stand-in for the Anthropic API on this machine, for a first look without an account: it streams a fixed answer and counts tokens
// by length. Nothing here is a model, and every answer says so.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface DemoUpstream {
  readonly url: string;
  close(): void;
}

const ANSWER =
  'Hello from the Portcullis demo upstream. No model was asked: the gateway checked your key, applied your policy, chose an upstream, ' +
  'streamed this text and counted its tokens. Set ANTHROPIC_API_KEY and start again for real answers.';
const WORD_EVERY_MS = 20;
const CHARS_PER_TOKEN = 4;

export async function startDemoUpstream(): Promise<DemoUpstream> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => answer(request, response, Buffer.concat(chunks)));
    request.on('error', () => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const { model, stream } = parse(body);
  const inputTokens = Math.ceil(body.length / CHARS_PER_TOKEN);
  if (request.url?.startsWith('/v1/messages/count_tokens')) sendJson(response, { input_tokens: inputTokens });
  else if (stream) sendStream(response, model, inputTokens);
  else
    sendJson(response, {
      ...message(model, inputTokens),
      content: [{ type: 'text', text: ANSWER }],
      stop_reason: 'end_turn',
      usage: usage(inputTokens, ANSWER.length),
    });
}

function sendStream(response: ServerResponse, model: string, inputTokens: number): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  const send = (event: { type: string }): void =>
    void response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  const words = ANSWER.split(/(?<= )/);
  send({
    type: 'message_start',
    message: { ...message(model, inputTokens), content: [], usage: usage(inputTokens, 0) },
  } as never);
  send({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } } as never);
  const timer = setInterval(() => {
    const text = words.shift();
    if (text !== undefined) {
      send({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } } as never);
      return;
    }
    clearInterval(timer);
    send({ type: 'content_block_stop', index: 0 } as never);
    send({
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: Math.ceil(ANSWER.length / CHARS_PER_TOKEN) },
    } as never);
    send({ type: 'message_stop' });
    response.end();
  }, WORD_EVERY_MS);
  response.on('close', () => clearInterval(timer));
}

function message(model: string, inputTokens: number) {
  return {
    id: 'msg_demo',
    type: 'message',
    role: 'assistant',
    model,
    stop_reason: null as string | null,
    stop_sequence: null,
    usage: usage(inputTokens, 0),
  };
}

function usage(inputTokens: number, outputChars: number) {
  return { input_tokens: inputTokens, output_tokens: Math.ceil(outputChars / CHARS_PER_TOKEN) };
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function parse(body: Buffer): { model: string; stream: boolean } {
  try {
    const { model, stream } = JSON.parse(body.toString()) as { model?: unknown; stream?: unknown };
    return { model: typeof model === 'string' ? model : 'unknown', stream: stream === true };
  } catch {
    return { model: 'unknown', stream: false };
  }
}
