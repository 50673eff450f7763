// Cuts an AWS event stream into its frames, however its bytes were cut into chunks. A frame that lies in one chunk is
// read where it lies; of one that goes on in the next chunk only the bytes there are get copied.

import { crc32 } from 'node:zlib';
import { type EventStreamHeaders, readHeaders } from './aws-event-stream-headers.ts';
import {
  CHECKSUM_BYTES,
  EventStreamError,
  type EventStreamFault,
  FRAME_OVERHEAD,
  LENGTHS_BYTES,
  MAX_FRAME_BYTES,
  MAX_HEADERS_BYTES,
  PRELUDE_BYTES,
} from './aws-event-stream-layout.ts';

const NOTHING = Buffer.alloc(0);
/** Room kept between frames, so that a stream of small split frames does not allocate for each. Bytes. */
const KEPT_ROOM = 4096;

/**
 * A frame whose checksums hold. One object serves all frames of a stream, and it is a view of bytes that are written
 * again: whatever is to outlive the handler's call must be copied.
 */
export class EventStreamFrame {
  /** Headers are `source[start..payload)`, the payload `source[payload..end)`. */
  source: Buffer = NOTHING;
  start = 0;
  payload = 0;
  end = 0;

  /** @throws {EventStreamError} `header` */
  headers(): EventStreamHeaders {
    return readHeaders(this.source, this.start, this.payload);
  }

  /** Whether the headers are byte for byte these, which tells at a fraction of the price of reading them. */
  hasHeaders(headers: Buffer): boolean {
    const length = this.payload - this.start;
    return length === headers.length && this.source.compare(headers, 0, length, this.start, this.payload) === 0;
  }
}

/** Must not throw anything but {@link EventStreamError}, which ends the stream as damage does. */
export type FrameHandler = (frame: EventStreamFrame) => void;

export interface EventStreamDecoderOptions {
  /** Largest frame, all parts together. Bytes; default {@link MAX_FRAME_BYTES}. */
  readonly maxFrameBytes?: number;
  /** Largest headers. Bytes; default {@link MAX_HEADERS_BYTES}. */
  readonly maxHeadersBytes?: number;
}

export class EventStreamDecoder {
  readonly #handler: FrameHandler;
  readonly #maxFrame: number;
  readonly #maxHeaders: number;
  readonly #frame = new EventStreamFrame();
  /** The start of a frame that was cut: `#room[0..#held)`. */
  #room: Buffer = NOTHING;
  #held = 0;
  /** Length of that frame, 0 while its prelude is not whole. */
  #total = 0;
  #fault: EventStreamError | undefined;

  constructor(handler: FrameHandler, options: EventStreamDecoderOptions = {}) {
    this.#handler = handler;
    this.#maxFrame = options.maxFrameBytes ?? MAX_FRAME_BYTES;
    this.#maxHeaders = options.maxHeadersBytes ?? MAX_HEADERS_BYTES;
  }

  /** True when no frame is in progress. */
  get atBoundary(): boolean {
    return this.#held === 0;
  }

  /**
   * Reads the next bytes of the stream. Calls the handler for each frame that ends in them. Memory grows with the bytes
   * that arrive, not with the length a frame claims.
   *
   * @throws {EventStreamError} behind the first damaged frame, and again at every later call. Frames before it were
   *   delivered; nothing of it was
   */
  push(chunk: Buffer): void {
    if (this.#fault !== undefined) throw this.#fault;
    try {
      this.#read(chunk);
    } catch (error) {
      if (error instanceof EventStreamError) this.#end(error);
      throw error;
    }
  }

  /** @throws {EventStreamError} `truncated` when the stream ends within a frame, or what was wrong with it before */
  end(): void {
    if (this.#fault !== undefined) throw this.#fault;
    if (this.#held > 0) throw this.#end(new EventStreamError('truncated'));
  }

  #read(chunk: Buffer): void {
    let at = this.#held === 0 ? 0 : this.#resume(chunk);
    while (at < chunk.length) {
      const there = chunk.length - at;
      const total = there < PRELUDE_BYTES ? 0 : this.#lengthAt(chunk, at);
      if (total === 0 || there < total) {
        this.#total = total;
        this.#hold(chunk, at, chunk.length);
        return;
      }
      this.#deliver(chunk, at, total);
      at += total;
    }
  }

  /** Goes on with the frame that was cut. Returns how much of the chunk belonged to it. */
  #resume(chunk: Buffer): number {
    let at = 0;
    if (this.#total === 0) {
      at = Math.min(PRELUDE_BYTES - this.#held, chunk.length);
      this.#hold(chunk, 0, at);
      if (this.#held < PRELUDE_BYTES) return at;
      this.#total = this.#lengthAt(this.#room, 0);
    }
    const to = Math.min(at + this.#total - this.#held, chunk.length);
    this.#hold(chunk, at, to);
    if (this.#held < this.#total) return to;
    const total = this.#total;
    this.#held = 0;
    this.#total = 0;
    this.#deliver(this.#room, 0, total);
    if (this.#room.length > KEPT_ROOM) this.#room = NOTHING;
    return to;
  }

  #hold(chunk: Buffer, from: number, to: number): void {
    const length = this.#held + to - from;
    if (this.#room.length < length) {
      const room = Buffer.allocUnsafeSlow(Math.max(512, 2 ** Math.ceil(Math.log2(length))));
      this.#room.copy(room, 0, 0, this.#held);
      this.#room = room;
    }
    chunk.copy(this.#room, this.#held, from, to);
    this.#held = length;
  }

  /** Length of the frame that begins at `at`, once its lengths are known to be what was sent. */
  #lengthAt(source: Buffer, at: number): number {
    const checksum = crc32(source.subarray(at, at + LENGTHS_BYTES));
    if (checksum !== source.readUInt32BE(at + LENGTHS_BYTES)) throw new EventStreamError('prelude_checksum');
    const total = source.readUInt32BE(at);
    const headers = source.readUInt32BE(at + 4);
    const fault = this.#faultOf(total, headers);
    if (fault !== undefined) throw new EventStreamError(fault);
    return total;
  }

  #faultOf(total: number, headers: number): EventStreamFault | undefined {
    if (total < FRAME_OVERHEAD + headers) return 'length';
    if (total > this.#maxFrame) return 'frame_too_large';
    return headers > this.#maxHeaders ? 'headers_too_large' : undefined;
  }

  #deliver(source: Buffer, at: number, total: number): void {
    const frame = this.#frame;
    const end = at + total - CHECKSUM_BYTES;
    if (crc32(source.subarray(at, end)) !== source.readUInt32BE(end)) throw new EventStreamError('message_checksum');
    frame.source = source;
    frame.start = at + PRELUDE_BYTES;
    frame.payload = frame.start + source.readUInt32BE(at + 4);
    frame.end = end;
    try {
      this.#handler(frame);
    } finally {
      // Idle streams must not keep chunks alive.
      frame.source = NOTHING;
    }
  }

  #end(fault: EventStreamError): EventStreamError {
    this.#fault = fault;
    this.#room = NOTHING;
    this.#held = 0;
    this.#total = 0;
    return fault;
  }
}
