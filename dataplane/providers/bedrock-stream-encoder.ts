// The other way round, for clients that speak Bedrock: server-sent events of the Messages API as the frames of
// InvokeModelWithResponseStream. One frame an event, its JSON byte for byte; an error event becomes an exception.

import { frameLength, encodeFrame, openFrame, sealFrame } from '../wire/aws-event-stream-encoder.ts';
import { writeHeaders } from '../wire/aws-event-stream-headers.ts';
import { MAX_FRAME_BYTES } from '../wire/aws-event-stream-layout.ts';
import type { EventBytes } from '../wire/event-bytes.ts';
import { FieldSet, scanTopLevel } from '../wire/json-fields.ts';
import { CHUNK_HEADERS } from './bedrock-stream.ts';
import { exceptionOf } from './bedrock-stream-errors.ts';
import { SseDataReader } from './bedrock-stream-events.ts';
import { StreamOutput } from './bedrock-stream-output.ts';
import { eventType } from './bedrock-stream-type.ts';

export interface BedrockStreamEncoderOptions {
  /** Largest event; a bigger one ends the stream with an exception. Bytes; default 8 MiB, which fits a frame in base64. */
  readonly maxEventBytes?: number;
}

const PAYLOAD_OPENING = Buffer.from('{"bytes":"');
const PAYLOAD_END = '"}';
const DEFAULT_MAX_EVENT = 8 * 1024 * 1024;
/** A frame's bytes for one of server-sent events: a third more, and about as much again for short ones. */
const GROWTH = 2;
const NOTHING = new FieldSet([]);
const UNREADABLE = 'the upstream answer could not be read';

export class BedrockStreamEncoder {
  readonly #reader: SseDataReader;
  readonly #output = new StreamOutput();
  #failed = false;

  /** @throws {RangeError} when events of `maxEventBytes` would not fit into a frame */
  constructor({ maxEventBytes = DEFAULT_MAX_EVENT }: BedrockStreamEncoderOptions = {}) {
    if (chunkLength(maxEventBytes) > MAX_FRAME_BYTES) throw new RangeError('events would not fit into a frame');
    this.#reader = new SseDataReader((data, lines) => this.#write(data, lines), maxEventBytes);
  }

  /** True once an exception was written. Nothing follows it. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Translates the next bytes. @returns whole frames, empty when no event became whole. Never written to again */
  push(chunk: Buffer): Buffer {
    this.#output.begin(GROWTH * chunk.length);
    if (!this.#failed) this.#reader.push(chunk);
    return this.#output.take();
  }

  /**
   * Ends the stream with an exception, whatever event is in progress.
   *
   * @param type error type of the Messages API
   * @param message text for the developer who reads it
   * @returns its frame; empty when the stream ended with an exception before
   */
  fail(type: string, message: string): Buffer {
    this.#output.begin(0);
    this.#except(type, message);
    return this.#output.take();
  }

  #write({ source, start, end, oversized }: EventBytes, lines: number): void {
    if (this.#failed) return;
    const type = oversized ? undefined : eventType(source, start, end);
    // An error event of the gateway's own may have interrupted an event, whose data then stands before its own.
    const whole = lines === 1 || scanTopLevel(source, NOTHING, start, end).ok;
    if (type === undefined || !whole) return this.#except('api_error', UNREADABLE);
    // No event, but nothing to fail for: clients would drop its frame.
    if (type === '') return;
    if (type === 'error') return this.#exceptAs(source.toString('utf8', start, end));
    const payload = payloadLength(end - start);
    const target = this.#output.reserve(frameLength(CHUNK_HEADERS.length, payload));
    const frame = this.#output.length;
    let at = openFrame(target, frame, CHUNK_HEADERS, payload);
    at += PAYLOAD_OPENING.copy(target, at);
    at += target.write(source.toString('base64', start, end), at, 'latin1');
    at += target.write(PAYLOAD_END, at, 'latin1');
    this.#output.length = sealFrame(target, frame, at);
  }

  #exceptAs(event: string): void {
    const { type, message } = errorOf(event);
    this.#except(typeof type === 'string' ? type : '', typeof message === 'string' ? message : UNREADABLE);
  }

  #except(type: string, message: string): void {
    if (this.#failed) return;
    this.#failed = true;
    const headers = writeHeaders([
      [':exception-type', { type: 'string', value: exceptionOf(type) }],
      [':content-type', { type: 'string', value: 'application/json' }],
      [':message-type', { type: 'string', value: 'exception' }],
    ]);
    this.#output.append(encodeFrame(headers, Buffer.from(JSON.stringify({ message }))));
  }
}

function errorOf(event: string): { type?: unknown; message?: unknown } {
  try {
    return (JSON.parse(event) as { error?: object | null }).error ?? {};
  } catch {
    return {};
  }
}

function payloadLength(eventBytes: number): number {
  return PAYLOAD_OPENING.length + 4 * Math.ceil(eventBytes / 3) + PAYLOAD_END.length;
}

function chunkLength(eventBytes: number): number {
  return frameLength(CHUNK_HEADERS.length, payloadLength(eventBytes));
}
