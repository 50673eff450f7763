// The answer of InvokeModelWithResponseStream as the server-sent events of the Messages API: each frame holds one event
// in base64, decoded straight to where it is sent from. Events keep their order and, but for the metrics Bedrock adds to
// the last one, their bytes.

import { holds } from '../wire/bytes.ts';
import {
  EventStreamDecoder,
  type EventStreamDecoderOptions,
  type EventStreamFrame,
} from '../wire/aws-event-stream-decoder.ts';
import { type EventStreamHeaders, writeHeaders } from '../wire/aws-event-stream-headers.ts';
import { EventStreamError } from '../wire/aws-event-stream-layout.ts';
import { FieldSet, scanTopLevel } from '../wire/json-fields.ts';
import { fieldString } from '../wire/json-values.ts';
import { errorEvent } from '../wire/sse-write.ts';
import { streamErrorOf } from './bedrock-stream-errors.ts';
import { StreamOutput } from './bedrock-stream-output.ts';
import { eventType } from './bedrock-stream-type.ts';
import type { Translator } from './provider.ts';

/** Headers of a frame that holds an event, in the order Bedrock writes them. */
export const CHUNK_HEADERS = writeHeaders([
  [':event-type', { type: 'string', value: 'chunk' }],
  [':content-type', { type: 'string', value: 'application/json' }],
  [':message-type', { type: 'string', value: 'event' }],
]);

const PAYLOAD_OPENING = Buffer.from('{"bytes":"');
const PAYLOAD = new FieldSet(['bytes']);
/** Nearly every event of a stream is one of these: its line is written before the event is known. */
const DELTA = Buffer.from('{"type":"content_block_delta"');
const DELTA_LINE = eventLine('content_block_delta');
/** Bytes of the blank line. */
const EVENT_END = 2;
const METRICS = 'amazon-bedrock-invocationMetrics';

const QUOTE = 0x22;
const CLOSE_BRACE = 0x7d;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

export class BedrockStream implements Translator {
  readonly contentType = 'text/event-stream; charset=utf-8';
  readonly #requestId: string;
  readonly #decoder: EventStreamDecoder;
  readonly #output = new StreamOutput();
  /** Headers last seen on an event, so that only headers of another kind are read. */
  #chunkHeaders: Buffer = CHUNK_HEADERS;
  #failed = false;

  /** @param requestId the id of the request in the audit record, for error events */
  constructor(requestId: string, options?: EventStreamDecoderOptions) {
    this.#requestId = requestId;
    this.#decoder = new EventStreamDecoder((frame) => this.#read(frame), options);
  }

  /** True once an error event was written for an exception, an error or damage. Nothing follows it. */
  get failed(): boolean {
    return this.#failed;
  }

  /**
   * Translates the next bytes of the answer.
   *
   * @returns whole events, so that an event of the gateway's own may be written behind them; empty when none became
   *   whole. Never written to again
   */
  push(chunk: Buffer): Buffer {
    // A frame's headers and base64 take more than the event's line does.
    this.#output.begin(chunk.length);
    if (this.#failed) return this.#output.take();
    try {
      this.#decoder.push(chunk);
    } catch (error) {
      this.#damaged(error);
    }
    return this.#output.take();
  }

  /** Tells that the answer is over. @returns an error event when it ended within a frame, otherwise nothing */
  end(): Buffer {
    this.#output.begin(0);
    if (this.#failed) return this.#output.take();
    try {
      this.#decoder.end();
    } catch (error) {
      this.#damaged(error);
    }
    return this.#output.take();
  }

  #damaged(error: unknown): void {
    if (!(error instanceof EventStreamError)) throw error;
    const cut = error.code === 'truncated';
    this.#fail('api_error', cut ? 'the upstream answer ended too early' : 'the upstream answer could not be read');
  }

  #fail(type: string, message: string): void {
    this.#failed = true;
    this.#output.append(errorEvent(type, message, this.#requestId));
  }

