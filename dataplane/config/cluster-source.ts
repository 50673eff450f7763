// Configuration as the operator publishes it: an index that is followed, and parts that are read when it changes. What is in force is always
// one whole publication. Whatever is wrong with a newer one, the last good one stays, the fault is told, and it is tried again; only
// revocations are in force as soon as an index names them.
import type { Logger } from 'pino';
import type { BundleIndex } from '#shared/bundle/publication.ts';
import { Backoff, type BackoffRule } from '#shared/kube/backoff.ts';
import type { LoadFault } from './cluster-fault.ts';
import { IndexFollower, type IndexFollowerOptions } from './cluster-index.ts';
import type { OpenCredentials } from '../providers/target.ts';
import { loadPublication, type Publication } from './cluster-load.ts';
import type { Place } from './cluster-place.ts';
import { Revocations } from './cluster-revocations.ts';
import { Timers } from './cluster-timers.ts';
import type { SnapshotHolder } from './snapshot.ts';

export interface SourceObserver {
  loaded(publication: Publication, place: Place['name']): void;
  /** Every failed attempt, also when it is the same once more. */
  failed(fault: LoadFault): void;
  /** {@link ClusterSource.position} is another. */
  changed(): void;
}

export interface Position {
  readonly loaded: { readonly sequence: number; readonly revision: string } | undefined;
  /** Highest sequence seen, loaded or not. */
  readonly seen: number | undefined;
  /** Why what is published is not in force. */
  readonly fault: LoadFault | undefined;
}

const RETRY: BackoffRule = { first: 250, most: 30_000 };
/** Time for an ordinary start, so that it stays quiet. */
const COMPLAIN_AFTER_MS = 4_000;
const COMPLAIN_EVERY_MS = 15_000;

export interface ClusterSourceOptions extends IndexFollowerOptions {
  readonly holder: SnapshotHolder;
  readonly openCredentials: OpenCredentials;
  readonly observer: SourceObserver;
  readonly log: Logger;
  readonly retry?: BackoffRule;
  /** Milliseconds between words about a configuration that does not come. */
  readonly complainEvery?: number;
}

export class ClusterSource {
  readonly #options: ClusterSourceOptions;
  readonly #follower: IndexFollower;
  readonly #revocations = new Revocations();
  readonly #first = Promise.withResolvers<void>();
  readonly #timers = new Timers();
  #backoff: Backoff;
  #inForce: Publication | undefined;
  #indexFault: LoadFault | undefined;
  #loadFault: LoadFault | undefined;
  #loading = false;
  #loadAgain = false;

