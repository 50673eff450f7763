// Writes frames of an AWS event stream. In two steps, so that a payload can be written into its frame without being put
// together elsewhere first.

import { crc32 } from 'node:zlib';
import { CHECKSUM_BYTES, FRAME_OVERHEAD, LENGTHS_BYTES, PRELUDE_BYTES } from './aws-event-stream-layout.ts';

/** Bytes of a frame with headers and payload of these sizes. */
export function frameLength(headersBytes: number, payloadBytes: number): number {
  return FRAME_OVERHEAD + headersBytes + payloadBytes;
}

/**
 * Begins a frame at `at` of a buffer that has room for all of it.
 *
 * @param headers as `writeHeaders` writes them
 * @param payloadBytes length of the payload that will follow
 * @returns where the payload begins; write it, then call {@link sealFrame}
 */
export function openFrame(target: Buffer, at: number, headers: Buffer, payloadBytes: number): number {
  target.writeUInt32BE(frameLength(headers.length, payloadBytes), at);
  target.writeUInt32BE(headers.length, at + 4);
  target.writeUInt32BE(crc32(target.subarray(at, at + LENGTHS_BYTES)), at + LENGTHS_BYTES);
  headers.copy(target, at + PRELUDE_BYTES);
  return at + PRELUDE_BYTES + headers.length;
}

/** Ends the frame that begins at `at` and whose payload ends at `payloadEnd`. Returns the offset behind the frame. */
export function sealFrame(target: Buffer, at: number, payloadEnd: number): number {
  target.writeUInt32BE(crc32(target.subarray(at, payloadEnd)), payloadEnd);
  return payloadEnd + CHECKSUM_BYTES;
}

/** A whole frame in a buffer of its own. */
export function encodeFrame(headers: Buffer, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(frameLength(headers.length, payload.length));
  const at = openFrame(frame, 0, headers, payload.length);
  payload.copy(frame, at);
  sealFrame(frame, 0, at + payload.length);
  return frame;
}
