// One string for equal strings, so that a hundred thousand objects do not each bring along the same name, and looking up by it is a comparison of
// addresses.

/** Names shared by many objects are few; names of single objects are many, and gain nothing. */
const MOST = 10_000;

export class Interned {
  readonly #known = new Map<string, string>();

  /** The first string that was equal to this one, as far as it is remembered. */
  of(text: string): string {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(text, text);
    return text;
  }
}
