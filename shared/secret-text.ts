// A secret as a type that will not print: string conversion, JSON, inspection and errors all show `[redacted]`.
import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/** Holds one secret value. Only {@link SecretText.reveal} gives it out, so every use of a clear value can be found by name. */
export class SecretText {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The clear value: for a hash, an upstream header or the one file that is meant to hold it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
