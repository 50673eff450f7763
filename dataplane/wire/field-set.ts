// The set of top-level keys a scan looks for, prepared once so that a key in a body is recognised by its bytes:
// a key nobody asked for is never turned into a string unless it is spelt with escapes or beyond ASCII.

import { isAscii } from 'node:buffer';
import { holds } from './bytes.ts';

/** What {@link FieldSet.find} answers for a key that is not wanted. */
export const NOT_WANTED = -1;
/** …for a key that is no JSON string: a bad escape or a raw control character. */
export const BAD_KEY = -2;
/** …for a key that equals a guarded name in all but case. */
export const CASE_VARIANT = -3;

/** Where a wanted value stands in the body it was found in. A string's range includes its quotes. */
export interface Field {
  readonly kind: ValueKind;
  readonly start: number;
  readonly end: number;
}

export type ValueKind = 'string' | 'number' | 'object' | 'array' | 'true' | 'false' | 'null';

/** The fields that were found, by name; a name that was not found is `undefined`. */
export type Fields<Name extends string> = Record<Name, Field | undefined>;

/** An immutable set of key names. Build it once, at module level. */
export class FieldSet<Name extends string> {
  readonly names: readonly Name[];
  readonly #spelt: readonly Uint8Array[];
  readonly #byLength: readonly (readonly number[])[];
  /** Folded names of the guarded slots; `undefined` for the others. */
  readonly #guarded: readonly (string | undefined)[];
  readonly #longestRaw: number;
  readonly #none: Fields<Name>;

  /**
   * @param names the wanted keys, plain ASCII
   * @param guarded those of `names` whose spelling in another case is refused, because a provider whose parser
   *   ignores case (Go's `encoding/json` does) would read a value that nobody checked
   */
  constructor(names: readonly Name[], guarded: readonly Name[] = []) {
    this.names = [...names];
    this.#spelt = names.map((name) => Buffer.from(name));
    const byLength: number[][] = [];
    names.forEach((name, slot) => {
      if (!isAscii(Buffer.from(name)) || JSON.stringify(name).length !== name.length + 2) {
        throw new TypeError(`field name ${JSON.stringify(name)} must be plain ASCII`);
      }
      while (byLength.length <= name.length) byLength.push([]);
      byLength[name.length]!.push(slot);
    });
    this.#byLength = byLength;
    this.#guarded = names.map((name) => (guarded.includes(name) ? fold(name) : undefined));
    // Every character of a name may be written as \uXXXX.
    this.#longestRaw = 6 * byLength.length;
    this.#none = Object.fromEntries(names.map((name) => [name, undefined])) as Fields<Name>;
  }

  /** A fresh record with nothing found. A clone, so that all results share one hidden class. */
  none(): Fields<Name> {
    return { ...this.#none };
  }

  /**
   * Looks up the key whose bytes, without quotes, are `body[start..end)`.
   *
   * @returns index into {@link names}, or {@link NOT_WANTED}, {@link BAD_KEY} or {@link CASE_VARIANT}
   */
  find(body: Buffer, start: number, end: number): number {
    const slot = this.findExact(body, start, end);
    // A key too long to be a wanted name in any spelling is not looked at again.
    return slot !== NOT_WANTED || end - start > this.#longestRaw ? slot : this.#findRespelt(body, start, end);
  }

  /** Like {@link find}, for bytes that are no JSON: only {@link NOT_WANTED} or the index of the same bytes. */
  findExact(body: Buffer, start: number, end: number): number {
    const candidates = this.#byLength[end - start];
    if (candidates === undefined) return NOT_WANTED;
    for (let index = 0; index < candidates.length; index += 1) {
      const slot = candidates[index]!;
      if (holds(body, start, end, this.#spelt[slot]!)) return slot;
    }
    return NOT_WANTED;
  }

  #findRespelt(body: Buffer, start: number, end: number): number {
    const candidates = this.#byLength[end - start];
    if (candidates !== undefined) {
      for (let index = 0; index < candidates.length; index += 1) {
        const slot = candidates[index]!;
        if (this.#guarded[slot] !== undefined && sameLetters(body, start, this.#spelt[slot]!)) return CASE_VARIANT;
      }
    }
    let plain = true;
    for (let at = start; at < end; at += 1) {
      const byte = body[at]!;
      if (byte < 0x20) return BAD_KEY;
      if (byte === 0x5c || byte >= 0x80) plain = false;
    }
    if (plain) return NOT_WANTED;
    const key = decodeKey(body, start, end);
    if (key === undefined) return BAD_KEY;
    const slot = (this.names as readonly string[]).indexOf(key);
    if (slot >= 0) return slot;
    return this.#guarded.includes(fold(key)) ? CASE_VARIANT : NOT_WANTED;
  }
}

/** The text of a key whose bytes, without quotes, are `body[start..end)`; `undefined` when it is no JSON string. */
export function decodeKey(body: Buffer, start: number, end: number): string | undefined {
  try {
    // As a bare string: as the key of an object V8 may misread it (nodejs/node#63785).
    return JSON.parse(`"${body.toString('utf8', start, end)}"`) as string;
  } catch {
    return undefined;
  }
}

/** Whether `name` stands at `start` if letters of either case count as equal. */
function sameLetters(body: Buffer, start: number, name: Uint8Array): boolean {
  for (let index = 0; index < name.length; index += 1) {
    const left = body[start + index]!;
    const right = name[index]!;
    if (left === right) continue;
    const letter = left | 0x20;
    if (letter !== (right | 0x20) || letter < 0x61 || letter > 0x7a) return false;
  }
  return true;
}

/** Down, then up, so that the long s (U+017F) and the Kelvin sign meet `s` and `k`, as they do under Unicode folding. */
function fold(text: string): string {
  return text.toLowerCase().toUpperCase();
}
