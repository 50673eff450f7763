// A request body that can be let go once the upstream has answered. undici keeps what it was given until the call ends, and a stream of
// ten minutes would hold on to its 100 KB conversation all that time; an iterable hands the bytes over and forgets them.

/** Below this, holding the bytes is cheaper than the iterable. */
const SMALL = 2 * 1024;

export interface Upload {
  readonly body: Buffer | Iterable<Buffer>;
  /** Forgets the bytes; harmless while they are being sent, since the socket has them by then. */
  release(): void;
}

export function requestBody(bytes: Buffer): Upload {
  return bytes.length <= SMALL ? { body: bytes, release: () => undefined } : new ReleasableBody(bytes);
}

class ReleasableBody implements Upload {
  #bytes: Buffer | undefined;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get body(): Iterable<Buffer> {
    return this;
  }

  release(): void {
    this.#bytes = undefined;
  }

  *[Symbol.iterator](): Generator<Buffer> {
    if (this.#bytes !== undefined) yield this.#bytes;
  }
}
