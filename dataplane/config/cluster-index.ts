// Follows the index wherever it shows: a watch, plain reads when the watch is quiet, and mounted files. Says which index is new, what is
// wrong with it, and what there is to load.
import { readIndex } from '#shared/bundle/index-text.ts';
import type { BundleIndex } from '#shared/bundle/publication.ts';
import { LoadFault } from './cluster-fault.ts';
import type { Place } from './cluster-place.ts';
import { Sightings, type Verdict } from './cluster-sightings.ts';
import { Timers } from './cluster-timers.ts';

/** What a watch of the index calls: its text as it is now, or why there is none. */
export type IndexListener = (text: string | LoadFault) => void;

/** All in milliseconds. */
export interface IndexTiming {
  /** The mount lags, so at the start the API server has this long to answer before files are looked at. */
  readonly mountAfter: number;
  readonly mountEvery: number;
  /** A plain read of the index, when nothing was heard of it for so long: no watch is trusted to be alive for ever. */
  readonly rereadEvery: number;
  /** The same while the API server does not answer, and before there was any index. */
  readonly awayEvery: number;
}

const TIMING: IndexTiming = { mountAfter: 2_000, mountEvery: 5_000, rereadEvery: 30_000, awayEvery: 5_000 };

export interface IndexFollowerOptions {
  readonly api: Place;
  readonly mount: Place;
  /** Starts watching the index. @returns what ends it */
  readonly watch: (listener: IndexListener) => () => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly timing?: Partial<IndexTiming>;
}

export interface IndexEvents {
  /** An index that is not old news; also one that is known, whose revocations may have grown. */
  seen(index: BundleIndex, verdict: Exclude<Verdict, 'doubtful'>): void;
  /** What the API server shows is no index; undefined once it is again. */
  fault(fault: LoadFault | undefined): void;
}

export class IndexFollower {
  readonly sightings = new Sightings();
  /** Why a place has nothing to offer, for whoever waits for the first configuration. */
  readonly lacks = { api: 'no answer yet', mount: 'not looked at yet' };
  readonly #options: IndexFollowerOptions;
  readonly #timing: IndexTiming;
  readonly #events: IndexEvents;
  readonly #timers = new Timers();
  #confirmedAt: number | undefined;
  #mounted: string | undefined;
  #reading: Promise<void> | undefined;
  #isAway = false;
  #stopWatch: () => void = () => undefined;

  constructor(options: IndexFollowerOptions, events: IndexEvents) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.#events = events;
  }

  /** Milliseconds since the API server last showed what the index is. */
  get age(): number | undefined {
    return this.#confirmedAt === undefined ? undefined : this.#options.now() - this.#confirmedAt;
  }

  start(): void {
    this.#stopWatch = this.#options.watch((text) => this.#watched(text));
    this.#timers.set('mount', this.#timing.mountAfter, () => this.#pollMount());
    void this.#poll();
  }

  stop(): void {
    this.#stopWatch();
    this.#timers.stop();
  }

  /** Reads the index from the API server; one read at a time. */
  read(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  #watched(text: string | LoadFault): void {
    const verdict = this.#shown(text, (index) => this.sightings.fromWatch(index));
    // A read that is under way began too early to tell.
    if (verdict === 'doubtful') void (this.#reading ?? Promise.resolve()).then(() => this.read());
  }

  async #poll(): Promise<void> {
    if (this.age === undefined || this.age > this.#pollEvery / 2) await this.read();
    this.#timers.set('index', this.#pollEvery * (0.75 + this.#options.random() / 2), () => void this.#poll());
  }

  get #pollEvery(): number {
    const { rereadEvery, awayEvery } = this.#timing;
    return this.#isAway || this.sightings.newest === undefined ? awayEvery : rereadEvery;
  }

  async #readOnce(): Promise<void> {
    const before = this.sightings.newest;
    let text: string | LoadFault;
    try {
      text = await this.#options.api.index();
      this.#isAway = false;
    } catch (error) {
      this.lacks.api = (error as Error).message;
      this.#isAway = !(error instanceof LoadFault);
      // That the API server cannot be asked says nothing about what is published.
      if (this.#isAway) return;
      text = error as LoadFault;
    }
    this.#shown(text, (index) => this.sightings.fromRead(index, before));
  }

  #pollMount(): void {
    this.#timers.set('mount', this.#timing.mountEvery, () => this.#pollMount());
    void this.#readMount();
  }

  async #readMount(): Promise<void> {
    try {
      const text = await this.#options.mount.index();
      if (this.#timers.stopped || text === this.#mounted) return;
      const index = readIndex(text);
      this.#mounted = text;
      if (this.sightings.fromMount(index) === 'newer') this.#events.seen(index, 'newer');
    } catch (error) {
      this.lacks.mount = (error as Error).message;
    }
  }

  /** Takes what the API server shows. */
  #shown(text: string | LoadFault, judge: (index: BundleIndex) => Verdict): Verdict {
    if (this.#timers.stopped) return 'known';
    this.#confirmedAt = this.#options.now();
    const index = text instanceof LoadFault ? text : parsed(text);
    if (index instanceof LoadFault) {
      this.lacks.api = index.message;
      this.#events.fault(index);
      return 'known';
    }
    const verdict = judge(index);
    if (verdict === 'doubtful') return verdict;
    this.#events.fault(undefined);
    this.#events.seen(index, verdict);
    return verdict;
  }
}

function parsed(text: string): BundleIndex | LoadFault {
  try {
    return readIndex(text);
  } catch (error) {
    return new LoadFault('bad_index', (error as Error).message);
  }
}
