/**
 * A stand-in for three clouds on one port: the Messages API, Bedrock's InvokeModel and Vertex. Answers are built once, one write an event,
 * so that what differs between the families is what the gateway does with them. Nothing is checked here; e2e/harness/providers does that.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeFrame } from '#dataplane/wire/aws-event-stream-encoder.ts';
import { writeHeaders } from '#dataplane/wire/aws-event-stream-headers.ts';
import {
  closingFrames,
  defaultUsage,
  messageFrames,
  messageJson,
  textDeltaFrame,
  type Message,
} from '../../harness/mock-anthropic-messages.ts';
import { benchModel } from '../bodies.ts';
import { serveCommands } from '../child-process.ts';
import { STREAMED_EVENTS, type StreamPace } from './streamed-events.ts';

const message: Message = {
  id: 'msg_01BenchBenchBenchBenchBe',
  model: benchModel,
  content: [{ type: 'text', text: 'A short answer of eight words or so.' }],
  stopReason: 'end_turn',
  usage: defaultUsage,
};

const plain = messageJson(message);
const events = [
  ...messageFrames(message).slice(0, 3),
  ...Array.from({ length: STREAMED_EVENTS - 6 }, () => textDeltaFrame(0, 'one more piece of text ')),
  ...closingFrames(message, 0),
];
const chunkHeaders = writeHeaders([
  [':event-type', { type: 'string', value: 'chunk' }],
  [':content-type', { type: 'string', value: 'application/json' }],
  [':message-type', { type: 'string', value: 'event' }],
]);
const frames = events.map((event) => {
  const json = event
    .toString()
    .replace(/^event: .*\ndata: /, '')
    .trim();
  const payload = JSON.stringify({ bytes: Buffer.from(json).toString('base64'), p: 'abcdefghij' });
  return encodeFrame(chunkHeaders, Buffer.from(payload));
});

/** Milliseconds between events: far faster than a model, far slower than the gateway. */
const PACE_MS = 2;
let pace: StreamPace = 'Paced';
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const url = request.url ?? '';
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (url.endsWith('/invoke-with-response-stream')) stream(response, 'application/vnd.amazon.eventstream', frames);
    else if (url.includes(':streamRawPredict') || isStreamed(chunks)) stream(response, 'text/event-stream', events);
    else response.writeHead(200, { 'content-type': 'application/json', 'content-length': plain.length }).end(plain);
  });
});

/** Of the bodies sent here only those of the Messages API say it. */
function isStreamed(chunks: readonly Buffer[]): boolean {
  return chunks.some((chunk) => chunk.includes('"stream":true'));
}

/** As models write: each event on its own; or as fast as the gateway takes them, so that several arrive at once. */
function stream(response: ServerResponse, contentType: string, parts: readonly Buffer[]): void {
  response.writeHead(200, { 'content-type': contentType });
  let at = 0;
  const more = (): void => {
    response.write(parts[at]);
    at += 1;
    if (at === parts.length) response.end();
    else if (pace === 'Bulk') setImmediate(more);
    else setTimeout(more, PACE_MS);
  };
  more();
}

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  serveCommands({ url: `http://127.0.0.1:${port}` }, (command: { readonly pace: StreamPace }) => {
    pace = command.pace;
    return Promise.resolve({});
  });
});
