// The names of server-sent events a reader delivers, prepared once for all streams and known by their bytes.

import { FieldSet, NOT_WANTED } from './field-set.ts';

/** What {@link EventNames.find} answers for the name of an event that may be stepped over. */
export const UNWANTED = NOT_WANTED;

/** Index of `content_block_delta`, which is measured whether it is delivered or not. */
export const DELTA = 0;

/** An immutable set of event names. Build it once, at module level. */
export class EventNames {
  readonly #names: FieldSet<string>;
  readonly #deltaWanted: boolean;
  /** Length of the longest name, in bytes. */
  readonly longest: number;

  /** @param wanted names to deliver, plain ASCII */
  constructor(wanted: readonly string[]) {
    const delta = 'content_block_delta';
    const names = [delta, ...wanted.filter((name) => name !== delta)];
    this.#names = new FieldSet(names);
    this.#deltaWanted = wanted.includes(delta);
    this.longest = Math.max(...names.map((name) => name.length));
  }

  /** Index of the name `line[start..end)`, or {@link UNWANTED}. */
  find(line: Buffer, start: number, end: number): number {
    return this.#names.findExact(line, start, end);
  }

  /** Index of `name`, or {@link UNWANTED}. */
  indexOf(name: string): number {
    return this.#names.names.indexOf(name);
  }

  /** The name with that index. */
  at(index: number): string {
    return this.#names.names[index]!;
  }

  /** Whether an event whose name has that index is delivered. */
  isWanted(index: number): boolean {
    return index > DELTA || (index === DELTA && this.#deltaWanted);
  }
}
