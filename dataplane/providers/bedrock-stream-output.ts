// The bytes that one chunk of a stream is translated to: one buffer, so that they leave in one write however many events
// the chunk held.

const NOTHING = Buffer.alloc(0);

export class StreamOutput {
  #bytes: Buffer = NOTHING;
  #expected = 0;
  /** Bytes written so far. Whoever writes behind it moves it on. */
  length = 0;

  /** Starts anew. What was taken before is never written to again. @param expected bytes that will likely be enough */
  begin(expected: number): void {
    this.#bytes = NOTHING;
    this.#expected = expected;
    this.length = 0;
  }

  /** The buffer to write into, from {@link length} on, with room for `size` bytes more. Good until the next call. */
  reserve(size: number): Buffer {
    const needed = this.length + size;
    if (needed > this.#bytes.length) {
      const bytes = Buffer.allocUnsafe(Math.max(needed, this.#expected, 2 * this.#bytes.length));
      this.#bytes.copy(bytes, 0, 0, this.length);
      this.#bytes = bytes;
    }
    return this.#bytes;
  }

  append(bytes: Buffer): void {
    bytes.copy(this.reserve(bytes.length), this.length);
    this.length += bytes.length;
  }

  /** What was written. Nothing of it is kept: an idle stream holds no memory. */
  take(): Buffer {
    const taken = this.length === 0 ? NOTHING : this.#bytes.subarray(0, this.length);
    this.begin(0);
    return taken;
  }
}
