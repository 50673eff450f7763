// Server-sent events for tests of streams: what a scripted upstream sends, and how the client's SDK reads what arrives.
import type { Behaviour } from '../harness/mock-anthropic.ts';

export const SSE = { 'content-type': 'text/event-stream; charset=utf-8' };

export const START =
  'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":7,"output_tokens":1}}}\n\n';

export function delta(text: string): string {
  const data = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } };
  return `event: content_block_delta\ndata: ${JSON.stringify(data)}\n\n`;
}

export const END =
  'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}\n\n' +
  'event: message_stop\ndata: {"type":"message_stop"}\n\n';

/** An upstream that streams exactly these chunks. */
export function streaming(...chunks: (string | Buffer)[]): Behaviour {
  return { kind: 'raw', status: 200, headers: SSE, chunks, gapMs: 0 };
}

/** Names and data of the events in a text; the last `event:` line of an event counts, data lines are joined. */
export function events(text: string): { name: string; data: string }[] {
  return text
    .split('\n\n')
    .filter((block) => block.trim() !== '')
    .map((block) => {
      const lines = block.split('\n');
      const of = (field: string): string[] =>
        lines.filter((line) => line.startsWith(field)).map((line) => line.slice(field.length).trimStart());
      return { name: of('event:').at(-1) ?? '', data: of('data:').join('\n') };
    });
}
