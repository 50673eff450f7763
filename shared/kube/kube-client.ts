// The KubeClient of both programs: addresses and bodies here, attempts in caller.ts, connections in transport.ts, watches in watch.ts.
import type { Dispatcher } from 'undici';
import { requestBody } from './body.ts';
import { Caller, type CountAttempt } from './caller.ts';
import {
  isApiError,
  type ApplyOptions,
  type CallOptions,
  type KubeClient,
  type ListPage,
  type ListQuery,
  type Reference,
  type WatchEvent,
} from './client.ts';
import type { Connection } from './connection.ts';
import { withDeadline } from './deadline.ts';
import type { KubeObject, ResourceType } from './object.ts';
import { accept, collectionPath, objectPath, selectors, withQuery, type QueryValues } from './paths.ts';
import { received } from './received.ts';
import { TokenBucket } from './token-bucket.ts';
import { Transport } from './transport.ts';
import { watch, WATCH_TIMING, type WatchTiming } from './watch.ts';

export interface KubeClientOptions {
  readonly connection: Connection;
  /** Such as `portcullis-operator/1.2.3`: what stands before the slash becomes the field manager of writes that name none. */
  readonly userAgent: string;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Calls a second on average, and at once; 50 and 100 when left out. Opening a watch counts as a call. */
  readonly qps?: number;
  readonly burst?: number;
  /** Milliseconds for a call that names none, its wait for our own rate limit and all retries included; 30,000 when left out. */
  readonly timeout?: number;
  readonly watchTiming?: Partial<WatchTiming>;
  /** Told of every attempt at a call, retries included. */
  readonly count?: CountAttempt;
  /** Asked right before anything but a read is sent; what it says no to fails. Always when left out. */
  readonly mayWrite?: () => boolean;
}

const APPLY = 'application/apply-patch+yaml';
const MERGE = 'application/merge-patch+json';
const JSON_TYPE = 'application/json';

interface Call {
  readonly verb: string;
  readonly type: ResourceType;
  readonly method: Dispatcher.HttpMethod;
  readonly path: string;
  readonly query?: QueryValues;
  readonly body?: object;
  readonly contentType?: string;
  readonly accept?: string;
  readonly idempotent: boolean;
}

/** No connection is opened before the first call. */
export function createKubeClient(options: KubeClientOptions): KubeClient {
  return new HttpKubeClient(options);
}

class HttpKubeClient implements KubeClient {
  readonly #options: KubeClientOptions;
  readonly #transport: Transport;
  readonly #caller: Caller;

