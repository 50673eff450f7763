// Which Events are worth the API server's room. client-go's rules: what is the same counts up, ten that differ only in their words become one,
// and an object that talks all the time is cut short.

export interface EventWords {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, for machines. */
  readonly reason: string;
  /** What was being done, CamelCase. */
  readonly action: string;
  /** For people. */
  readonly note: string;
}

export interface Counted {
  /** Equal for Events that are the same Event. */
  readonly key: string;
  readonly note: string;
}

const SIMILAR = 10;
const SIMILAR_WITHIN_MS = 600_000;
const BURST = 25;
const ONE_MORE_EVERY_MS = 300_000;
/** Objects and groups remembered; the one not heard of for longest is forgotten. */
const REMEMBERED = 4096;

export class EventLimits {
  readonly #now: () => number;
  readonly #budgets = new Recent<{ tokens: number; at: number }>(REMEMBERED);
  readonly #groups = new Recent<{ readonly notes: Set<string>; at: number }>(REMEMBERED);

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * @param object whom it is about, for example by uid
   * @returns under which key it counts and what it says; undefined when it is left out
   */
  admit(object: string, { type, reason, action, note }: EventWords): Counted | undefined {
    const now = this.#now();
    const groupKey = JSON.stringify([object, type, reason, action]);
    let group = this.#groups.get(groupKey);
    if (group === undefined || now - group.at > SIMILAR_WITHIN_MS) group = { notes: new Set(), at: now };
    group.at = now;
    this.#groups.set(groupKey, group);
    const combined = !group.notes.has(note) && group.notes.size >= SIMILAR - 1;
    if (!combined) group.notes.add(note);
    if (!this.#spend(object, now)) return undefined;
    return combined
      ? { key: groupKey, note: `(combined from similar events) ${note}` }
      : { key: JSON.stringify([groupKey, note]), note };
  }

  #spend(object: string, now: number): boolean {
    const budget = this.#budgets.get(object) ?? { tokens: BURST, at: now };
    budget.tokens = Math.min(BURST, budget.tokens + (now - budget.at) / ONE_MORE_EVERY_MS);
    budget.at = now;
    this.#budgets.set(object, budget);
    if (budget.tokens < 1) return false;
    budget.tokens -= 1;
    return true;
  }
}

/** A Map that forgets what was not used for longest. */
export class Recent<V> {
  readonly #most: number;
  readonly #values = new Map<string, V>();

  constructor(most: number) {
    this.#most = most;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size > this.#most) {
      for (const oldest of this.#values.keys()) {
        this.#values.delete(oldest);
        break;
      }
    }
  }

  delete(key: string): void {
    this.#values.delete(key);
  }
}
