/**
 * The mock upstream as its own process, shared by all peers. Answers are built once per mode: what is measured is the
 * gateway, so the upstream must cost as little as node:http lets it.
 */
import { startMockAnthropic } from '../harness/mock-anthropic.ts';
import type { Behaviour } from '../harness/mock-anthropic.ts';
import {
  closingFrames,
  defaultUsage,
  messageFrames,
  messageJson,
  providerHeaders,
  textDeltaFrame,
} from '../harness/mock-anthropic-messages.ts';
import type { Message } from '../harness/mock-anthropic-messages.ts';
import { benchModel } from './bodies.ts';
import { serveCommands } from './child-process.ts';

/** How to answer from now on. */
export type UpstreamMode =
  /** One JSON message. */
  | { readonly kind: 'json' }
  /** A whole short stream in one write: the cost of a request, without that of many small chunks. */
  | { readonly kind: 'sse' }
  /** A stream whose first event leaves at once and `events - 1` more follow `gapMs` apart. */
  | { readonly kind: 'events'; readonly events: number; readonly gapMs: number }
  /** The first events of a stream, then silence until the client leaves. */
  | { readonly kind: 'hold' };

const message: Message = {
  id: 'msg_01BenchBenchBenchBenchBe',
  model: benchModel,
  content: [{ type: 'text', text: 'A short answer of eight words or so.' }],
  stopReason: 'end_turn',
  usage: defaultUsage,
};

function behaviourOf(mode: UpstreamMode): Behaviour {
  const requestId = 'req_01BenchBenchBenchBenchBe';
  const stream = providerHeaders(requestId, 'text/event-stream; charset=utf-8');
  const frames = messageFrames(message);
  switch (mode.kind) {
    case 'json': {
      const body = messageJson(message);
      const headers = providerHeaders(requestId, 'application/json');
      return { kind: 'raw', status: 200, headers: { ...headers, 'content-length': `${body.length}` }, chunks: [body] };
    }
    case 'sse':
      return { kind: 'raw', status: 200, headers: stream, chunks: [Buffer.concat(frames)] };
    case 'events': {
      const opening = Buffer.concat(frames.slice(0, 3));
      const deltas = Array.from({ length: mode.events - 2 }, () => textDeltaFrame(0, 'one more piece of text '));
      const chunks = [opening, ...deltas, Buffer.concat(closingFrames(message, 0))];
      return { kind: 'raw', status: 200, headers: stream, chunks, gapMs: mode.gapMs };
    }
    case 'hold': {
      const chunks = [Buffer.concat(frames.slice(0, 4))];
      return { kind: 'raw', status: 200, headers: stream, chunks, gapMs: 0, keepOpen: true };
    }
    default:
      return mode satisfies never;
  }
}

const mock = await startMockAnthropic({ retain: 0, collectBodies: false });
serveCommands({ url: mock.url }, async (mode: UpstreamMode) => {
  const behaviour = behaviourOf(mode);
  mock.behave(() => behaviour);
  return { received: mock.received() };
});