  constructor(options: KubeClientOptions) {
    const { connection, qps = 50, burst = 100, now, random, count, mayWrite } = options;
    this.#options = options;
    this.#transport = new Transport(connection);
    this.#caller = new Caller({
      transport: this.#transport,
      bucket: new TokenBucket(qps, burst, now),
      random,
      count,
      mayWrite,
    });
  }

  async get<T extends KubeObject>(type: ResourceType, at: Reference, options?: CallOptions): Promise<T> {
    const call: Call = { verb: 'get', type, method: 'GET', path: objectPath(type, at), idempotent: true };
    return this.#object(call, options);
  }

  async list<T extends KubeObject>(
    type: ResourceType,
    query: ListQuery,
    page: { readonly limit?: number; readonly continue?: string; readonly resourceVersion?: string },
    options?: CallOptions,
  ): Promise<ListPage<T>> {
    const { items, metadata } = await this.#json<{
      readonly items?: readonly T[] | null;
      readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
    }>(
      {
        verb: 'list',
        type,
        method: 'GET',
        path: collectionPath(type, query.namespace),
        query: { ...selectors(query), ...page },
        accept: accept(query.metadataOnly, true),
        idempotent: true,
      },
      options,
    );
    return {
      items: (items ?? []).map((item) => received(item, type)),
      resourceVersion: metadata.resourceVersion,
      continue: metadata.continue === '' ? undefined : metadata.continue,
    };
  }

  watch<T extends KubeObject>(
    type: ResourceType,
    query: ListQuery,
    resourceVersion: string,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>> {
    const { now, random, userAgent, watchTiming } = this.#options;
    const headers = { 'user-agent': userAgent };
    const timing = { ...WATCH_TIMING, ...watchTiming };
    return watch<T>({ caller: this.#caller, timing, headers, now, random }, type, query, resourceVersion, signal);
  }

  async apply<T extends KubeObject>(
    type: ResourceType,
    object: KubeObject & object,
    { fieldManager, subresource, ...options }: ApplyOptions,
  ): Promise<T> {
    const call: Call = {
      verb: 'apply',
      type,
      method: 'PATCH',
      path: objectPath(type, object.metadata, subresource),
      query: { fieldManager, force: true },
      body: named(object, type),
      contentType: APPLY,
      idempotent: true,
    };
    return this.#object(call, options);
  }

  async create<T extends KubeObject>(
    type: ResourceType,
    object: KubeObject & object,
    options?: CallOptions,
  ): Promise<T> {
    const path = collectionPath(type, object.metadata.namespace);
    const body = named(object, type);
    return this.#object({ verb: 'create', type, method: 'POST', path, body, idempotent: false }, options);
  }

  async replace<T extends KubeObject>(
    type: ResourceType,
    object: KubeObject & object,
    options?: CallOptions,
  ): Promise<T> {
    const call: Call = {
      verb: 'replace',
      type,
      method: 'PUT',
      path: objectPath(type, object.metadata),
      body: named(object, type),
      // The second of two guarded writes is refused, and the caller would take its own work for another's.
      idempotent: object.metadata.resourceVersion === undefined,
    };
    return this.#object(call, options);
  }

  async patch<T extends KubeObject>(
    type: ResourceType,
    at: Reference,
    patch: object,
    options?: CallOptions,
  ): Promise<T> {
    const guarded = (patch as Partial<KubeObject>).metadata?.resourceVersion !== undefined;
    const call: Call = {
      verb: 'patch',
      type,
      method: 'PATCH',
      path: objectPath(type, at),
      body: patch,
      contentType: MERGE,
      idempotent: !guarded,
    };
    return this.#object(call, options);
  }

  async delete(type: ResourceType, at: Reference, options?: CallOptions): Promise<void> {
    const call: Call = {
      verb: 'delete',
      type,
      method: 'DELETE',
      path: objectPath(type, at),
      query: { propagationPolicy: 'Background' },
      idempotent: true,
    };
    try {
      await this.#json(call, options);
    } catch (error) {
      if (!isApiError(error, 404)) throw error;
    }
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #object<T extends KubeObject>(call: Call, options: CallOptions | undefined): Promise<T> {
    return received(await this.#json<T>(call, options), call.type);
  }

  async #json<T>(call: Call, { signal, timeout = this.#options.timeout ?? 30_000 }: CallOptions = {}): Promise<T> {
    const path = withQuery(call.path, call.query ?? {});
    const text = await withDeadline(`${call.method} ${path}`, timeout, signal, async (deadline) => {
      const answer = await this.#caller.call({
        verb: call.verb,
        resource: call.type.plural,
        method: call.method,
        path,
        headers: {
          accept: call.accept ?? JSON_TYPE,
          'user-agent': this.#options.userAgent,
          ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? JSON_TYPE }),
        },
        body: call.body === undefined ? undefined : requestBody(call.body),
        signal: deadline,
        idempotent: call.idempotent,
      });
      return answer.body.text();
    });
    return JSON.parse(text) as T;
  }
}

/** The kind belongs into every body; callers may leave it to us. */
function named(object: KubeObject & object, { group, version, kind }: ResourceType): object {
  return { apiVersion: group === '' ? version : `${group}/${version}`, kind, ...object };
}
