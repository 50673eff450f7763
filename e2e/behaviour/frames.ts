// Reads a stream of Bedrock the way its description says, written apart from the gateway's own decoder: lengths, checksums, headers of
// strings, JSON with the event in base64.
import { crc32 } from 'node:zlib';

export interface Frame {
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Record<string, unknown>;
}

/** @throws {Error} when bytes are left over, or a length or checksum is wrong */
export function readFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    const total = bytes.readUInt32BE(at);
    const frame = bytes.subarray(at, at + total);
    if (frame.length !== total) throw new Error(`a frame of ${total} bytes has ${frame.length}`);
    if (crc32(frame.subarray(0, 8)) !== frame.readUInt32BE(8)) throw new Error('prelude checksum');
    if (crc32(frame.subarray(0, total - 4)) !== frame.readUInt32BE(total - 4)) throw new Error('message checksum');
    const headersEnd = 12 + frame.readUInt32BE(4);
    const payload = JSON.parse(frame.toString('utf8', headersEnd, total - 4)) as Record<string, unknown>;
    frames.push({ headers: readHeaders(frame.subarray(12, headersEnd)), payload });
    at += total;
  }
  return frames;
}

/** The events in order; an exception stands as `{exception, message}`. */
export function decodeAll(bytes: Buffer): Record<string, unknown>[] {
  return readFrames(bytes).map(({ headers, payload }) => {
    if (headers[':message-type'] === 'exception') return { exception: headers[':exception-type'], ...payload };
    if (headers[':event-type'] !== 'chunk') throw new Error(`event type ${headers[':event-type']}`);
    return JSON.parse(Buffer.from(payload['bytes'] as string, 'base64').toString()) as Record<string, unknown>;
  });
}

function readHeaders(bytes: Buffer): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let at = 0; at < bytes.length;) {
    const nameEnd = at + 1 + bytes[at]!;
    const name = bytes.toString('utf8', at + 1, nameEnd);
    if (bytes[nameEnd] !== 7) throw new Error(`header ${name} is no string`);
    const valueStart = nameEnd + 3;
    const valueEnd = valueStart + bytes.readUInt16BE(nameEnd + 1);
    headers[name] = bytes.toString('utf8', valueStart, valueEnd);
    at = valueEnd;
  }
  return headers;
}
