// Timers by name: setting one replaces the one before, and stopping ends all of them for good.

export class Timers {
  readonly #byName = new Map<string, NodeJS.Timeout>();
  #stopped = false;

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Runs `work` once, after so many milliseconds. */
  set(name: string, milliseconds: number, work: () => void): void {
    this.clear(name);
    if (!this.#stopped) this.#byName.set(name, setTimeout(work, milliseconds));
  }

  clear(name: string): void {
    clearTimeout(this.#byName.get(name));
    this.#byName.delete(name);
  }

  stop(): void {
    this.#stopped = true;
    for (const name of this.#byName.keys()) this.clear(name);
  }
}
