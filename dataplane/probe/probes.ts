// Looks after the upstreams of one data plane: on first load, when an upstream or its credential changed, on its interval and when somebody
// asks. A few at a time, never on the path of a call. What calls meet counts as well.
import type { IncomingHttpHeaders } from 'node:http';
import {
  ACCEPTED,
  ANSWERS,
  MAX_UNKNOWN,
  writeUpstreamReport,
  type Facet,
  type UpstreamWord,
} from '#shared/upstream-report.ts';
import type { Settings } from '../config/snapshot.ts';
import { Refresher } from '../credentials/refresher.ts';
import type { Clock } from '../credentials/source.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import type { CallObserver } from './call-observer.ts';
import { classify, READ_CHARS } from './classify.ts';
import type { Finding } from './finding.ts';
import { probe, type ProbePorts } from './probe.ts';
import { isTroubled, type UpstreamState } from './state.ts';
import { WatchedUpstream } from './watched-upstream.ts';

/** What changed about an upstream. */
export interface UpstreamChange {
  /** `namespace/name`. */
  readonly upstream: string;
  readonly subject: 'credentials' | 'reachable' | 'models';
  readonly before: Facet;
  readonly after: Facet;
}

export interface ProbesOptions extends ProbePorts {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** False: only what calls and credentials tell. */
  readonly probing: boolean;
  readonly onChange: (change: UpstreamChange) => void;
  /** The report is another, for whatever reason. */
  readonly onReport: () => void;
  readonly onProbe: (upstream: string, outcome: Finding['outcome']) => void;
}

const AT_ONCE = 4;
const SOURCE_EVERY_MS = 10_000;
const HOUR_MS = 3_600_000;
const SUBJECTS = ['credentials', 'reachable', 'models'] as const;

export class Probes implements CallObserver {
  readonly #options: ProbesOptions;
  readonly #refresher: Refresher;
  readonly #watched = new Map<string, WatchedUpstream>();
  #settings: Settings | undefined;
  #cancel: (() => void) | undefined;

  constructor(options: ProbesOptions) {
    this.#options = options;
    this.#refresher = new Refresher(options.clock, AT_ONCE);
    this.#lookAtSources();
  }

  /** Takes over a configuration; upstreams that did not change keep what is known of them. */
  configure(settings: Settings): void {
    this.#settings = settings;
    const named = new Set(settings.upstreams.map(({ key }) => key));
    for (const [key, watched] of this.#watched) {
      if (named.has(key)) continue;
      this.#watched.delete(key);
      this.#refresher.delete(watched);
    }
    for (const target of settings.upstreams) this.#take(target);
    this.#options.onReport();
  }

  refused(target: UpstreamTarget, model: string, status: number, body: Buffer): void {
    if (status !== 401 && status !== 403 && status !== 404) return;
    const watched = this.#current(target);
    if (watched === undefined) return;
    // A client may ask for any model of the catalog; only those the platform team wrote down should be there.
    if (status === 404 && !target.entry.models.some(({ upstreamId }) => upstreamId === model)) return;
    const text = body.toString('utf8', 0, READ_CHARS);
    watched.refused(classify({ family: target.entry.provider, status, text, model }));
  }

  served(target: UpstreamTarget, model: string, upstreamModel: string, headers: IncomingHttpHeaders): void {
    const watched = this.#current(target);
    if (watched === undefined) return;
    watched.served(upstreamModel);
    if (watched.quotas.observe(model, headers, this.#options.clock.now())) this.#options.onReport();
  }

  /** What is known, by upstream `namespace/name`. */
  states(): ReadonlyMap<string, Pick<WatchedUpstream, 'state' | 'probedAt' | 'quotas'>> {
    return this.#watched;
  }

  /** For the pod's Lease: those that are left out first, then those in trouble, bounded. */
  report(): string | undefined {
    const leftOut = this.#settings?.leftOut ?? [];
    const all = [...this.#watched].sort(([, a], [, b]) => Number(isTroubled(b.state)) - Number(isTroubled(a.state)));
    return writeUpstreamReport([
      ...leftOut.map(({ upstream, unknown }) => [upstream, { unknown: unknown.slice(0, MAX_UNKNOWN) }] as const),
      ...all.map(([key, watched]) => [key, wordOf(watched)] as const),
    ]);
  }

  stop(): void {
    this.#cancel?.();
    for (const watched of this.#watched.values()) this.#refresher.delete(watched);
    this.#watched.clear();
  }

  #take(target: UpstreamTarget): void {
    const known = this.#watched.get(target.key);
    if (known !== undefined) {
      const same = known.target.credential === target.credential;
      known.configure(target);
      if (!same) void this.#whenSettled(target);
      return;
    }
    const { clock, random, probing } = this.#options;
    const watched: WatchedUpstream = new WatchedUpstream(target, {
      look: (now, signal) => probe(now, this.#settings!, this.#options, signal),
      now: () => clock.now(),
      random,
      probing,
      moved: (each) => this.#refresher.moved(each),
      changed: (each, before) => this.#changed(each, before),
      probed: (each, { outcome }) => this.#options.onProbe(each.target.key, outcome),
    });
    this.#watched.set(target.key, watched);
    this.#refresher.add(watched);
    void this.#whenSettled(target);
  }

  async #whenSettled({ key, credential }: UpstreamTarget): Promise<void> {
    await credential.settled;
    const watched = this.#watched.get(key);
    if (watched?.target.credential === credential) watched.lookAtSource();
  }

  /** Calls may still run under a configuration that is gone, and what they meet says nothing about the one there is. */
  #current({ key, credential }: UpstreamTarget): WatchedUpstream | undefined {
    const watched = this.#watched.get(key);
    return watched?.target.credential === credential ? watched : undefined;
  }

  #lookAtSources(): void {
    this.#cancel = this.#options.clock.after(SOURCE_EVERY_MS, () => {
      for (const watched of this.#watched.values()) watched.lookAtSource();
      this.#lookAtSources();
    });
  }

  #changed({ target, state }: WatchedUpstream, before: UpstreamState): void {
    for (const subject of SUBJECTS) {
      if (state[subject] === before[subject]) continue;
      this.#options.onChange({ upstream: target.key, subject, before: before[subject], after: state[subject] });
    }
    this.#options.onReport();
  }
}

const MOST_MISSING = 32;
const MOST_QUOTAS = 32;

function wordOf({ state, probedAt, changedAt, quotas }: WatchedUpstream): UpstreamWord {
  const { credentials, reachable, models, missing } = state;
  const at = momentOf(probedAt, changedAt);
  const limits = Object.entries(quotas.known()).slice(0, MOST_QUOTAS);
  return {
    ...(at === undefined ? {} : { at }),
    ...(credentials === ACCEPTED ? {} : { credentials }),
    ...(reachable === ANSWERS ? {} : { reachable }),
    ...(models.status === 'Unknown' ? {} : { models }),
    ...(missing.size === 0 ? {} : { missing: [...missing].slice(0, MOST_MISSING) }),
    ...(limits.length === 0 ? {} : { quotas: Object.fromEntries(limits) }),
  };
}

/** The hour of the last look, or the change itself where that was later: a time that moved with every look would move every status. */
function momentOf(probedAt: number | undefined, changedAt: number | undefined): string | undefined {
  if (probedAt === undefined) return undefined;
  const hour = Math.floor(probedAt / HOUR_MS) * HOUR_MS;
  return new Date(Math.max(hour, Math.floor((changedAt ?? 0) / 1_000) * 1_000)).toISOString();
}
