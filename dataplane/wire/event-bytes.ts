// Collects the data of one server-sent event. While the event lies in one chunk this only remembers where; bytes are
// copied when the event goes on in another chunk or has several data lines, and never beyond the limit.

const NOTHING = Buffer.alloc(0);
const NEW_LINE = Buffer.of(0x0a);
/** Room kept between events, so that a stream of small split events does not allocate for each. Bytes. */
const KEPT_ROOM = 4096;

export class EventBytes {
  readonly #limit: number;
  /** The data is `source[start..end)`; for data in one piece `source` is the chunk it came in. */
  source: Buffer = NOTHING;
  start = 0;
  end = 0;
  /** Bytes of data seen, also those that were not kept. */
  size = 0;
  #lines = 0;
  #room: Buffer = NOTHING;

  /** @param limit most bytes of data kept for one event */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True when the data outgrew the limit: none of it is kept. */
  get oversized(): boolean {
    return this.size > this.#limit;
  }

  /** Begins a data line; a second one is joined to the first by a line feed. */
  beginLine(): void {
    this.#lines += 1;
    if (this.#lines > 1) this.append(NEW_LINE, 0, 1);
  }

  /** Adds `chunk[from..to)`, by reference where it is the first piece. Call {@link settle} before the chunk goes away. */
  append(chunk: Buffer, from: number, to: number): void {
    if (from === to) return;
    const first = this.size === 0;
    this.size += to - from;
    if (this.size > this.#limit) {
      this.#forget();
    } else if (first) {
      this.source = chunk;
      this.start = from;
      this.end = to;
    } else {
      this.settle();
      this.#reserve(this.end + to - from);
      chunk.copy(this.#room, this.end, from, to);
      this.end += to - from;
    }
  }

  /** Copies data that still lies in its chunk. */
  settle(): void {
    if (this.source === this.#room || this.start === this.end) return;
    const { source, start, end } = this;
    this.#reserve(end - start, 0);
    source.copy(this.#room, 0, start, end);
    this.source = this.#room;
    this.start = 0;
    this.end = end - start;
  }

  /** The data as a buffer that this object will not write to again. */
  take(): Buffer {
    const data = this.source.subarray(this.start, this.end);
    if (this.source === this.#room) this.#room = NOTHING;
    return data;
  }

  /** Makes ready for the next event. */
  reset(): void {
    this.size = 0;
    this.#lines = 0;
    this.#forget();
  }

  #forget(): void {
    this.source = NOTHING;
    this.start = 0;
    this.end = 0;
    if (this.#room.length > KEPT_ROOM) this.#room = NOTHING;
  }

  #reserve(length: number, used = this.end): void {
    if (this.#room.length >= length) return;
    const room = Buffer.allocUnsafeSlow(Math.max(256, 2 ** Math.ceil(Math.log2(length))));
    this.#room.copy(room, 0, 0, used);
    if (this.source === this.#room) this.source = room;
    this.#room = room;
  }
}
