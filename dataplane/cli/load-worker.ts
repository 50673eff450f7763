// Loading happens on a thread of its own: reading and compiling 100,000 keys takes seconds, and streams must not stand still meanwhile.
// The thread ends with each load and takes its garbage with it. It hands over the bundle and the secrets, then the keys shard by shard, which
// are indexed here while the next is written there; the state folder is written after that.
// Imports next to nothing, so that a thread can start before the rest of the program is read.
import { Worker } from 'node:worker_threads';
import type { Bundle } from '#shared/bundle/bundle.ts';
import type { KeyShard } from '#shared/bundle/shards.ts';
import type { CatalogOverlay } from '#shared/catalog/overlay.ts';
import { UnusableConfigurationError } from './unusable.ts';

export interface LoadRequest {
  readonly paths: readonly string[];
  readonly stateFolder: string;
  /** `namespace/name` or `name` of the Gateway to serve, when the files hold several. */
  readonly gateway: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What is in force of catalogs, by `namespace/name` of the Gateway. */
  readonly lastCatalogs?: ReadonlyMap<string, CatalogOverlay>;
}

/** A configuration as the load thread hands it over. */
interface Configuration {
  readonly revision: string;
  readonly bundle: Bundle;
  /** Clear values, within this process only. */
  readonly pepper: string;
  readonly credentials: Readonly<Record<string, string>>;
  readonly keyFiles: readonly string[];
  /** Set when something is not as it should be, although it can be served. */
  readonly trouble: string | undefined;
}

/** What the load thread says, in this order; it ends with `remembered`, or with a reason at any time. */
export type LoadMessage =
  | { readonly configuration: Configuration; readonly shardCount: number }
  | { readonly shard: KeyShard }
  /** The state folder is written; with a warning when it is not. */
  | { readonly remembered: string | undefined }
  | { readonly unusable: string }
  | { readonly failed: string };

/** A configuration to put into force once all of its shards are here. */
export interface Loaded extends Configuration {
  /** In order. What is still to come fails when the thread does. */
  readonly shards: readonly Promise<KeyShard>[];
  /** Settles, and never fails, once a restart would know of this configuration; with a warning when it would not. */
  readonly remembered: Promise<string | undefined>;
}

/** Most garbage of a load dies young; a roomy nursery keeps the collector from copying it around. */
const LIMITS = { maxYoungGenerationSizeMb: 64, maxOldGenerationSizeMb: 4096 };

/**
 * @param program of the thread, `load-thread.ts` or what it is bundled into
 * @throws {UnusableConfigurationError}
 */
export function loadOnThread(program: string, request: LoadRequest): Promise<Loaded> {
  const worker = new Worker(program, { workerData: request, resourceLimits: LIMITS });
  const loaded = Promise.withResolvers<Loaded>();
  const memory = Promise.withResolvers<string | undefined>();
  let shards: PromiseWithResolvers<KeyShard>[] = [];
  let arrived = 0;
  const fail = (error: Error): void => {
    loaded.reject(error);
    for (const shard of shards.slice(arrived)) shard.reject(error);
    memory.resolve(forgetful(error));
  };
  // Under `node --watch` a thread also reports what it imports over this channel.
  worker.on('message', (message: LoadMessage) => {
    if ('configuration' in message) {
      shards = Array.from({ length: message.shardCount }, () => Promise.withResolvers<KeyShard>());
      const promises = shards.map(({ promise }) => promise);
      // A configuration that is in force already is not asked for its shards.
      for (const promise of promises) promise.catch(() => undefined);
      loaded.resolve({ ...message.configuration, shards: promises, remembered: memory.promise });
    } else if ('shard' in message) shards[arrived++]?.resolve(message.shard);
    else if ('remembered' in message) memory.resolve(message.remembered);
    else if ('unusable' in message) fail(new UnusableConfigurationError(message.unusable));
    else if ('failed' in message) fail(new Error(message.failed));
  });
  worker.once('error', fail);
  worker.once('exit', (code) => fail(new Error(`the load thread ended with code ${code}`)));
  // Its work is done; taking a big heap down need not delay what was loaded.
  void memory.promise.then(() => worker.removeAllListeners().terminate());
  return loaded.promise;
}

/** It is in force all the same: a full disk must not keep a revoked key alive. */
export function forgetful({ message }: Error): string {
  return `warning: ${message}: after a restart, deleted keys may come back`;
}
