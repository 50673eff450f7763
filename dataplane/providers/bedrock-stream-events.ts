// The data of every event in a text/event-stream, for translation into frames of another format. Names of events are not
// read: an Anthropic event says its type in its data. (`SseReader` is the other reader: it taps the few events of known
// names and steps over the rest.)

import { EventBytes } from '../wire/event-bytes.ts';

/**
 * Receives the data of an event, several lines joined by a line feed, or the fact that it was too big. Valid during the
 * call.
 *
 * @param lines number of `data:` lines it stood on
 */
export type DataHandler = (data: EventBytes, lines: number) => void;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const DATA = Buffer.from('data:');
const BYTE_ORDER_MARK = Buffer.of(0xef, 0xbb, 0xbf);

/** What the bytes up to the next line end are. */
const FIELD_NAME = 0;
const DATA_VALUE = 1;
const IGNORED = 2;

export class SseDataReader {
  readonly #handler: DataHandler;
  readonly #data: EventBytes;
  #line = FIELD_NAME;
  /** How much of `data:` the line has matched so far. */
  #matched = 0;
  #lines = 0;
  #afterColon = false;
  #afterReturn = false;
  #markBytes = 0;

  /** @param maxEventBytes most bytes of data kept for one event; a bigger one is delivered as `oversized`, without its bytes */
  constructor(handler: DataHandler, maxEventBytes: number) {
    this.#handler = handler;
    this.#data = new EventBytes(maxEventBytes);
  }

  /** Reads the next bytes. An event without its blank line at the end of the stream is never delivered: it was cut. */
  push(chunk: Buffer): void {
    const end = chunk.length;
    let at = this.#markBytes < BYTE_ORDER_MARK.length ? this.#skipByteOrderMark(chunk) : 0;
    // Each search goes on to the next hit, or once to the end of the chunk, so both stay linear.
    let feed = -1;
    let ret = -1;
    while (at < end) {
      if (this.#afterReturn) {
        this.#afterReturn = false;
        if (chunk[at] === LINE_FEED) {
          at += 1;
          continue;
        }
      }
      if (feed < at) feed = indexOrEnd(chunk, LINE_FEED, at);
      if (ret < at) ret = indexOrEnd(chunk, CARRIAGE_RETURN, at);
      const lineEnd = Math.min(feed, ret);
      this.#readLine(chunk, at, lineEnd);
      if (lineEnd < end) this.#endLine();
      this.#afterReturn = lineEnd === ret && lineEnd < end;
      at = lineEnd + 1;
    }
    this.#data.settle();
  }

  #skipByteOrderMark(chunk: Buffer): number {
    let at = 0;
    while (at < chunk.length && this.#markBytes < BYTE_ORDER_MARK.length) {
      if (chunk[at] !== BYTE_ORDER_MARK[this.#markBytes]) {
        // The start of a mark, but none: the line is of no known field.
        if (this.#markBytes > 0) this.#line = IGNORED;
        this.#markBytes = BYTE_ORDER_MARK.length;
        return at;
      }
      this.#markBytes += 1;
      at += 1;
    }
    return at;
  }

  #readLine(chunk: Buffer, start: number, to: number): void {
    let from = start;
    if (this.#line === FIELD_NAME) {
      while (from < to && this.#matched < DATA.length && chunk[from] === DATA[this.#matched]) {
        this.#matched += 1;
        from += 1;
      }
      if (this.#matched === DATA.length) this.#beginData();
      else if (from < to) this.#line = IGNORED;
    }
    if (this.#line !== DATA_VALUE || from === to) return;
    if (this.#afterColon && chunk[from] === SPACE) from += 1;
    this.#afterColon = false;
    this.#data.append(chunk, from, to);
  }

  #beginData(): void {
    this.#line = DATA_VALUE;
    this.#afterColon = true;
    this.#lines += 1;
    this.#data.beginLine();
  }

  #endLine(): void {
    if (this.#line === FIELD_NAME) {
      if (this.#matched === 0) this.#endEvent();
      // `data` without a colon is an empty line of data.
      else if (this.#matched === DATA.length - 1) this.#beginData();
    }
    this.#line = FIELD_NAME;
    this.#matched = 0;
  }

  #endEvent(): void {
    const lines = this.#lines;
    this.#lines = 0;
    if (lines > 0) this.#handler(this.#data, lines);
    this.#data.reset();
  }
}

function indexOrEnd(chunk: Buffer, byte: number, from: number): number {
  const at = chunk.indexOf(byte, from);
  return at < 0 ? chunk.length : at;
}
