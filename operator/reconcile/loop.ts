// When to pass over the world: at once on the first change, then one pass at a time, changes that arrive meanwhile collected into the next.
// After a long pass it rests, so that leadership, probes and watches get their turn.
import type { Logger } from 'pino';

/** `settle` looks again at what is written and loaded; `all` compiles as well. */
export type Extent = 'settle' | 'all';

export interface LoopOptions {
  readonly run: (extent: Extent) => Promise<void>;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly log: Logger;
  /** Least and most rest between passes, in milliseconds; half the time of the last pass in between. */
  readonly rest?: { readonly min: number; readonly max: number };
  /** A full pass after this many milliseconds without one, for whatever no watch told. */
  readonly resync?: number;
}

const REST = { min: 20, max: 5_000 };
const RESYNC_MS = 600_000;
/** Rest after the first failure in a row; doubles up to the most a rest may last. */
const FAILURE_REST_MS = 250;
/** The longest delay of a Node timer. */
const MAX_DELAY_MS = 0x7fff_ffff;

export class Loop {
  readonly #options: LoopOptions;
  #wanted: Extent | undefined;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #alarms = new Map<Extent, { readonly at: number; readonly timer: NodeJS.Timeout }>();
  #notBefore = 0;
  #failures = 0;
  #stopped = false;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** Asks for a pass; many askings before it begins are one. */
  request(extent: Extent): void {
    if (this.#stopped) return;
    if (this.#wanted !== 'all') this.#wanted = extent;
    this.#arm();
  }

  /** Asks for a pass at a time, in milliseconds of the same clock. For each extent the earliest time asked for counts. */
  wakeAt(at: number | undefined, extent: Extent = 'all'): void {
    const alarm = this.#alarms.get(extent);
    if (at === undefined || this.#stopped || (alarm !== undefined && at >= alarm.at)) return;
    clearTimeout(alarm?.timer);
    const delay = Math.min(Math.max(0, at - this.#options.now()), MAX_DELAY_MS);
    const timer = setTimeout(() => {
      this.#alarms.delete(extent);
      this.request(extent);
    }, delay);
    this.#alarms.set(extent, { at, timer });
  }

  /** Lets the running pass end and starts no other. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const { timer } of this.#alarms.values()) clearTimeout(timer);
    await this.#running;
  }

  #arm(): void {
    if (this.#running !== undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#running = this.#pass();
      },
      Math.max(0, this.#notBefore - this.#options.now()),
    );
  }

  async #pass(): Promise<void> {
    const { run, now, log, rest = REST, resync = RESYNC_MS } = this.#options;
    const extent = this.#wanted ?? 'settle';
    this.#wanted = undefined;
    const began = now();
    try {
      await run(extent);
      this.#failures = 0;
      this.#notBefore = now() + Math.min(Math.max(rest.min, (now() - began) / 2), rest.max);
    } catch (error) {
      const pause = Math.min(FAILURE_REST_MS * 2 ** this.#failures++, rest.max);
      log.error({ err: error, again_in_ms: pause }, 'a pass failed and is tried again');
      this.#notBefore = now() + pause;
      this.#wanted = extent === 'all' ? 'all' : (this.#wanted ?? extent);
    }
    this.#running = undefined;
    if (this.#stopped) return;
    if (extent === 'all') this.wakeAt(now() + resync);
    if (this.#wanted !== undefined) this.#arm();
  }
}
