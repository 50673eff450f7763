// Two questions about bytes in a range that may end before its buffer does.

/** The byte at `at`, or -1 at and behind `end`. */
export function byteAt(buffer: Buffer, at: number, end: number): number {
  return at < end ? buffer[at]! : -1;
}

/** Whether `bytes` stand at `at` and end no later than `end`. */
export function holds(buffer: Buffer, at: number, end: number, bytes: Uint8Array): boolean {
  if (end - at < bytes.length) return false;
  for (let index = 0; index < bytes.length; index += 1) {
    if (buffer[at + index] !== bytes[index]) return false;
  }
  return true;
}
