// Writes statuses: only where something differs, the urgent ones first, so many a second. Holds nothing but what is still to be written, and
// of that the latest only; whatever gets lost here is found again by the next pass, which compares every object anew.
//
// Server-side apply with a field manager of its own leaves to others what is theirs. The resource version in the intent keeps a status from
// an object that was deleted and made again under the same name: of a custom resource's /status the server ignores the uid, measured on 1.36.
import { API_VERSION } from '#shared/api/kinds.ts';
import { ApiError, isApiError, type KubeClient } from '#shared/kube/client.ts';
import { sleep } from '#shared/kube/deadline.ts';
import { STATUS_MANAGER } from '#shared/kube/labels.ts';
import type { KubeObject, ResourceType } from '#shared/kube/object.ts';
import { TokenBucket } from '#shared/kube/token-bucket.ts';
import { Backlog } from './backlog.ts';
import { difference, URGENCY, type Urgency } from './difference.ts';
import { conditionOf, statusOf, type StatusObject } from './stored.ts';

export type Reported = KubeObject & { readonly status?: unknown };

export interface StatusWriterOptions {
  readonly client: Pick<KubeClient, 'apply' | 'get'>;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly log: { readonly warn: (context: object, text: string) => void };
  /** Statuses a second on average, and at once. */
  readonly rate?: { readonly perSecond: number; readonly burst: number };
  /** Calls at a time. */
  readonly concurrency?: number;
  /** After each status the server took. */
  readonly onWritten?: (
    written: { readonly type: ResourceType; readonly object: Reported },
    before: StatusObject,
    after: StatusObject,
  ) => void;
}

interface Offer {
  readonly type: ResourceType;
  readonly object: Reported;
  readonly desired: StatusObject;
}

/** What stands on the server for certain. */
interface Known {
  readonly status: StatusObject;
  readonly resourceVersion: string | undefined;
}

