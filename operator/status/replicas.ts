// What the pods of one Gateway serve, by their own word: readiness from the Pod, the loaded sequence from the Lease it keeps. A Lease is
// judged by when we last saw it change, never by the time written in it: the clocks of pods and operator need not agree.
import {
  LOAD_FAULT_ANNOTATION,
  LOADED_SEQUENCE_ANNOTATION,
  POD_LEASE_SECONDS,
  UPSTREAMS_ANNOTATION,
} from '#shared/kube/labels.ts';
import type { KubeObject } from '#shared/kube/object.ts';
import { readUpstreamReport, type UpstreamWord } from '#shared/upstream-report.ts';

/** A Pod as far as it is looked at; found by the label of its Gateway. */
export interface PodObject extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** A pod's Lease as far as it is looked at; found by the label of its Gateway. */
export interface LeaseObject extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly renewTime?: unknown;
  };
}

/** A ready replica. */
export interface Replica {
  readonly pod: string;
  /** Of the configuration it serves; undefined when it does not say, or has not said anything for too long. */
  readonly sequence: number | undefined;
  /** Why it cannot load what is published, in its own words. */
  readonly fault: string | undefined;
  /** What it knows of its upstreams, by `namespace/name`. */
  readonly upstreams: UpstreamWords;
}

export type UpstreamWords = Readonly<Record<string, UpstreamWord>>;

interface Pod {
  readonly uid: string | undefined;
  readonly ready: boolean;
}

interface Report {
  readonly podUid: string | undefined;
  readonly sequence: number | undefined;
  readonly fault: string | undefined;
  /** As it was written, and read. */
  readonly words: string | undefined;
  readonly upstreams: UpstreamWords;
  /** The pod is on its way out and nobody need wait for it. */
  readonly released: boolean;
  readonly renewTime: unknown;
  /** Milliseconds after `heardAt`. */
  readonly goodFor: number;
  readonly heardAt: number;
}

/** A pod may say a sentence, not a story. */
const MAX_FAULT = 300;
const NO_WORDS: UpstreamWords = {};

/** The replicas of one Gateway. All times are milliseconds of a clock that never goes back. */
export class Replicas {
  readonly #gateway: string;
  readonly #pods = new Map<string, Pod>();
  readonly #reports = new Map<string, Report>();

  /** @param gateway name, the first part of the Leases' names */
  constructor(gateway: string) {
    this.#gateway = gateway;
  }

  /** @returns whether this may change what is said about the replicas */
  observePod(pod: PodObject): boolean {
    const { name, uid, deletionTimestamp } = pod.metadata;
    const isReady = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
    const ready = isReady && deletionTimestamp === undefined;
    const before = this.#pods.get(name);
    this.#pods.set(name, { uid, ready });
    return before === undefined ? ready : before.ready !== ready || (ready && before.uid !== uid);
  }

  forgetPod(name: string): boolean {
    const before = this.#pods.get(name);
    this.#pods.delete(name);
    return before?.ready ?? false;
  }

  /** @returns whether this may change what is said about the replicas; a mere renewal does not */
  observeLease(lease: LeaseObject, now: number): boolean {
    const { name } = lease.metadata;
    const before = this.#reports.get(name);
    const after = report(lease, now, before);
    if (before !== undefined && sameWords(before, after)) {
      if (before.renewTime === after.renewTime) return false;
      this.#reports.set(name, after);
      return now >= before.heardAt + before.goodFor;
    }
    this.#reports.set(name, after);
    return true;
  }

  forgetLease(name: string): boolean {
    return this.#reports.delete(name);
  }

  get empty(): boolean {
    return this.#pods.size === 0 && this.#reports.size === 0;
  }

  /**
   * @returns the ready replicas by name, and the time at which the first of them falls silent if nothing more is heard
   */
  at(now: number): { readonly ready: readonly Replica[]; readonly expiresAt: number } {
    const ready: Replica[] = [];
    let expiresAt = Infinity;
    for (const [pod, { uid, ready: isReady }] of this.#pods) {
      if (!isReady) continue;
      const found = this.#reports.get(`${this.#gateway}-${pod}`);
      // A Lease that an earlier pod of this name left behind says nothing about this one.
      const said = found?.podUid !== undefined && uid !== undefined && found.podUid !== uid ? undefined : found;
      if (said?.released) continue;
      const end = said === undefined ? Infinity : said.heardAt + said.goodFor;
      const heard = said !== undefined && now < end;
      if (heard) expiresAt = Math.min(expiresAt, end);
      ready.push({
        pod,
        sequence: heard ? said.sequence : undefined,
        fault: heard ? said.fault : undefined,
        upstreams: heard ? said.upstreams : NO_WORDS,
      });
    }
    return { ready: ready.sort((a, b) => (a.pod < b.pod ? -1 : 1)), expiresAt };
  }
}

function report({ metadata, spec }: LeaseObject, now: number, before: Report | undefined): Report {
  const annotations = metadata.annotations ?? {};
  const written = annotations[LOADED_SEQUENCE_ANNOTATION];
  const sequence = written !== undefined && /^\d{1,15}$/.test(written) ? Number(written) : undefined;
  const words = annotations[UPSTREAMS_ANNOTATION];
  const seconds = spec?.leaseDurationSeconds ?? POD_LEASE_SECONDS;
  return {
    podUid: metadata.ownerReferences?.find(({ kind }) => kind === 'Pod')?.uid,
    sequence,
    fault: oneLine(annotations[LOAD_FAULT_ANNOTATION]),
    words,
    upstreams: before !== undefined && before.words === words ? before.upstreams : readUpstreamReport(words),
    released: seconds <= 1 || (spec?.holderIdentity ?? '') === '',
    renewTime: spec?.renewTime,
    goodFor: seconds * 1000,
    heardAt: now,
  };
}

function sameWords(a: Report, b: Report): boolean {
  const sameLoad = a.sequence === b.sequence && a.fault === b.fault && a.words === b.words;
  return sameLoad && a.released === b.released && a.podUid === b.podUid;
}

function oneLine(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const line = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').toWellFormed();
  return line.length > MAX_FAULT ? `${line.slice(0, MAX_FAULT).toWellFormed()}…` : line;
}
