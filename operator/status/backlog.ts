// What is waiting to be written, by object: the latest only, in lanes of falling urgency, some of it not before a certain time. Of one lane
// the newest and the oldest entry take turns, so that an edit made now is seen now and nothing waits for ever behind a bulk.
export interface Waiting<T> {
  readonly key: string;
  item: T;
  lane: number;
  /** Milliseconds; while it lies ahead the entry is held back. */
  notBefore: number;
}

/** Times at which held entries are let go are rounded up to this, in milliseconds: one look at many entries. */
const GRAIN = 100;

export class Backlog<T> {
  readonly #entries = new Map<string, Waiting<T>>();
  /** Entries in order of arrival. One that was removed, or moved to another lane, stays behind and is passed over. */
  readonly #lanes: Waiting<T>[][];
  readonly #heads: number[];
  readonly #held = new Set<Waiting<T>>();
  #nextRelease = Infinity;
  #newestFirst = true;

  constructor(lanes: number) {
    this.#lanes = Array.from({ length: lanes }, () => []);
    this.#heads = this.#lanes.map(() => 0);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): T | undefined {
    return this.#entries.get(key)?.item;
  }

  /**
   * Puts an entry in, or the newest wish for it. An entry keeps the better of its lanes and the earlier of its times.
   * @param lane 0 is first
   */
  put(key: string, item: T, lane: number, notBefore: number): void {
    const time = Math.ceil(notBefore / GRAIN) * GRAIN;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { key, item, lane, notBefore: time };
      this.#entries.set(key, entry);
      this.#hold(entry);
      return;
    }
    entry.item = item;
    const better = lane < entry.lane;
    entry.lane = Math.min(lane, entry.lane);
    if (this.#held.has(entry)) {
      entry.notBefore = Math.min(time, entry.notBefore);
      this.#nextRelease = Math.min(this.#nextRelease, entry.notBefore);
    } else if (better) this.#enqueue(entry);
  }

  remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#held.delete(entry);
  }

  clear(): void {
    this.#entries.clear();
    this.#held.clear();
    this.#lanes.forEach((lane, index) => {
      lane.length = 0;
      this.#heads[index] = 0;
    });
    this.#nextRelease = Infinity;
  }

  /** @returns the entry that is next at this time, taken out */
  take(now: number): Waiting<T> | undefined {
    if (now >= this.#nextRelease) this.#release(now);
    for (let lane = 0; lane < this.#lanes.length; lane++) {
      const entry = this.#takeFrom(lane);
      if (entry === undefined) continue;
      this.#newestFirst = !this.#newestFirst;
      this.#entries.delete(entry.key);
      return entry;
    }
    return undefined;
  }

  /** Time at which {@link take} has something: 0 when it may have now, Infinity when nothing waits. */
  get readyAt(): number {
    return this.#entries.size > this.#held.size ? 0 : this.#nextRelease;
  }

  #hold(entry: Waiting<T>): void {
    if (entry.notBefore <= 0) {
      this.#enqueue(entry);
      return;
    }
    this.#held.add(entry);
    this.#nextRelease = Math.min(this.#nextRelease, entry.notBefore);
  }

  #release(now: number): void {
    this.#nextRelease = Infinity;
    for (const entry of this.#held) {
      if (entry.notBefore <= now) {
        this.#held.delete(entry);
        this.#enqueue(entry);
      } else this.#nextRelease = Math.min(this.#nextRelease, entry.notBefore);
    }
  }

  #enqueue(entry: Waiting<T>): void {
    const lane = this.#lanes[entry.lane]!;
    lane.push(entry);
    if (lane.length > 2 * this.#entries.size + 64) {
      this.#lanes[entry.lane] = lane.slice(this.#heads[entry.lane]).filter((each) => this.#waits(each, entry.lane));
      this.#heads[entry.lane] = 0;
    }
  }

  #takeFrom(index: number): Waiting<T> | undefined {
    const lane = this.#lanes[index]!;
    while (this.#heads[index]! < lane.length) {
      const entry = this.#newestFirst ? lane.pop()! : lane[this.#heads[index]!++]!;
      if (this.#waits(entry, index)) return entry;
    }
    lane.length = 0;
    this.#heads[index] = 0;
    return undefined;
  }

  #waits(entry: Waiting<T>, lane: number): boolean {
    return entry.lane === lane && this.#entries.get(entry.key) === entry && !this.#held.has(entry);
  }
}
