// What both programs ask of an API server. One connection pool, a deadline on every call, a rate limit on ours, Retry-After honoured on theirs.
import type { KubeObject, ResourceType } from './object.ts';

export interface Reference {
  /** Empty for objects of the whole cluster. */
  readonly namespace: string;
  readonly name: string;
}

export interface ListQuery {
  /** Every namespace when left out. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Only metadata travels (PartialObjectMetadata). */
  readonly metadataOnly?: boolean;
}

export interface ListPage<T extends KubeObject> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  /** Set while there are more pages. */
  readonly continue?: string;
}

export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds for the whole call; the client's default when left out. */
  readonly timeout?: number;
}

export interface ApplyOptions extends CallOptions {
  /** One name per writer, such as `portcullis-operator` or `portcullis-operator-status`. */
  readonly fieldManager: string;
  readonly subresource?: 'status';
}

/**
 * Calls of one identity to one API server. Every method rejects with {@link ApiError} for an answer that is not a success, and
 * with the transport's error when there was none.
 */
export interface KubeClient {
  get<T extends KubeObject>(type: ResourceType, at: Reference, options?: CallOptions): Promise<T>;
  /** One page. @param page limit and the `continue` of the page before */
  list<T extends KubeObject>(
    type: ResourceType,
    query: ListQuery,
    page: { readonly limit?: number; readonly continue?: string; readonly resourceVersion?: string },
    options?: CallOptions,
  ): Promise<ListPage<T>>;
  /**
   * Events from `resourceVersion` on, bookmarks included. Ends when the server ends it; throws {@link ApiError} for an ERROR event, such as
   * 410, and when nothing was heard for longer than the server was asked to keep the watch.
   */
  watch<T extends KubeObject>(
    type: ResourceType,
    query: ListQuery,
    resourceVersion: string,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
  /** Server-side apply with force: the full intent of this field manager. */
  apply<T extends KubeObject>(type: ResourceType, object: KubeObject & object, options: ApplyOptions): Promise<T>;
  /** @throws {ApiError} 409 AlreadyExists */
  create<T extends KubeObject>(type: ResourceType, object: KubeObject & object, options?: CallOptions): Promise<T>;
  /** Replaces; with `metadata.resourceVersion` only if it is still that one. @throws {ApiError} 409 Conflict */
  replace<T extends KubeObject>(type: ResourceType, object: KubeObject & object, options?: CallOptions): Promise<T>;
  /** JSON merge patch. */
  patch<T extends KubeObject>(type: ResourceType, at: Reference, patch: object, options?: CallOptions): Promise<T>;
  /** An object that is gone already is a success. */
  delete(type: ResourceType, at: Reference, options?: CallOptions): Promise<void>;
  close(): Promise<void>;
}

/** A `Status` the API server answered with. */
export class ApiError extends Error {
  /** HTTP status. */
  readonly code: number;
  /** CamelCase, such as NotFound, Conflict, AlreadyExists, Expired, Invalid, Forbidden. */
  readonly reason: string;
  /** Milliseconds to wait, where the server said so. */
  readonly retryAfter: number | undefined;

  constructor(code: number, reason: string, message: string, retryAfter?: number) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.reason = reason;
    this.retryAfter = retryAfter;
  }
}

export function isApiError(error: unknown, code: number): boolean {
  return error instanceof ApiError && error.code === code;
}
