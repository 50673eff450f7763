/**
 * The least of HTTP/1.1 that a load generator needs: where a response's body begins, which bytes belong to it, where it
 * ends. Own code because a general client costs several times as much per request as the gateways under test.
 */

export interface ResponseHandler {
  onHead(status: number): void;
  onBody(bytes: Buffer): void;
  onEnd(): void;
}

const headEnd = Buffer.from('\r\n\r\n');
const lineEnd = Buffer.from('\r\n');

/** Reads responses with a length or in chunks, one after the other; knows no 1xx, 204 or body until close. */
export class ResponseReader {
  readonly #handler: ResponseHandler;
  #state: 'head' | 'length' | 'chunk-size' | 'chunk-data' | 'trailer' = 'head';
  /** Bytes of the body or chunk still to come, for a chunk its line end included. */
  #remaining = 0;
  #held: Buffer = Buffer.alloc(0);

  constructor(handler: ResponseHandler) {
    this.#handler = handler;
  }

  /** @throws Error when the bytes are not such a response. */
  push(chunk: Buffer): void {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    for (;;) {
      const used = this.#step(rest);
      if (used === 0) break;
      rest = rest.subarray(used);
    }
    // A copy, because the socket may reuse its buffer.
    this.#held = rest.length === 0 ? rest : Buffer.from(rest);
  }

  /** Consumes what it can of `rest` in the present state; 0 when it needs more bytes. */
  #step(rest: Buffer): number {
    switch (this.#state) {
      case 'head': {
        const end = rest.indexOf(headEnd);
        if (end < 0) return 0;
        this.#head(rest.toString('latin1', 0, end).toLowerCase());
        return end + 4;
      }
      case 'length': {
        const used = Math.min(rest.length, this.#remaining);
        if (used > 0) this.#handler.onBody(rest.subarray(0, used));
        this.#remaining -= used;
        if (used > 0 && this.#remaining === 0) this.#end();
        return used;
      }
      case 'chunk-size': {
        const end = rest.indexOf(lineEnd);
        if (end < 0) return 0;
        const size = Number.parseInt(rest.toString('latin1', 0, end), 16);
        if (!(size >= 0)) throw new Error(`not a chunk size: ${rest.toString('latin1', 0, end)}`);
        this.#state = size === 0 ? 'trailer' : 'chunk-data';
        this.#remaining = size + 2;
        return end + 2;
      }
      case 'chunk-data': {
        const used = Math.min(rest.length, this.#remaining);
        const data = Math.min(used, this.#remaining - 2);
        if (data > 0) this.#handler.onBody(rest.subarray(0, data));
        this.#remaining -= used;
        if (used > 0 && this.#remaining === 0) this.#state = 'chunk-size';
        return used;
      }
      case 'trailer':
        return this.#trailer(rest);
      default:
        return this.#state satisfies never;
    }
  }

  #trailer(rest: Buffer): number {
    const end = rest.indexOf(lineEnd);
    if (end < 0) return 0;
    if (end === 0) this.#end();
    return end + 2;
  }

  #head(head: string): void {
    const status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
    this.#remaining = Number(length ?? 0);
    const chunked = /\r\ntransfer-encoding: *chunked/.test(head);
    if (!head.startsWith('http/1.') || (!chunked && length === undefined)) throw new Error(`not a response: ${head}`);
    this.#state = chunked ? 'chunk-size' : 'length';
    this.#handler.onHead(status);
    if (!chunked && this.#remaining === 0) this.#end();
  }

  #end(): void {
    this.#state = 'head';
    this.#handler.onEnd();
  }
}