/** 100,000 statuses in 17 minutes, and room for everything else on the API server. */
const RATE = { perSecond: 100, burst: 100 };
const CONCURRENCY = 4;
/** Pods usually load within this time: one write instead of two. Milliseconds. */
const SETTLING_MS = 1000;
/** Figures follow every edit of an attached object; nobody needs them at once. Milliseconds. */
const FIGURES_MS = 5000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** Somebody else writes the same object, such as the minter of keys; more often than this in a row is nobody's plan. */
const MAX_CONFLICTS = 3;

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #bucket: TokenBucket;
  readonly #backlog = new Backlog<Offer>(URGENCY.length);
  /** What we wrote on an object, for as long as the cache still has it as it was before. */
  readonly #written = new WeakMap<Reported, Known>();
  /** Offers that came while an earlier one of the same object was on its way. */
  readonly #writing = new Map<string, Offer | undefined>();
  /** When the server may be asked again about an object whose status it refused. */
  readonly #refusedUntil = new WeakMap<Reported, number>();
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #wake: () => void = () => undefined;
  #failures = 0;
  #pausedUntil = 0;

  constructor(options: StatusWriterOptions) {
    const { perSecond, burst } = options.rate ?? RATE;
    this.#options = options;
    this.#bucket = new TokenBucket(perSecond, burst, options.now);
    this.#running = this.#run();
  }

  /** Statuses that wait to be written or are being written. */
  get pending(): number {
    return this.#backlog.size + this.#writing.size;
  }

  /**
   * States what an object's status should be; cheap where it is so already. The newest offer of an object counts.
   * @param object as the cache holds it: the very same object until the cache learns of a change
   */
  offer(type: ResourceType, object: Reported, desired: StatusObject): void {
    if (this.#stopping.signal.aborted) return;
    const { namespace, name } = object.metadata;
    const key = `${type.kind} ${namespace}/${name}`;
    if (this.#writing.has(key)) {
      this.#writing.set(key, { type, object, desired });
      return;
    }
    const urgency = difference(this.#known(object).status, desired);
    if (urgency === undefined) {
      this.#backlog.remove(key);
      return;
    }
    const hold = holdOf(urgency, desired);
    const notBefore = this.#refusedUntil.get(object) ?? (hold === 0 ? 0 : this.#options.now() + hold);
    this.#backlog.put(key, { type, object, desired }, URGENCY.indexOf(urgency), notBefore);
    this.#wake();
  }

  /** Drops everything: this process leads no more. Resolves when no call is on its way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#backlog.clear();
    this.#wake();
    await this.#running;
    this.#backlog.clear();
  }

  #known(object: Reported): Known {
    return this.#written.get(object) ?? knownOf(object);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const calls = new Set<Promise<void>>();
    while (!signal.aborted) {
      try {
        await this.#turn();
      } catch {
        break;
      }
      const next = this.#backlog.take(this.#options.now());
      if (next === undefined) {
        this.#bucket.giveBack();
        continue;
      }
      this.#writing.set(next.key, undefined);
      const call = this.#write(next.key, next.item).finally(() => {
        calls.delete(call);
        this.#wake();
      });
      calls.add(call);
    }
    await Promise.all(calls);
  }

  /** Waits until something may be written: there is work, a place, no pause, and a token. @throws when stopped */
  async #turn(): Promise<void> {
    const { now, concurrency = CONCURRENCY } = this.#options;
    const { signal } = this.#stopping;
    for (;;) {
      const at = this.#writing.size >= concurrency ? Infinity : Math.max(this.#backlog.readyAt, this.#pausedUntil);
      const wait = at - now();
      if (wait <= 0) break;
      await this.#sleepUntilWoken(wait);
      signal.throwIfAborted();
    }
    const wait = this.#bucket.take();
    if (wait > 0) await sleep(wait, signal);
  }

  async #sleepUntilWoken(milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (milliseconds !== Infinity) timer = setTimeout(resolve, milliseconds);
      if (this.#stopping.signal.aborted) resolve();
    });
    clearTimeout(timer);
  }

  async #write(key: string, offer: Offer): Promise<void> {
    const { type, object, desired } = offer;
    try {
      const { before, resourceVersion } = await this.#apply(offer);
      this.#failures = 0;
      this.#written.set(object, { status: desired, resourceVersion });
      this.#options.onWritten?.({ type, object }, before, desired);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#failed(key, offer, error);
    } finally {
      const newer = this.#writing.get(key);
      this.#writing.delete(key);
      if (newer !== undefined) this.offer(newer.type, newer.object, newer.desired);
    }
  }

  /** @throws {ApiError} 404 when it is gone, 409 when another object has its name, or too many others write it */
  async #apply({
    type,
    object,
    desired,
  }: Offer): Promise<{ before: StatusObject; resourceVersion: string | undefined }> {
    const { client } = this.#options;
    const { signal } = this.#stopping;
    const { namespace, name } = object.metadata;
    let known = this.#known(object);
    for (let conflicts = 0; ; conflicts++) {
      const { resourceVersion } = known;
      const metadata = { namespace, name, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
      const intent = { apiVersion: API_VERSION, kind: type.kind, metadata, status: desired };
      try {
        const options = { fieldManager: STATUS_MANAGER, subresource: 'status', signal } as const;
        const stored = await client.apply<Reported>(type, intent, options);
        return { before: known.status, resourceVersion: stored.metadata.resourceVersion };
      } catch (error) {
        if (!isApiError(error, 409) || conflicts >= MAX_CONFLICTS) throw error;
        const current = await client.get<Reported>(type, { namespace, name }, { signal });
        if (current.metadata.uid !== object.metadata.uid) throw error;
        known = knownOf(current);
      }
    }
  }

  #failed(key: string, { type, object, desired }: Offer, error: unknown): void {
    // Gone, or another object of that name by now: the cache will say so.
    if (error instanceof ApiError && (error.code === 404 || error.code === 409)) return;
    const { log, now } = this.#options;
    const { namespace, name } = object.metadata;
    const context = { kind: type.kind, namespace, name, error: String(error) };
    if (error instanceof ApiError && (error.code === 400 || error.code === 422)) {
      // It will not be taken the next time either; not tried again until the object changes.
      this.#written.set(object, { ...this.#known(object), status: desired });
      log.warn(context, 'the API server does not take this status');
      return;
    }
    if (this.#writing.get(key) === undefined) this.#writing.set(key, { type, object, desired });
    if (!isOutage(error)) {
      // One object must not hold up the others.
      this.#refusedUntil.set(object, now() + LONGEST_PAUSE_MS);
      log.warn(context, 'the API server refused a status');
      return;
    }
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 10);
    this.#pausedUntil = now() + pause;
    log.warn({ ...context, pause }, 'a status could not be written; all wait');
  }
}

const knownOf = (object: Reported): Known => ({
  status: statusOf(object),
  resourceVersion: object.metadata.resourceVersion,
});

/** Whether the next object would fare no better. */
function isOutage(error: unknown): boolean {
  return !(error instanceof ApiError) || error.code === 401 || error.code === 429 || error.code > 500;
}

/** @returns milliseconds */
function holdOf(urgency: Urgency, desired: StatusObject): number {
  if (urgency === 'figures') return FIGURES_MS;
  const programmed = conditionOf(desired, 'Programmed');
  const settling = programmed?.reason === 'Pending' || programmed?.reason === 'ReplicasBehind';
  const accepted = conditionOf(desired, 'Accepted')?.status === 'True';
  return settling && accepted && conditionOf(desired, 'ResolvedRefs')?.status !== 'False' ? SETTLING_MS : 0;
}