  #read(frame: EventStreamFrame): void {
    if (this.#failed) return;
    if (frame.hasHeaders(this.#chunkHeaders)) this.#translate(frame);
    else this.#readOther(frame, frame.headers());
  }

  /** Kinds of messages and events nobody knows yet are passed over, as unknown events are. */
  #readOther(frame: EventStreamFrame, headers: EventStreamHeaders): void {
    const kind = headers.get(':message-type')?.value;
    if (kind === 'event' && headers.get(':event-type')?.value === 'chunk') {
      this.#chunkHeaders = Buffer.from(frame.source.subarray(frame.start, frame.payload));
      this.#translate(frame);
    } else if (kind === 'exception' || kind === 'error') {
      const name = headers.get(kind === 'error' ? ':error-code' : ':exception-type')?.value;
      const error = streamErrorOf(String(name), frame.source.subarray(frame.payload, frame.end));
      this.#fail(error.type, error.message);
    }
  }

  #translate({ source, payload, end }: EventStreamFrame): void {
    const target = this.#output.reserve(DELTA_LINE.length + end - payload + EVENT_END);
    const at = this.#output.length;
    const dataStart = at + DELTA_LINE.length;
    DELTA_LINE.copy(target, at);
    let dataEnd = dataStart + decodeUsual(source, payload, end, target, dataStart);
    if (dataEnd === dataStart || target[dataEnd - 1] !== CLOSE_BRACE) {
      const encoded = encodedBytes(source, payload, end);
      if (encoded === undefined) return this.#unreadable();
      dataEnd = dataStart + target.write(encoded, dataStart, 'base64');
      // A sign of life without an event.
      if (dataEnd === dataStart) return;
    }
    if (holds(target, dataStart, dataEnd, DELTA)) {
      this.#output.length = endEvent(target, dataStart, dataEnd);
      return;
    }
    const type = eventType(target, dataStart, dataEnd);
    if (type === undefined) this.#unreadable();
    else if (type !== '') this.#writeEvent(type, target.subarray(dataStart, dataEnd));
  }

  /** @param data lies where the output is written next, or a little behind */
  #writeEvent(type: string, data: Buffer): void {
    const line = eventLine(type);
    const whole = type === 'message_stop' ? withoutMetrics(data) : data;
    const target = this.#output.reserve(line.length + whole.length + EVENT_END);
    const at = this.#output.length;
    const dataStart = at + line.length;
    // The data first: the line may stand where it lies.
    const dataEnd = dataStart + whole.copy(target, dataStart);
    line.copy(target, at);
    this.#output.length = endEvent(target, dataStart, dataEnd);
  }

  #unreadable(): void {
    this.#fail('api_error', 'the upstream answer could not be read');
  }
}

function eventLine(type: string): Buffer {
  return Buffer.from(`event: ${type}\ndata: `);
}

/** Decodes the event of a payload that begins with `bytes`. Returns the number of bytes written, 0 when it does not. */
function decodeUsual(source: Buffer, payload: number, end: number, target: Buffer, at: number): number {
  if (!holds(source, payload, end, PAYLOAD_OPENING)) return 0;
  const from = payload + PAYLOAD_OPENING.length;
  const to = source.indexOf(QUOTE, from);
  return to < 0 || to >= end ? 0 : target.write(source.toString('latin1', from, to), at, 'base64');
}

/** The base64 text of a payload in any layout, `''` when it has none, `undefined` when it is no JSON. */
function encodedBytes(source: Buffer, payload: number, end: number): string | undefined {
  if (payload === end) return '';
  const scan = scanTopLevel(source, PAYLOAD, payload, end);
  if (scan.ok) return fieldString(source, scan.fields.bytes) ?? '';
  return scan.refusal === 'not-object' ? '' : undefined;
}

/**
 * Writes the blank line behind the data. Line ends within it become spaces: they cannot stand inside JSON strings, so what
 * they separate may as well be separated by those. Each search stops at the byte behind the data, which is what it looks for.
 *
 * @returns offset behind the event
 */
function endEvent(target: Buffer, start: number, end: number): number {
  replaceUpTo(target, CARRIAGE_RETURN, start, end);
  replaceUpTo(target, LINE_FEED, start, end);
  target[end + 1] = LINE_FEED;
  return end + EVENT_END;
}

function replaceUpTo(target: Buffer, byte: number, start: number, end: number): void {
  target[end] = byte;
  let at = target.indexOf(byte, start);
  while (at < end) {
    target[at] = SPACE;
    at = target.indexOf(byte, at + 1);
  }
}

/** Figures about the account's throughput, which the Messages API does not have. */
function withoutMetrics(data: Buffer): Buffer {
  if (!data.includes(METRICS)) return data;
  try {
    const event = JSON.parse(data.toString()) as Record<string, unknown>;
    delete event[METRICS];
    return Buffer.from(JSON.stringify(event));
  } catch {
    return data;
  }
}
