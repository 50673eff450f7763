// What one compile leaves to the next: of each virtual key what was made of it and what that rested on. A compile with a memo says exactly what
// one without says; it only takes less time where an object is the very same as before and so is everything the object rests on.
import { objectKey, type Kind, type Resource, type SpecOf } from '#shared/api/kinds.ts';
import { parseSpec, type Parsed } from '#shared/api/parse.ts';
import { parseSpecOnce } from '#shared/api/parse-once.ts';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import type { SecretText } from '#shared/secret-text.ts';
import type { Attachment } from './attach.ts';
import type { Report } from './report.ts';
import type { KeyCredential, RawObject } from './types.ts';

/** What a key was made from beside its manifest. While all of it is the same, so is what is made. */
export interface KeyBasis {
  readonly attachment: Attachment;
  /** Everything of the Gateway that keys look at, as {@link CompileMemo.same} gives it. */
  readonly gateway: object | undefined;
  readonly credential: KeyCredential | undefined;
  readonly value: SecretText | undefined;
}

export interface MadeKey {
  readonly basis: KeyBasis;
  readonly report: Report;
  readonly entries: readonly KeyEntry[];
  /** Hashes that were looked for among the tombstones, and which of them were there. */
  readonly hashes: readonly string[];
  readonly buried: readonly boolean[];
}

/** A virtual key in one compile. The report is that of the compile that is running; the rest stays while the object is the same. */
export interface KeySubject {
  readonly resource: Resource<'VirtualKey'>;
  /** `namespace/name`. */
  readonly id: string;
  /** `namespace/name` of the Gateway it names. */
  readonly gateway: string;
  report: Report;
  made?: MadeKey;
}

/** The keys of one Gateway as they were compiled last. */
export interface CompiledKeys {
  readonly subjects: readonly KeySubject[];
  readonly entries: readonly KeyEntry[];
  /** Whether several keys held one value: then reports are more than what each key was made from. */
  readonly conflicts: boolean;
}

export class CompileMemo {
  readonly #subjects = new WeakMap<RawObject, KeySubject>();
  readonly #values = new Map<string, { readonly text: string; readonly value: object }>();
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

  /**
   * A value that stays the same object from compile to compile for as long as it says the same.
   * @param place what the value is about
   * @param text everything it says
   */
  same<T extends object>(place: string, text: string, value: T): T {
    const before = this.#values.get(place);
    if (before?.text === text) return before.value as T;
    this.#values.set(place, { text, value });
    return value;
  }

  /** Forgets Gateways that are gone. @param present `namespace/name` */
  retain(present: { has(gateway: string): boolean }): void {
    for (const gateway of this.keys.keys()) if (!present.has(gateway)) this.keys.delete(gateway);
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
}

export function keySubject(resource: Resource<'VirtualKey'>, report: Report): KeySubject {
  const { metadata, spec } = resource;
  return {
    resource,
    id: objectKey(metadata),
    gateway: `${spec.gatewayRef.namespace ?? metadata.namespace}/${spec.gatewayRef.name}`,
    report,
  };
}
