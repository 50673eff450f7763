// One watch: events as the server writes them, until it ends. A connection that died without a word is given up after a while, since the
// end of TCP is not always told: the server promises to end a watch in time, and sends a bookmark about once a minute.
import { apiErrorFromStatus } from './api-error.ts';
import type { Caller } from './caller.ts';
import type { ListQuery, WatchEvent } from './client.ts';
import { withDeadline } from './deadline.ts';
import { LineSplitter } from './lines.ts';
import type { KubeObject, ResourceType } from './object.ts';
import { received } from './received.ts';
import { accept, collectionPath, selectors, withQuery } from './paths.ts';

/** All in milliseconds. */
export interface WatchTiming {
  /** The server is asked to end the watch after a time between these, at random, so that watches of many pods do not end together. */
  readonly shortest: number;
  readonly longest: number;
  /** Time to the first byte of the answer. */
  readonly answer: number;
  /** Given up this long after the server should have ended it. */
  readonly grace: number;
  /** Given up when nothing came for this long; bookmarks should. */
  readonly silence: number;
}

export const WATCH_TIMING: WatchTiming = {
  shortest: 300_000,
  longest: 600_000,
  answer: 30_000,
  grace: 60_000,
  silence: 150_000,
};

/** Nothing came where something should have, or the end did not. */
export class SilenceError extends Error {
  readonly code = 'ETIMEDOUT';

  constructor(message: string) {
    super(message);
    this.name = 'SilenceError';
  }
}

export interface WatchOptions {
  readonly caller: Caller;
  readonly timing: WatchTiming;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
}

export async function* watch<T extends KubeObject>(
  { caller, timing, headers, now, random }: WatchOptions,
  type: ResourceType,
  query: ListQuery,
  resourceVersion: string,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const length = timing.shortest + (timing.longest - timing.shortest) * random();
  const path = withQuery(collectionPath(type, query.namespace), {
    ...selectors(query),
    watch: 1,
    allowWatchBookmarks: true,
    timeoutSeconds: Math.ceil(length / 1000),
    resourceVersion,
  });
  const what = `WATCH ${path}`;
  signal.throwIfAborted();
  // Aborts the answer's body as well; the deadline below is only for its first byte.
  const whole = new AbortController();
  const abort = (): void => whole.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    const end = now() + length + timing.grace;
    const { body } = await withDeadline(what, timing.answer, whole.signal, (deadline) => {
      deadline.addEventListener('abort', () => whole.abort(deadline.reason), { once: true });
      return caller.call({
        verb: 'watch',
        resource: type.plural,
        method: 'GET',
        path,
        headers: { ...headers, accept: accept(query.metadataOnly, false) },
        signal: whole.signal,
        idempotent: true,
        lasting: true,
      });
    });
    const splitter = new LineSplitter();
    const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>;
    for (;;) {
      const left = end - now();
      if (left <= 0) throw new SilenceError(`${what}: not ended in time`);
      const patience = Math.min(timing.silence, left);
      const silence = new SilenceError(`${what}: nothing heard for ${Math.round(patience)} ms`);
      // Runs only while we wait: a slow consumer is not a silent server.
      const silent = setTimeout(() => whole.abort(silence), patience);
      const { value: chunk, done } = await chunks.next().finally(() => clearTimeout(silent));
      if (done === true || chunk === undefined) break;
      for (const line of splitter.push(chunk)) {
        yield eventOf<T>(line, what, type);
        signal.throwIfAborted();
      }
    }
    if (splitter.torn) throw new Error(`${what}: ended inside of an event`);
  } catch (error) {
    throw whole.signal.aborted ? whole.signal.reason : error;
  } finally {
    signal.removeEventListener('abort', abort);
    // A consumer that leaves early leaves the connection in the middle of an answer.
    whole.abort();
  }
}

function eventOf<T extends KubeObject>(line: string, what: string, resource: ResourceType): WatchEvent<T> {
  const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: T };
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, object: received(object, resource) };
    case 'BOOKMARK':
      return { type, resourceVersion: object.metadata.resourceVersion ?? '' };
    case 'ERROR':
      throw apiErrorFromStatus(object, what, 500);
    default:
      throw new Error(`${what}: unknown event ${type}`);
  }
}
