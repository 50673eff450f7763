// Frames of an AWS event stream (application/vnd.amazon.eventstream): where their parts stand, how big they may get, and
// what can be wrong with one. A frame is the length of all of it (u32), the length of its headers (u32), a CRC-32 of
// those eight bytes, the headers, the payload, and a CRC-32 of everything before; all figures big-endian.

/** Bytes of both lengths, and of a checksum. */
export const LENGTHS_BYTES = 8;
export const CHECKSUM_BYTES = 4;
/** Bytes before the headers. */
export const PRELUDE_BYTES = LENGTHS_BYTES + CHECKSUM_BYTES;
/** Bytes of a frame without headers and payload. */
export const FRAME_OVERHEAD = PRELUDE_BYTES + CHECKSUM_BYTES;

/** Limits of the specification, in bytes. */
export const MAX_HEADERS_BYTES = 128 * 1024;
export const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;
export const MAX_FRAME_BYTES = FRAME_OVERHEAD + MAX_HEADERS_BYTES + MAX_PAYLOAD_BYTES;

/**
 * What is wrong with a stream.
 *
 * - `prelude_checksum`, `message_checksum`: bytes were altered or lost
 * - `length`: a frame shorter than its own headers
 * - `frame_too_large`, `headers_too_large`: beyond the limits the reader was given
 * - `header`: headers that do not parse
 * - `truncated`: the stream ended within a frame
 */
export type EventStreamFault =
  | 'prelude_checksum'
  | 'message_checksum'
  | 'length'
  | 'frame_too_large'
  | 'headers_too_large'
  | 'header'
  | 'truncated';

const WORDS: Readonly<Record<EventStreamFault, string>> = {
  prelude_checksum: 'checksum of the lengths does not match',
  message_checksum: 'checksum of the frame does not match',
  length: 'frame is shorter than its headers',
  frame_too_large: 'frame is too large',
  headers_too_large: 'headers are too large',
  header: 'headers do not parse',
  truncated: 'stream ended within a frame',
};

/** A stream that cannot be read any further: frames have no marks by which to find the next one. */
export class EventStreamError extends Error {
  readonly code: EventStreamFault;

  constructor(code: EventStreamFault) {
    super(`event stream: ${WORDS[code]}`);
    this.name = 'EventStreamError';
    this.code = code;
  }
}