  constructor(options: ClusterSourceOptions) {
    this.#options = options;
    this.#backoff = this.#freshBackoff();
    this.#follower = new IndexFollower(options, {
      seen: (index, verdict) => this.#seen(index, verdict),
      fault: (fault) => {
        if (fault !== undefined) options.observer.failed(fault);
        this.#report(fault, this.#loadFault);
      },
    });
  }

  /** Fulfilled once a configuration is in force, however long that takes; never rejected. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  get position(): Position {
    const index = this.#inForce?.index;
    return {
      loaded: index && { sequence: index.sequence, revision: index.revision },
      seen: this.#follower.sightings.newest?.sequence,
      fault: this.#indexFault ?? this.#loadFault,
    };
  }

  /** Milliseconds since the API server last showed what the index is. */
  get age(): number | undefined {
    return this.#follower.age;
  }

  start(): void {
    this.#follower.start();
    this.#timers.set('complain', this.#options.complainEvery ?? COMPLAIN_AFTER_MS, () => this.#complain());
  }

  stop(): void {
    this.#follower.stop();
    this.#timers.stop();
  }

  #seen({ sequence, revoked }: BundleIndex, verdict: 'newer' | 'known' | 'restarted'): void {
    if (verdict === 'restarted') {
      this.#options.log.warn({ sequence }, 'the index in the cluster starts anew: following it');
      this.#revocations.restart();
    }
    if (this.#revocations.see(sequence, revoked)) this.#swap();
    if (verdict === 'known') return;
    this.#backoff = this.#freshBackoff();
    this.#load();
  }

  /** One load at a time; whatever is shown meanwhile is looked at when it is done. */
  #load(): void {
    this.#loadAgain = true;
    if (this.#loading) return;
    this.#loading = true;
    this.#timers.clear('retry');
    void this.#loadAll();
  }

  async #loadAll(): Promise<void> {
    try {
      while (this.#loadAgain && !this.#timers.stopped) {
        this.#loadAgain = false;
        await this.#tryCandidates();
      }
    } finally {
      this.#loading = false;
    }
  }

  async #tryCandidates(): Promise<void> {
    const { sightings } = this.#follower;
    const { starts } = sightings;
    let fault: LoadFault | undefined;
    for (const { index, place } of sightings.candidates()) {
      const read = await this.#tryToRead(index, place);
      if (this.#timers.stopped) return;
      if (starts !== sightings.starts) {
        this.#loadAgain = true;
        return;
      }
      if ('fault' in read) {
        this.#options.observer.failed(read.fault);
        // The newest is the one that should be in force.
        fault ??= read.fault;
      } else {
        this.#put(read.publication, place);
        break;
      }
    }
    const isBehind = sightings.candidates().length > 0;
    this.#report(this.#indexFault, isBehind ? (fault ?? this.#loadFault) : undefined);
    if (isBehind && !this.#loadAgain) this.#timers.set('retry', this.#backoff.next(), () => void this.#retry());
  }

  async #tryToRead(
    index: BundleIndex,
    place: Place['name'],
  ): Promise<{ readonly publication: Publication } | { readonly fault: LoadFault }> {
    try {
      return {
        publication: await loadPublication(index, this.#options[place], this.#inForce, this.#options.openCredentials),
      };
    } catch (error) {
      return { fault: error as LoadFault };
    }
  }

  /** The writer may have moved on: the index is read again before its parts are. */
  async #retry(): Promise<void> {
    await this.#follower.read();
    this.#load();
  }

  #put(publication: Publication, place: Place['name']): void {
    this.#inForce = publication;
    this.#follower.sightings.inForce(publication.index);
    this.#revocations.loaded(publication.index.sequence);
    this.#swap();
    this.#options.observer.loaded(publication, place);
    this.#options.observer.changed();
    this.#first.resolve();
  }

  #swap(): void {
    if (this.#inForce === undefined) return;
    const { settings, keys } = this.#inForce.snapshot;
    const { hashes } = this.#revocations;
    try {
      this.#options.holder.swap({ settings, keys: hashes.size === 0 ? keys : keys.revoking(hashes) });
    } catch (error) {
      // It is in force. A defect of whoever hears of it must not end the process and every stream with it, nor keep the next one out.
      this.#options.log.error({ err: error }, 'a configuration is in force, but not everything followed it');
    }
  }

  /** Notes what is wrong now, and tells when that is another thing than before. */
  #report(index: LoadFault | undefined, load: LoadFault | undefined): void {
    const before = this.position.fault;
    this.#indexFault = index;
    this.#loadFault = load;
    const { fault, loaded, seen } = this.position;
    if (fault?.message === before?.message) return;
    if (fault !== undefined && loaded !== undefined) {
      const at = { reason: fault.reason, loaded: loaded.sequence, published: seen };
      this.#options.log.warn(at, `the last good configuration keeps serving: ${fault.message}`);
    }
    this.#options.observer.changed();
  }

  /** A pod that does not become ready says what it waits for, again and again: it is the last line of its log that people look at. */
  #complain(): void {
    if (this.#inForce !== undefined) return;
    const { api, mount } = this.#follower.lacks;
    const found = this.#loadFault === undefined ? '' : ` What was found cannot be used: ${this.#loadFault.message}.`;
    this.#options.log.error(`no configuration yet, so no listener. API server: ${api}. Mounted: ${mount}.${found}`);
    this.#timers.set('complain', this.#options.complainEvery ?? COMPLAIN_EVERY_MS, () => this.#complain());
  }

  #freshBackoff(): Backoff {
    return new Backoff(this.#options.retry ?? RETRY, this.#options.now, this.#options.random);
  }
}
