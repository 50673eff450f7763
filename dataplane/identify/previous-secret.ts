// Who still uses the old secret of a rotated key: what must be looked up before the grace period ends. Bounded, in memory, newest first.
import type { KeyEntry } from '#shared/bundle/bundle.ts';

/** Keys remembered; those used last stay. */
const MAX_KEYS = 100;
const MAX_ADDRESSES = 5;

/** Use of one old secret, as this process saw it. */
export interface SecretUse {
  /** RFC 3339, UTC, last use. */
  readonly at: string;
  readonly count: number;
  /** Client addresses, last first. */
  readonly addresses: readonly string[];
}

interface Noted {
  readonly hash: string;
  at: number;
  count: number;
  addresses: readonly string[];
}

export class PreviousSecretUses {
  readonly #byKey = new Map<string, Noted>();

  /** Notes a call that came with an old secret. @param at milliseconds since 1970 */
  note({ key, hash }: KeyEntry, address: string, at: number): void {
    const known = this.#byKey.get(key);
    // Rotated once more, a key has another old secret, and what was said of the one before says nothing of it.
    const noted = known?.hash === hash ? known : { hash, at, count: 0, addresses: [] };
    noted.at = at;
    noted.count++;
    if (noted.addresses[0] !== address) {
      const others = noted.addresses.filter((each) => each !== address);
      noted.addresses = [address, ...others].slice(0, MAX_ADDRESSES);
    }
    // A Map keeps the order of insertion: the first one is the one unused for longest.
    this.#byKey.delete(key);
    this.#byKey.set(key, noted);
    if (this.#byKey.size > MAX_KEYS) this.#byKey.delete(this.#byKey.keys().next().value!);
  }

  /**
   * Uses by VirtualKey `namespace/name`.
   * @param isCurrent whether a hash is still that of an old secret in grace; what is over is forgotten
   */
  report(isCurrent: (hash: string) => boolean): Readonly<Record<string, SecretUse>> {
    for (const [key, { hash }] of this.#byKey) if (!isCurrent(hash)) this.#byKey.delete(key);
    return Object.fromEntries(
      Array.from(this.#byKey, ([key, { at, count, addresses }]) => [
        key,
        { at: new Date(at).toISOString(), count, addresses },
      ]),
    );
  }
}
