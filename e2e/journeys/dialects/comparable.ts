// An answer without what differs from call to call, so that answers that came different ways can be compared.
import type { Json } from './client-formats.ts';

/** Ids by their kind alone, and the model by its field alone: an upstream says its own name for it. */
export function comparable<T>(value: T): T {
  const text = JSON.stringify(value, (name, member: unknown) => (name === 'model' ? '…' : member));
  return JSON.parse(text.replace(/\b(msg|toolu|req)_\w+/g, '$1_…')) as T;
}

/** Without pings, which come when they come. */
export function comparableEvents(events: readonly Json[]): Json[] {
  return comparable(events.filter(({ type }) => type !== 'ping'));
}

/** Content blocks that a stream builds, as a client puts them together. */
export function contentOf(events: readonly Json[]): Json[] {
  const blocks: Record<string, unknown>[] = [];
  for (const event of events) {
    const index = event['index'] as number;
    if (event['type'] === 'content_block_start') blocks[index] = { ...(event['content_block'] as Json) };
    if (event['type'] !== 'content_block_delta') continue;
    const block = blocks[index]!;
    const { type: _, ...delta } = event['delta'] as Record<string, string>;
    for (const [name, piece] of Object.entries(delta)) {
      block[name] = (typeof block[name] === 'string' ? block[name] : '') + piece;
    }
  }
  return blocks.map(({ partial_json: json, ...block }) =>
    json === undefined ? block : { ...block, input: JSON.parse(json as string) as unknown },
  );
}
