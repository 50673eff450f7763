// Lines out of chunks that are cut anywhere. Cutting is done on bytes, so a character of several bytes is never torn.

const NEWLINE = 10;

/**
 * Feed it chunks as they arrive. The pieces of a long line are joined once, when it is complete.
 */
export class LineSplitter {
  #pieces: Uint8Array[] = [];

  /** @returns the lines that `chunk` completes, without their ends; empty lines are left out */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end === -1) break;
      const line = this.#take(chunk.subarray(start, end));
      if (line !== '') lines.push(line);
      start = end + 1;
    }
    if (start < chunk.length) this.#pieces.push(chunk.subarray(start));
    return lines;
  }

  /** A line was begun and not ended. */
  get torn(): boolean {
    return this.#pieces.length > 0;
  }

  #take(last: Uint8Array): string {
    const pieces = [...this.#pieces, last];
    this.#pieces = [];
    return (
      pieces.length === 1 ? Buffer.from(last.buffer, last.byteOffset, last.length) : Buffer.concat(pieces)
    ).toString('utf8');
  }
}
