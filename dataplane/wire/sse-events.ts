// Taps a text/event-stream: reads the few events metering wants out of bytes that flow past unchanged. Events of other
// names are stepped over line by line with native search and never copied; a text delta is measured where it lies.
//
// Three readings differ from the WHATWG rules, for the sake of a tap:
// - an `event:` line behind the first data line counts only where the event has no name yet, because data of an unwanted
//   event is gone by then;
// - an event without a name is known by the `type` in its data, as the client's SDK and Bedrock's frames do it;
// - `end()` ends the last line and delivers an event that was cut before its blank line: its tokens are paid for.

import { holds } from './bytes.ts';
import { EventBytes } from './event-bytes.ts';
import { DELTA, EventNames, UNWANTED } from './event-names.ts';
import { FieldSet, scanTopLevel } from './json-fields.ts';
import { fieldString } from './json-values.ts';
import { deltaLength } from './sse-delta.ts';

/** The events a meter needs. */
export const METERED_EVENTS = new EventNames(['message_start', 'message_delta', 'message_stop', 'error']);

/**
 * Receives a wanted event. Must not throw: the rest of the chunk would go unread.
 *
 * @param name one of the wanted names
 * @param data the bytes behind `data:`, several lines joined by a line feed. Where the event came in one piece this is
 *   a view of the chunk: copy it to keep it beyond the call if the chunk's owner reuses it
 */
export type SseHandler = (name: string, data: Buffer) => void;

export interface SseReaderOptions {
  /** Names of the events to deliver. Default {@link METERED_EVENTS}. */
  readonly wanted?: EventNames;
  /** Most bytes of data kept for one event; a bigger one is dropped and counted. Default 1 MiB. */
  readonly maxEventBytes?: number;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const BYTE_ORDER_MARK = Buffer.of(0xef, 0xbb, 0xbf);
const DATA = Buffer.from('data:');
const EVENT = Buffer.from('event:');
const TYPE = new FieldSet(['type']);

const NAMELESS = -2;

/** What the bytes up to the next line end are. */
const FIELD_NAME = 0;
const DATA_VALUE = 1;
const IGNORED = 2;

export class SseReader {
  readonly #handler: SseHandler;
  readonly #names: EventNames;

  #line = FIELD_NAME;
  /** Start of a line whose field is not known yet, or of an `event:` line. */
  readonly #carry: Buffer;
  #carried = 0;
  #afterReturn = false;
  #afterColon = false;
  #bomBytes = 0;

  #name = NAMELESS;
  #hasFields = false;
  #hasData = false;
  readonly #data: EventBytes;

  #outputChars = 0;
  #oversized = 0;

  constructor(handler: SseHandler, options: SseReaderOptions = {}) {
    this.#handler = handler;
    this.#names = options.wanted ?? METERED_EVENTS;
    this.#carry = Buffer.alloc(EVENT.length + 1 + this.#names.longest);
    this.#data = new EventBytes(options.maxEventBytes ?? 1024 * 1024);
  }

  /**
   * True when no event is in progress, so that an event of our own may be written here. Also true between the CR and
   * the LF of a blank line: the LF then arrives as one more blank line, which means nothing.
   */
  get atBoundary(): boolean {
    const bomWhole = this.#bomBytes === 0 || this.#bomBytes === BYTE_ORDER_MARK.length;
    return bomWhole && this.#line === FIELD_NAME && this.#carried === 0 && !this.#hasFields;
  }

