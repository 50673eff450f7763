// Keys that an index names as revoked, in force from the moment the index is seen: on top of whatever configuration is loaded, for as long
// as that one is older than the index.

export class Revocations {
  /** Hash → highest sequence of an index that names it. */
  readonly #named = new Map<string, number>();

  get hashes(): ReadonlySet<string> {
    return new Set(this.#named.keys());
  }

  /** @returns whether there is a hash that was not revoked before */
  see(sequence: number, revoked: readonly string[]): boolean {
    const before = this.#named.size;
    for (const hash of revoked) this.#named.set(hash, Math.max(sequence, this.#named.get(hash) ?? 0));
    return this.#named.size > before;
  }

  /** The publication of this sequence is in force: what only older indexes name is no part of it any more. */
  loaded(sequence: number): void {
    for (const [hash, named] of this.#named) if (named < sequence) this.#named.delete(hash);
  }

  /** Sequences start anew. What is revoked stays so until the next publication is in force. */
  restart(): void {
    for (const hash of this.#named.keys()) this.#named.set(hash, -1);
  }
}
