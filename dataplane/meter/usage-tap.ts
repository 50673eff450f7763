// Reads usage out of an answer that flows past. Streams: message_start carries the input side, message_delta the running output side;
// later figures replace earlier ones. Plain answers: one `usage` object at the top level, found by a scan.
import type { Usage } from '#shared/catalog/cost.ts';
import { FieldSet, scanTopLevel } from '../wire/json-fields.ts';
import { SseReader } from '../wire/sse-events.ts';
import type { Outcome } from './call-record.ts';

export interface UsageTap {
  push(chunk: Buffer): void;
  /** True where an event of our own may be written. */
  readonly atBoundary: boolean;
  /** What to write before an event of our own that interrupts the one in progress. */
  readonly breakOff: '' | '\n';
  /** The answer ended of its own accord. */
  finish(): Outcome;
  /** What was used, once nothing more comes; `estimated` when the final figure never did. Undefined when nothing is known. */
  used(): { readonly usage: Usage; readonly estimated: boolean } | undefined;
}

/** About four characters make a token of English text; for output nobody counted for us. */
const CHARS_PER_TOKEN = 4;
/** A plain answer larger than this is relayed all the same, but not read. The largest real ones are below 2 MiB. */
const MAX_PLAIN_BYTES = 32 * 1024 * 1024;

const PLAIN_FIELDS = new FieldSet(['usage', 'type']);

type Counts = { -readonly [K in keyof Usage]: Usage[K] };

/** @param free token counts are not charged: nothing is read */
export function openTap(isStream: boolean, free: boolean): UsageTap {
  if (free) return FREE;
  return isStream ? new StreamTap() : new PlainTap();
}

const FREE: UsageTap = {
  push: () => undefined,
  atBoundary: true,
  breakOff: '',
  finish: () => 'complete',
  used: () => undefined,
};

class StreamTap implements UsageTap {
  readonly #reader = new SseReader((name, data) => this.#event(name, data));
  readonly #counts = noCounts();
  #started = false;
  #final = false;
  #stopped = false;
  #failed = false;

  push(chunk: Buffer): void {
    this.#reader.push(chunk);
  }

  get atBoundary(): boolean {
    return this.#reader.atBoundary;
  }

  get breakOff(): '' | '\n' {
    return this.#reader.breakOff;
  }

  finish(): Outcome {
    this.#reader.end();
    if (this.#failed) return 'stream_error';
    return this.#stopped ? 'complete' : 'truncated';
  }

  used(): { usage: Usage; estimated: boolean } | undefined {
    // A frame cut before its blank line is paid for like any other.
    this.#reader.end();
    if (!this.#started && this.#reader.outputChars === 0) return undefined;
    if (this.#final) return { usage: this.#counts, estimated: false };
    const floor = Math.ceil(this.#reader.outputChars / CHARS_PER_TOKEN);
    return { usage: { ...this.#counts, outputTokens: Math.max(this.#counts.outputTokens, floor) }, estimated: true };
  }

  #event(name: string, data: Buffer): void {
    if (name === 'message_stop') this.#stopped = true;
    else if (name === 'error') this.#failed = true;
    else {
      const event = parseObject(data);
      const message = name === 'message_start' ? object(event?.['message']) : event;
      const usage = object(message?.['usage']);
      if (usage === undefined) return;
      this.#started = true;
      if (name === 'message_delta') this.#final = true;
      readUsage(usage, this.#counts);
    }
  }
}

class PlainTap implements UsageTap {
  readonly atBoundary = false;
  readonly breakOff = '';
  #chunks: Buffer[] | undefined = [];
  #bytes = 0;
  #finished = false;
  #used: { usage: Usage; estimated: boolean } | undefined;

  push(chunk: Buffer): void {
    if (this.#chunks === undefined) return;
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_PLAIN_BYTES) this.#chunks = undefined;
    else this.#chunks.push(chunk);
  }

  finish(): Outcome {
    this.#finished = true;
    return this.#read() ? 'complete' : 'truncated';
  }

  /** Of an answer that was broken off, what came was had: its usage stands at the end, and leaving before that must not be free. */
  used(): { usage: Usage; estimated: boolean } | undefined {
    if (this.#finished || this.#used !== undefined || this.#bytes === 0) return this.#used;
    if (this.#read()) return this.#used;
    return { usage: { ...noCounts(), outputTokens: Math.ceil(this.#bytes / CHARS_PER_TOKEN) }, estimated: true };
  }

  /** @returns whether the body is whole */
  #read(): boolean {
    const body = Buffer.concat(this.#chunks ?? []);
    this.#chunks = undefined;
    const scan = scanTopLevel(body, PLAIN_FIELDS);
    const field = scan.ok ? scan.fields.usage : undefined;
    const usage = field && parseObject(body.subarray(field.start, field.end));
    if (usage !== undefined) {
      const counts = noCounts();
      readUsage(usage, counts);
      this.#used = { usage: counts, estimated: false };
    }
    return scan.ok;
  }
}

function noCounts(): Counts {
  return {
    inputTokens: 0,
    outputTokens: 0,
    cacheReadTokens: 0,
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    webSearchRequests: 0,
  };
}

/** Takes over the figures that are there; absent ones keep what an earlier event said. */
function readUsage(usage: Record<string, unknown>, counts: Counts): void {
  counts.inputTokens = count(usage['input_tokens']) ?? counts.inputTokens;
  counts.outputTokens = count(usage['output_tokens']) ?? counts.outputTokens;
  counts.cacheReadTokens = count(usage['cache_read_input_tokens']) ?? counts.cacheReadTokens;
  readCacheWrites(usage, counts);
  const search = count(object(usage['server_tool_use'])?.['web_search_requests']);
  counts.webSearchRequests = search ?? counts.webSearchRequests;
  const { speed, inference_geo: geo } = usage;
  if (speed === 'fast' || speed === 'standard') counts.speed = speed;
  if (typeof geo === 'string') counts.inferenceGeo = geo;
}

/**
 * The sum comes in one figure; which cache it went to only in the detail, which the end of a stream leaves out: then what the start
 * said of the 1-hour cache holds. The rest of the sum is the 5-minute cache.
 */
function readCacheWrites(usage: Record<string, unknown>, counts: Counts): void {
  const detail = object(usage['cache_creation']);
  const total = count(usage['cache_creation_input_tokens']);
  if (detail === undefined && total === undefined) return;
  const oneHour =
    detail === undefined
      ? Math.min(counts.cacheWrite1hTokens, total ?? 0)
      : (count(detail['ephemeral_1h_input_tokens']) ?? 0);
  const fiveMinutes = count(detail?.['ephemeral_5m_input_tokens']) ?? 0;
  counts.cacheWrite1hTokens = oneHour;
  counts.cacheWrite5mTokens = Math.max(fiveMinutes, (total ?? 0) - oneHour);
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function parseObject(data: Buffer): Record<string, unknown> | undefined {
  try {
    return object(JSON.parse(data.toString()));
  } catch {
    return undefined;
  }
}

function object(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}