  /**
   * What to write before an event of our own that has to interrupt the one in progress. A line feed ends the line, or the event when
   * its data is whole; the name and unfinished data of an event otherwise pass over to ours, since nothing written can take them back.
   */
  get breakOff(): '' | '\n' {
    const betweenLines = this.#line === FIELD_NAME && this.#carried === 0;
    return this.atBoundary || (betweenLines && this.#hasFields && !this.#hasData) ? '' : '\n';
  }

  /** Bytes of model output in the deltas so far, as {@link deltaLength} counts them. */
  get outputChars(): number {
    return this.#outputChars;
  }

  /** Wanted or nameless events dropped for their size. */
  get oversized(): number {
    return this.#oversized;
  }

  /** Reads the next bytes of the stream. Calls the handler for each wanted event that ends in them. */
  push(chunk: Buffer): void {
    const end = chunk.length;
    let at = this.#bomBytes < BYTE_ORDER_MARK.length ? this.#skipByteOrderMark(chunk) : 0;
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
      const lineEnd = feed < ret ? feed : ret;
      this.#readLine(chunk, at, lineEnd, lineEnd < end);
      this.#afterReturn = lineEnd === ret && lineEnd < end;
      at = lineEnd + 1;
    }
    if (this.#hasData) this.#data.settle();
  }

  /** Tells that the stream is over. An event still in progress is delivered with the data it has, which may be cut. */
  end(): void {
    if (this.#carried > 0) this.#readCarried();
    this.#line = FIELD_NAME;
    this.#dispatch();
  }

  #skipByteOrderMark(chunk: Buffer): number {
    let at = 0;
    while (at < chunk.length && this.#bomBytes < BYTE_ORDER_MARK.length) {
      if (chunk[at] !== BYTE_ORDER_MARK[this.#bomBytes]) {
        if (this.#bomBytes > 0) this.#ignoreLine(true);
        this.#bomBytes = BYTE_ORDER_MARK.length;
        return at;
      }
      this.#bomBytes += 1;
      at += 1;
    }
    return at;
  }

  /** Reads `chunk[from..to)`, all or some of a line; `whole` tells that the line ends there. */
  #readLine(chunk: Buffer, from: number, to: number, whole: boolean): void {
    if (this.#line === FIELD_NAME) {
      if (this.#carried > 0) this.#resumeLine(chunk, from, to, whole);
      else this.#beginLine(chunk, from, to, whole);
    } else if (this.#line === DATA_VALUE) {
      this.#addData(chunk, from, to);
    }
    if (whole) this.#line = FIELD_NAME;
  }

  #beginLine(chunk: Buffer, from: number, to: number, whole: boolean): void {
    if (from === to) {
      if (whole) this.#dispatch();
      return;
    }
    const first = chunk[from];
    if (first !== DATA[0] && first !== EVENT[0]) this.#ignoreLine(first !== COLON);
    else if (holds(chunk, from, to, DATA)) this.#beginData(chunk, from + DATA.length, to);
    else if (whole) this.#readField(chunk, from, to);
    else this.#resumeLine(chunk, from, to, false);
  }

  /** Goes on with a line whose field was not known at the end of the last chunk. */
  #resumeLine(chunk: Buffer, from: number, to: number, whole: boolean): void {
    let at = from;
    while (at < to && this.#carried < this.#carry.length) {
      this.#carry[this.#carried] = chunk[at]!;
      this.#carried += 1;
      at += 1;
      if (this.#carried === DATA.length && holds(this.#carry, 0, DATA.length, DATA)) {
        this.#carried = 0;
        this.#beginData(chunk, at, to);
        return;
      }
    }
    if (at < to) {
      // Longer than the line of any wanted name.
      if (holds(this.#carry, 0, this.#carried, EVENT)) this.#setName(UNWANTED);
      this.#carried = 0;
      this.#ignoreLine(true);
    } else if (whole) {
      this.#readCarried();
    }
  }

  #readCarried(): void {
    const length = this.#carried;
    this.#carried = 0;
    this.#readField(this.#carry, 0, length);
  }

  #ignoreLine(isField: boolean): void {
    this.#line = IGNORED;
    if (isField) this.#hasFields = true;
  }

  /** Reads a whole line that begins like `data` or `event` but not with `data:`. */
  #readField(line: Buffer, from: number, to: number): void {
    this.#hasFields = true;
    const bare = to - from;
    if (bare === 4 && holds(line, from, from + 4, DATA.subarray(0, 4))) {
      this.#beginData(line, to, to);
    } else if (bare === 5 && holds(line, from, from + 5, EVENT.subarray(0, 5))) {
      this.#setName(NAMELESS);
    } else if (holds(line, from, to, EVENT)) {
      let start = from + EVENT.length;
      if (start < to && line[start] === SPACE) start += 1;
      this.#setName(start === to ? NAMELESS : this.#names.find(line, start, to));
    }
  }

  #setName(name: number): void {
    if (!this.#hasData || this.#name === NAMELESS) this.#name = name;
  }

  #beginData(chunk: Buffer, from: number, to: number): void {
    this.#line = DATA_VALUE;
    this.#hasFields = true;
    this.#hasData = true;
    this.#afterColon = true;
    if (this.#name !== UNWANTED) this.#data.beginLine();
    this.#addData(chunk, from, to);
  }

  #addData(chunk: Buffer, from: number, to: number): void {
    if (this.#name === UNWANTED || from === to) return;
    const start = this.#afterColon && chunk[from] === SPACE ? from + 1 : from;
    this.#afterColon = false;
    this.#data.append(chunk, start, to);
  }

  #dispatch(): void {
    if (!this.#hasFields) return;
    const name = this.#name;
    const hasData = this.#hasData;
    this.#name = NAMELESS;
    this.#hasFields = false;
    this.#hasData = false;
    if (!hasData) return;
    try {
      if (name !== UNWANTED) this.#deliver(name);
    } finally {
      this.#data.reset();
    }
  }

  #deliver(named: number): void {
    const data = this.#data;
    if (data.oversized) {
      // Of a delta this big nearly every byte is text.
      if (named === DELTA) this.#outputChars += data.size;
      if (named === NAMELESS || this.#names.isWanted(named)) this.#oversized += 1;
      return;
    }
    const name = named === NAMELESS ? this.#typeOf(data) : named;
    if (name === DELTA) this.#outputChars += deltaLength(data.source, data.start, data.end);
    if (this.#names.isWanted(name)) this.#handler(this.#names.at(name), data.take());
  }

  #typeOf(data: EventBytes): number {
    const scan = scanTopLevel(data.source, TYPE, data.start, data.end);
    const type = scan.ok ? fieldString(data.source, scan.fields.type) : undefined;
    return type === undefined ? UNWANTED : this.#names.indexOf(type);
  }
}

function indexOrEnd(chunk: Buffer, byte: number, from: number): number {
  const at = chunk.indexOf(byte, from);
  return at < 0 ? chunk.length : at;
}
