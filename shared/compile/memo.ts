// What one compile leaves to the next: of each virtual key what was made of it and what that rested on. A compile with a memo says exactly what
// one without says; it only takes less time where an object is the very same as before and so is everything the object rests on.
import type { Kind, Resource, SpecOf } from '#shared/api/kinds.ts';
import { parseSpec, type Parsed } from '#shared/api/parse.ts';
import { parseSpecOnce } from '#shared/api/parse-once.ts';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import { Interned } from '#shared/interned.ts';
import type { SecretText } from '#shared/secret-text.ts';
import type { Report } from './report.ts';
import type { KeyCredential, RawObject } from './types.ts';

/** Where a key has its value from, or what is in its place. Credentials and Secrets are immutable. */
export type KeySource = KeyCredential | SecretText | 'no credential' | 'no Secret' | 'no key';

/** What was made of a key, and from what beside its manifest: while all of that is the same, so is what is made. */
export interface MadeKey {
  /** Stands for everything of the Gateway that keys look at, see {@link CompileMemo.same}; of a refused key its refusal. */
  readonly gateway: object;
  readonly source: KeySource | undefined;
  /** Hashes that were looked for among the tombstones, and which of them were there. */
  readonly hashes: readonly string[];
  readonly buried: readonly boolean[];
  readonly report: Report;
  readonly entries: readonly KeyEntry[];
}

/** A virtual key in one compile. The report is that of the compile that is running; the rest stays while the object is the same. */
export interface KeySubject {
  readonly resource: Resource<'VirtualKey'>;
  /** `namespace/name`. */
  readonly id: string;
  /** `namespace/name` of the Gateway it names. */
  readonly gateway: string;
  /** `namespace/name` of the Secret that holds its value. */
  readonly secret: string;
  report: Report;
  made?: MadeKey;
}

/** The keys of one Gateway as they were compiled last. */
export interface CompiledKeys {
  readonly made: readonly MadeKey[];
  /** Sorted by hash. */
  readonly entries: readonly KeyEntry[];
  /** Several keys held one value: then reports and entries are more than what each key was made of. */
  readonly conflicts: boolean;
  /** Of the entries, once somebody asked. */
  hashes?: Set<string>;
}

/** Values kept beyond twice those that the last compile asked for: the first compile of all asks for a part of them at a time. */
const SPARE_VALUES = 1_000;

export class CompileMemo {
  readonly #names = new Interned();
  readonly #subjects = new WeakMap<RawObject, KeySubject>();
  readonly #values = new Map<string, { readonly text: string; readonly value: object }>();
  /** Places of values that this compile asked for. */
  readonly #asked = new Set<string>();
  /** By Gateway `namespace/name`. */
  readonly keys = new Map<string, CompiledKeys>();

  /** Reads a spec, once for each object. */
  parse<K extends Kind>(kind: K, { spec }: RawObject): Parsed<SpecOf[K]> {
    return parseSpecOnce(kind, spec);
  }

  subject(object: RawObject): KeySubject | undefined {
    return this.#subjects.get(object);
  }

  remember(object: RawObject, subject: KeySubject): void {
    this.#subjects.set(object, subject);
  }

  /** One string for equal strings: looking up by it is then a comparison of addresses. */
  intern(name: string): string {
    return this.#names.of(name);
  }

  /**
   * A value that stays the same object from compile to compile for as long as it says the same.
   * @param place what the value is about
   * @param text everything it says
   */
  same<T extends object>(place: string, text: string, value: T): T {
    this.#asked.add(place);
    const before = this.#values.get(place);
    if (before?.text === text) return before.value as T;
    this.#values.set(place, { text, value });
    return value;
  }

  /** To be called at the end of a compile: forgets Gateways that are gone, and values nobody asks for. @param present `namespace/name` */
  retain(present: { has(gateway: string): boolean }): void {
    for (const gateway of this.keys.keys()) if (!present.has(gateway)) this.keys.delete(gateway);
    if (this.#values.size > 2 * this.#asked.size + SPARE_VALUES) {
      for (const place of this.#values.keys()) if (!this.#asked.has(place)) this.#values.delete(place);
    }
    this.#asked.clear();
  }
}

/** For a single compile: nothing is remembered, and nothing is paid for remembering. */
export class NoMemo extends CompileMemo {
  override parse<K extends Kind>(kind: K, { spec }: RawObject): Parsed<SpecOf[K]> {
    return parseSpec(kind, spec);
  }

  override subject(): undefined {
    return undefined;
  }

  override remember(): void {}

  override intern(name: string): string {
    return name;
  }
}
