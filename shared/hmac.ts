// HMAC-SHA-256 (RFC 2104) under a key that is used many times, from one-shot hashes: `createHmac` makes an object outside of the heap for
// each text, which costs more than the hashing.
import { hash } from 'node:crypto';

/** Bytes that SHA-256 takes at a time. */
const BLOCK = 64;

export class HmacKey {
  readonly #inner: Buffer;
  readonly #outer: Buffer;

  /** @param key of any length */
  constructor(key: Uint8Array) {
    this.#inner = Buffer.alloc(BLOCK, 0x36);
    this.#outer = Buffer.alloc(BLOCK, 0x5c);
    for (const [at, byte] of (key.length > BLOCK ? hash('sha256', key, 'buffer') : key).entries()) {
      this.#inner[at]! ^= byte;
      this.#outer[at]! ^= byte;
    }
  }

  /** @returns 32 bytes */
  sign(text: string): Buffer {
    return hash('sha256', this.#signed(text), 'buffer');
  }

  /** {@link sign} in lower-case hex. */
  hex(text: string): string {
    return hash('sha256', this.#signed(text), 'hex');
  }

  #signed(text: string): Buffer {
    return Buffer.concat([this.#outer, hash('sha256', Buffer.concat([this.#inner, Buffer.from(text)]), 'buffer')]);
  }
}
