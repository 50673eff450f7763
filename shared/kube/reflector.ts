// A copy of the objects of one kind that follows the server: list, then watch from where the list was taken, for ever. It never gives up and
// never goes quiet: every failure is logged, counted and tried again, and what is known keeps being served meanwhile.
//
// A version that is too old (410, as an answer or as an event) means a new list. So does an outage: the server that comes back may have been
// restored from a backup, and a watch from a version that it has not reached yet would say nothing at all.
import { Backoff, REFLECTOR_BACKOFF } from './backoff.ts';
import { ApiError, isApiError, type KubeClient, type ListQuery, type WatchEvent } from './client.ts';
import { sleep } from './deadline.ts';
import type { KubeObject, ResourceType } from './object.ts';

/** `expired` is a version that the server no longer has, `failure` everything else that went wrong. */
export type ReflectorEvent = 'list' | 'page' | 'watch' | 'bookmark' | 'change' | 'expired' | 'failure';

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Pick<KubeClient, 'list' | 'watch'>;
  readonly type: ResourceType;
  readonly query: ListQuery;
  /** Told of every object that came, changed or went, once, after the cache has it. What it throws is logged. */
  readonly onChange?: (before: T | undefined, after: T | undefined) => void;
  /** Makes objects smaller before they are kept; must keep name, namespace and resourceVersion. */
  readonly transform?: (object: T) => T;
  readonly log: { readonly warn: (context: object, text: string) => void };
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Counts what happens, by plural of the kind. */
  readonly observe?: (resource: string, event: ReflectorEvent) => void;
  /** Objects a page; 500 when left out. */
  readonly pageSize?: number;
}

/** After this many failed watches in a row the version is not trusted any more. */
const OUTAGE = 3;
/** A watch that ended sooner, without a word, was not a watch. Milliseconds. */
const TOO_SHORT_MS = 1_000;
const PAGE_TIMEOUT_MS = 60_000;

