/** One kept-alive client connection that sends prepared requests one at a time and times the answers. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { ResponseReader } from './response-reader.ts';

/** A prepared request and where it goes. */
export interface Target {
  readonly port: number;
  readonly request: Buffer;
}

export interface Exchange {
  readonly status: number;
  /** Milliseconds from the write to the first byte of the body. */
  readonly firstByte: number;
  /** Milliseconds from the write to the end of the body. */
  readonly total: number;
}

/** Builds the bytes of a POST to the Messages API. */
export function requestBytes(host: string, headers: Readonly<Record<string, string>>, body: Buffer): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `POST /v1/messages?beta=true HTTP/1.1\r\nHost: ${host}\r\nConnection: keep-alive\r\n${lines.join('')}`;
  return Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body]);
}

/** Calls back instead of promising: at tens of thousands of requests a second the difference shows. */
export class Connection {
  readonly #target: Target;
  readonly #now: () => number;
  #socket: Socket | undefined;
  #begun = 0;
  #status = 0;
  #firstByte = 0;
  #done: ((exchange: Exchange | undefined) => void) | undefined;
  #onFirstByte: (() => void) | undefined;

  constructor(target: Target, now: () => number) {
    this.#target = target;
    this.#now = now;
  }

  /** Sends the request, connecting when needed. `done` gets undefined when the connection broke. */
  send(done: (exchange: Exchange | undefined) => void, onFirstByte?: () => void): void {
    this.#done = done;
    this.#onFirstByte = onFirstByte;
    this.#firstByte = -1;
    this.#socket ??= this.#open();
    this.#begun = this.#now();
    this.#socket.write(this.#target.request);
  }

  close(): void {
    this.#done = undefined;
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect({ port: this.#target.port, host: '127.0.0.1', noDelay: true });
    const reader = new ResponseReader({
      onHead: (status) => (this.#status = status),
      onBody: () => {
        if (this.#firstByte >= 0) return;
        this.#firstByte = this.#now() - this.#begun;
        this.#onFirstByte?.();
      },
      onEnd: () => this.#finish({ status: this.#status, firstByte: this.#firstByte, total: this.#now() - this.#begun }),
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch {
        socket.destroy();
      }
    });
    // The close that follows is what counts.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
      this.#finish(undefined);
    });
    return socket;
  }

  #finish(exchange: Exchange | undefined): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(exchange);
  }
}
