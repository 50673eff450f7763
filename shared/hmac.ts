// HMAC-SHA-256 (RFC 2104) under a key that is used many times, from one-shot hashes: `createHmac` makes an object outside of the heap for
// each text, which costs more than the hashing. Results that are strings leave nothing out there either.
import { hash } from 'node:crypto';

/** Bytes that SHA-256 takes at a time. */
const BLOCK = 64;
const DIGEST = 32;
/** Texts up to this many bytes are signed without an allocation; keys and what is signed of requests are shorter. */
const SCRATCH = 1024;

export class HmacKey {
  /** The padded key, and room for a text. */
  readonly #inner = Buffer.alloc(BLOCK + SCRATCH);
  /** The padded key, and room for the inner hash. */
  readonly #outer = Buffer.alloc(BLOCK + DIGEST);

  /** @param key of any length */
  constructor(key: Uint8Array) {
    this.#inner.fill(0x36, 0, BLOCK);
    this.#outer.fill(0x5c, 0, BLOCK);
    for (const [at, byte] of (key.length > BLOCK ? hash('sha256', key, 'buffer') : key).entries()) {
      this.#inner[at]! ^= byte;
      this.#outer[at]! ^= byte;
    }
  }

  /** @returns lower-case hex */
  hex(text: string): string {
    const bytes = Buffer.byteLength(text);
    this.#outer.write(bytes > SCRATCH ? this.#hashLong(text) : this.#hashShort(text, bytes), BLOCK, 'latin1');
    return hash('sha256', this.#outer, 'hex');
  }

  /** @returns 32 bytes */
  sign(text: string): Buffer {
    return Buffer.from(this.hex(text), 'hex');
  }

  #hashShort(text: string, bytes: number): string {
    this.#inner.write(text, BLOCK);
    const digest = hash('sha256', this.#inner.subarray(0, BLOCK + bytes), 'binary');
    // The text is a secret as often as not.
    this.#inner.fill(0, BLOCK, BLOCK + bytes);
    return digest;
  }

  #hashLong(text: string): string {
    return hash('sha256', Buffer.concat([this.#inner.subarray(0, BLOCK), Buffer.from(text)]), 'binary');
  }
}