export class Reflector<T extends KubeObject> {
  /** Resolves when the first list is in the cache; rejects when the reflector was stopped before. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<T>;
  readonly #objects = new Map<string, T>();
  readonly #backoff: Backoff;
  readonly #stopping = new AbortController();
  readonly #settle: { resolve(): void; reject(error: Error): void };
  #running: Promise<void> | undefined;
  /** Where the next watch begins; undefined when a list is due. */
  #version: string | undefined;
  #heardAt: number | undefined;
  /** Since the server last told something. */
  #failures = 0;
  #justListed = false;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#backoff = new Backoff(REFLECTOR_BACKOFF, options.now, options.random);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#settle = { resolve, reject };
    this.synced = promise;
    // Nobody has to wait for it.
    promise.catch(() => undefined);
  }

  /** Begins once; later calls do nothing. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** No callback comes after this was called; resolves when the connection is let go. The cache stays as it is. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the reflector was stopped'));
    await this.#running;
    this.#settle.reject(this.#stopping.signal.reason as Error);
  }

  /** @param key `namespace/name`, of objects of the whole cluster `/name` */
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Milliseconds of the clock at which the server last told something, be it a bookmark; undefined before the first list. */
  get heardAt(): number | undefined {
    return this.#heardAt;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list();
        await this.#watch();
      } catch (error) {
        if (signal.aborted) return;
        await this.#failed(error);
      }
    }
  }

  async #failed(error: unknown): Promise<void> {
    const expired = isApiError(error, 410);
    this.#note(expired ? 'expired' : 'failure');
    // Listing again at once is right the first time; a server that calls its own new list too old needs time.
    const atOnce = expired && !this.#justListed && this.#failures === 0;
    this.#failures++;
    if (expired || (this.#failures >= OUTAGE && !isRefusal(error))) this.#version = undefined;
    if (!atOnce) await this.#pause(error);
  }

  async #list(): Promise<void> {
    const { client, type, query, transform, pageSize = 500 } = this.#options;
    const { signal } = this.#stopping;
    this.#note('list');
    const next = new Map<string, T>();
    let token: string | undefined;
    let version: string;
    do {
      const page = await client.list<T>(
        type,
        query,
        { limit: pageSize, ...(token === undefined ? {} : { continue: token }) },
        { signal, timeout: PAGE_TIMEOUT_MS },
      );
      signal.throwIfAborted();
      this.#note('page');
      for (const object of page.items) {
        const key = keyOf(object);
        const known = this.#objects.get(key);
        // What has not changed stays the same object: others remember what they made of it.
        next.set(key, known !== undefined && sameVersion(known, object) ? known : (transform?.(object) ?? object));
      }
      ({ resourceVersion: version, continue: token } = page);
    } while (token !== undefined);
    this.#replace(next);
    this.#version = version;
    this.#heardAt = this.#options.now();
    this.#failures = 0;
    this.#justListed = true;
    this.#settle.resolve();
  }

  /** The cache is complete before anybody is told: a listener that looks around sees the new list, not half of it. */
  #replace(next: ReadonlyMap<string, T>): void {
    const changes: [T | undefined, T | undefined][] = [];
    for (const [key, before] of this.#objects) {
      if (next.has(key)) continue;
      this.#objects.delete(key);
      changes.push([before, undefined]);
    }
    for (const [key, after] of next) {
      const before = this.#objects.get(key);
      if (before === after) continue;
      this.#objects.set(key, after);
      changes.push([before, after]);
    }
    for (const [before, after] of changes) this.#tell(before, after);
  }

  /** @throws {Error} also when the server ended it at once without a word */
  async #watch(): Promise<void> {
    const { client, type, query, now } = this.#options;
    const { signal } = this.#stopping;
    const startedAt = now();
    let heard = false;
    this.#note('watch');
    for await (const event of client.watch<T>(type, query, this.#version ?? '', signal)) {
      if (signal.aborted) break;
      heard = true;
      this.#heardAt = now();
      this.#failures = 0;
      this.#justListed = false;
      this.#take(event);
    }
    if (!heard && now() - startedAt < TOO_SHORT_MS) throw new Error('the watch ended at once');
  }

  #take(event: WatchEvent<T>): void {
    if (event.type === 'BOOKMARK') {
      this.#note('bookmark');
      if (event.resourceVersion !== '') this.#version = event.resourceVersion;
      return;
    }
    const { object } = event;
    const key = keyOf(object);
    const before = this.#objects.get(key);
    this.#version = object.metadata.resourceVersion ?? this.#version;
    if (event.type === 'DELETED') {
      if (!this.#objects.delete(key)) return;
      this.#tell(before, undefined);
      return;
    }
    if (before !== undefined && sameVersion(before, object)) return;
    const after = this.#options.transform?.(object) ?? object;
    this.#objects.set(key, after);
    this.#tell(before, after);
  }

  #tell(before: T | undefined, after: T | undefined): void {
    if (this.#stopping.signal.aborted) return;
    this.#note('change');
    try {
      this.#options.onChange?.(before, after);
    } catch (error) {
      const { kind } = this.#options.type;
      this.#options.log.warn({ err: error, kind, key: keyOf((after ?? before)!) }, 'a change was not handled');
    }
  }

  async #pause(error: unknown): Promise<void> {
    const { log, type, query } = this.#options;
    const asked = error instanceof ApiError ? (error.retryAfter ?? 0) : 0;
    const milliseconds = Math.max(this.#backoff.next(), asked);
    log.warn(
      {
        kind: type.kind,
        namespace: query.namespace,
        reason: error instanceof Error ? error.message : error,
        again_in_ms: Math.round(milliseconds),
      },
      'following the API server failed; what is known is kept',
    );
    try {
      await sleep(milliseconds, this.#stopping.signal);
    } catch {
      // Stopped.
    }
  }

  #note(event: ReflectorEvent): void {
    this.#options.observe?.(this.#options.type.plural, event);
  }
}

/** The server is there and does not want us now: the version is as good as before. */
function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && (error.code === 429 || error.code === 401 || error.code === 403);
}

function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return `${namespace}/${name}`;
}

/** Versions are compared for being the same only; they are not numbers. */
function sameVersion(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.resourceVersion === b.metadata.resourceVersion && a.metadata.uid === b.metadata.uid;
}
