// One upstream under watch: what is known of it, when it is looked at next, and what calls have said since. One look at a time.
import type { CredentialState } from '../credentials/source.ts';
import type { Refreshable } from '../credentials/refresher.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import type { Finding } from './finding.ts';
import { noCredential } from './probe.ts';
import { Quotas } from './quotas.ts';
import { afterFinding, initialState, isTroubled, type UpstreamState } from './state.ts';

export interface WatchOptions {
  /** Looks at the upstream as it is configured now; does not reject. */
  readonly look: (target: UpstreamTarget, signal: AbortSignal) => Promise<Finding>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** False: no probes in this process, whatever the upstream says. */
  readonly probing: boolean;
  /** `dueAt` may be another. */
  readonly moved: (watched: WatchedUpstream) => void;
  readonly changed: (watched: WatchedUpstream, before: UpstreamState) => void;
  readonly probed: (watched: WatchedUpstream, finding: Finding) => void;
}

/** Pods that load a configuration together do not ask together. */
const SPREAD_MS = 1_000;
/** Half of it earlier or later, so that pods drift apart. */
const JITTER = 0.2;
/** After trouble the next look comes sooner than the interval, and then later and later. */
const FIRST_AGAIN_MS = 15_000;
/** What a call said is looked at soon, but a provider that refuses every call is not asked for each of them. */
const FIRST_CONFIRM_MS = 1_000;
const MOST_CONFIRM_MS = 300_000;
/** A free list does not show whether messages are allowed, so it does not take back what a call said, for so long. */
const CALL_COUNTS_MS = 600_000;

export class WatchedUpstream implements Refreshable {
  target: UpstreamTarget;
  state: UpstreamState;
  readonly quotas = new Quotas();
  /** Milliseconds since 1970: of the last look, and of the last change. */
  probedAt: number | undefined;
  changedAt: number | undefined;
  #dueAt: number | undefined;
  readonly #options: WatchOptions;
  #identity = '';
  #failures = 0;
  #confirms = 0;
  #look: AbortController | undefined;
  /** A call was refused for lack of permission. */
  #refusedAt: number | undefined;

  constructor(target: UpstreamTarget, options: WatchOptions) {
    this.#options = options;
    this.target = target;
    this.state = initialState(this.#probes(target));
    this.configure(target);
  }

  /** One look at a time: the end of one makes the next due. */
  get dueAt(): number | undefined {
    return this.#look === undefined ? this.#dueAt : undefined;
  }

  /** Takes over what a configuration says, and looks again when it is another upstream or credential, or when somebody asked for it. */
  configure(target: UpstreamTarget): void {
    const identity = JSON.stringify([target.credential.id, target.entry]);
    this.target = target;
    if (identity === this.#identity) return;
    this.#identity = identity;
    this.#look?.abort();
    this.#failures = 0;
    this.#confirms = 0;
    this.#refusedAt = undefined;
    if (!this.#probes(target)) this.#put(initialState(false));
    this.#dueAt = this.#probes(target) ? this.#options.now() + this.#options.random() * SPREAD_MS : undefined;
    this.#options.moved(this);
  }

  async refresh(): Promise<void> {
    const { target } = this;
    const identity = this.#identity;
    this.#dueAt = undefined;
    const look = new AbortController();
    this.#look = look;
    const finding = await this.#options.look(target, look.signal);
    this.#look = undefined;
    // Something else is configured by now, and due.
    if (identity !== this.#identity) return;
    const now = this.#options.now();
    this.probedAt = now;
    this.#options.probed(this, finding);
    if (!this.#isOutweighed(finding, now)) this.#put(afterFinding(this.state, finding));
    const next = this.#nextAfter(finding, now);
    this.#dueAt = this.#dueAt === undefined ? next : Math.min(this.#dueAt, next ?? Infinity);
  }

  /** A call was refused: believed at once, and looked at soon. */
  refused(finding: Finding): void {
    const { outcome } = finding;
    if (outcome !== 'BadCredential' && outcome !== 'NoPermission' && outcome !== 'ModelNotEnabled') return;
    const now = this.#options.now();
    if (outcome === 'NoPermission') this.#refusedAt = now;
    this.#put(afterFinding(this.state, finding));
    if (outcome === 'ModelNotEnabled' || !this.#probes(this.target)) return;
    const wait = Math.min(MOST_CONFIRM_MS, FIRST_CONFIRM_MS * 2 ** Math.min(this.#confirms, 16));
    const at = this.#confirms === 0 ? now + wait : Math.max(now, this.probedAt ?? now) + wait;
    if (this.#look !== undefined || (this.#dueAt !== undefined && this.#dueAt <= at)) return;
    this.#confirms++;
    this.#dueAt = at;
    this.#options.moved(this);
  }

  /** A call was served: whatever was said of the credential is over. */
  served(upstreamModel: string): void {
    const { credentials, missing } = this.state;
    if (credentials.status !== 'False' && !missing.has(upstreamModel)) return;
    this.#refusedAt = undefined;
    this.#put(afterFinding(this.state, { outcome: 'Valid', message: '', model: upstreamModel }));
  }

  /** What the source of the credential says, which needs no traffic. */
  lookAtSource(): void {
    const { status, fault } = this.target.credential.state() satisfies CredentialState;
    const { credentials } = this.state;
    if (status === 'Unusable' && fault !== undefined) {
      this.#put(afterFinding(this.state, noCredential(fault)));
    } else if (status === 'Valid' && credentials.reason === 'CredentialUnavailable') {
      if (!this.#probes(this.target)) this.#put({ ...this.state, credentials: initialState(false).credentials });
      else if (this.#look === undefined) {
        this.#dueAt = this.#options.now();
        this.#options.moved(this);
      }
    }
  }

  #probes({ entry }: UpstreamTarget): boolean {
    return this.#options.probing && entry.probe !== undefined;
  }

  #isOutweighed({ outcome, model }: Finding, now: number): boolean {
    const refused = this.#refusedAt !== undefined && now - this.#refusedAt < CALL_COUNTS_MS;
    return refused && outcome === 'Valid' && model === undefined && this.state.credentials.status === 'False';
  }

  #nextAfter({ outcome }: Finding, now: number): number | undefined {
    const interval = this.target.entry.probe?.interval ?? 0;
    const well = outcome === 'Valid' && !isTroubled(this.state);
    this.#failures = well ? 0 : this.#failures + 1;
    if (well) this.#confirms = 0;
    if (interval === 0) return undefined;
    const soon = FIRST_AGAIN_MS * 2 ** Math.min(this.#failures - 1, 16);
    const wait = well ? interval : Math.min(interval, soon);
    return now + wait * (1 - JITTER / 2 + JITTER * this.#options.random());
  }

  #put(state: UpstreamState): void {
    const before = this.state;
    if (state === before) return;
    this.state = state;
    this.changedAt = this.#options.now();
    this.#options.changed(this, before);
  }
}
