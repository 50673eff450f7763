// Server-sent events of a cloud pass as they come, but for an error in their midst: it is worded for the holder of the account, and
// may name project, resource or role. An error event is given with those names taken out, and nothing that follows it.
import { withoutAccountIds } from '../route/account-ids.ts';
import { holds } from '../wire/bytes.ts';
import { errorEvent } from '../wire/sse-write.ts';
import type { Operation, Secrets, Translator } from './provider.ts';

const CONTENT_TYPE = 'text/event-stream; charset=utf-8';
/** How the first line of an error event begins: by its name, or by its data where nobody gave it one. The blank is for the writer to set. */
const BEGINNINGS = ['event:error', 'data:{"type":"error"', 'data:{"type": "error"', 'data:{"error"']
  .flatMap((line) => [line, line.replace(':', ': ')])
  .map((line) => Buffer.from(line));
/** Stands in each of them, and in few other chunks. */
const TELLING = Buffer.from('error');
const LINE_FEED = 0x0a;
const BLANK_LINE = /\r?\n\r?\n/;
const NOTHING = Buffer.alloc(0);
/** An error is a sentence or two; of a longer one only the fact is told. */
const MAX_ERROR = 64 * 1024;

/** A {@link StreamErrors} for streams, nothing for other answers. */
export function cloudStream(
  _operation: Operation,
  contentType: string,
  callId: string,
  secrets?: Secrets,
): Translator | undefined {
  return contentType.toLowerCase().startsWith('text/event-stream') ? new StreamErrors(callId, secrets) : undefined;
}

export class StreamErrors implements Translator {
  readonly contentType = CONTENT_TYPE;
  readonly #requestId: string;
  readonly #secrets: Secrets | undefined;
  /** The end of what came, when a line of an error may have begun there. */
  #held = NOTHING;
  #atLineStart = true;
  /** What came of the error so far, a character for each byte. */
  #error: string | undefined;
  #failed = false;

  /** @param secrets none of which is repeated */
  constructor(requestId: string, secrets?: Secrets) {
    this.#requestId = requestId;
    this.#secrets = secrets;
  }

  get failed(): boolean {
    return this.#failed;
  }

  push(chunk: Buffer): Buffer {
    if (this.#failed) return NOTHING;
    if (this.#error !== undefined) return this.#readError(chunk);
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = NOTHING;
    const at = this.#errorLine(bytes);
    if (at >= 0) {
      const before = bytes.subarray(0, at);
      this.#error = '';
      return Buffer.concat([before, this.#readError(bytes.subarray(at))]);
    }
    const keep = this.#unfinishedLine(bytes);
    if (keep < bytes.length) {
      // A copy: the chunk's memory is not ours to hold on to.
      this.#held = Buffer.from(bytes.subarray(keep));
      this.#atLineStart = true;
      return bytes.subarray(0, keep);
    }
    this.#atLineStart = bytes.length === 0 ? this.#atLineStart : bytes[bytes.length - 1] === LINE_FEED;
    return bytes;
  }

  end(): Buffer {
    if (this.#error !== undefined && !this.#failed) return this.#fail();
    const held = this.#held;
    this.#held = NOTHING;
    return held;
  }

  /** Offset of a line that begins an error event, or -1. */
  #errorLine(bytes: Buffer): number {
    if (!bytes.includes(TELLING)) return -1;
    let at = this.#atLineStart ? 0 : bytes.indexOf(LINE_FEED) + 1;
    if (at === 0 && !this.#atLineStart) return -1;
    for (;;) {
      if (BEGINNINGS.some((line) => holds(bytes, at, bytes.length, line))) return at;
      const feed = bytes.indexOf(LINE_FEED, at);
      if (feed < 0) return -1;
      at = feed + 1;
    }
  }

  /** Offset of a last line that may yet become one of an error; the length when there is none. */
  #unfinishedLine(bytes: Buffer): number {
    const end = bytes.length;
    if (bytes[end - 1] === LINE_FEED) return end;
    const start = bytes.lastIndexOf(LINE_FEED) + 1;
    if (start === 0 && !this.#atLineStart) return end;
    const there = end - start;
    const mayBecome = (line: Buffer): boolean => there < line.length && line.compare(bytes, start, end, 0, there) === 0;
    return BEGINNINGS.some(mayBecome) ? start : end;
  }

  #readError(bytes: Buffer): Buffer {
    this.#error += bytes.toString('latin1');
    const whole = BLANK_LINE.test(this.#error!) || this.#error!.length > MAX_ERROR;
    return whole ? this.#fail() : NOTHING;
  }

  #fail(): Buffer {
    this.#failed = true;
    const { type, message } = errorOf(Buffer.from(this.#error!, 'latin1').toString());
    this.#error = '';
    const words = this.#secrets?.leaksInto(message) === true ? UNREADABLE.message : withoutAccountIds(message);
    return errorEvent(TYPE.test(type) ? type : UNREADABLE.type, words, this.#requestId);
  }
}

/** What is no word of this kind is no type, and may be anything. */
const TYPE = /^[a-z_]{1,40}$/;
const UNREADABLE = { type: 'api_error', message: 'the upstream failed in the middle of the answer' };

function errorOf(event: string): { type: string; message: string } {
  const data = event
    .split(BLANK_LINE, 1)[0]!
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice('data:'.length))
    .join('\n');
  try {
    const { error } = JSON.parse(data) as { error?: { type?: unknown; message?: unknown } };
    if (typeof error?.type === 'string' && typeof error.message === 'string')
      return { type: error.type, message: error.message };
  } catch {
    // Said below.
  }
  return UNREADABLE;
}
