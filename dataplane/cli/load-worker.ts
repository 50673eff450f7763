// Loading happens on a thread of its own: reading and compiling 100,000 keys takes seconds, and streams must not stand still meanwhile.
// The thread ends with each load and takes its garbage with it. What it hands over is the bundle, the secrets and the keys in shards;
// the state folder is written after that, while the other side is already putting them into force.
import { statSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Bundle } from '#shared/bundle/bundle.ts';
import type { CatalogOverlay } from '#shared/catalog/overlay.ts';
import { cutShards, type KeyShard } from '#shared/bundle/shards.ts';
import type { CompiledGateway } from '#shared/compile/types.ts';
import { compileFiles, remember, type CompiledFiles } from './compile-files.ts';
import { isInvalid, isTroubled, placedFaults, tableText } from './report.ts';
import { StateFolder } from './state.ts';
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
interface LoadedConfiguration {
  readonly revision: string;
  readonly bundle: Bundle;
  /** Clear values, within this process only. */
  readonly pepper: string;
  readonly credentials: Readonly<Record<string, string>>;
  readonly shards: readonly KeyShard[];
  readonly keyFiles: readonly string[];
  /** Set when something is not as it should be, although it can be served. */
  readonly trouble: string | undefined;
}

/** A configuration to put into force. */
export interface Loaded extends LoadedConfiguration {
  /** Settles, and never fails, once a restart would know of this configuration; with a warning when it would not. */
  readonly remembered: Promise<string | undefined>;
}

type Reply = { readonly loaded: LoadedConfiguration } | { readonly unusable: string } | { readonly failed: string };

/** Follows a {@link Reply} that holds a configuration. */
interface Memory {
  readonly remembered: string | undefined;
}

/** Most garbage of a load dies young; a roomy nursery keeps the collector from copying it around. */
const LIMITS = { maxYoungGenerationSizeMb: 64, maxOldGenerationSizeMb: 4096 };

/**
 * Remembers the program file as it is now. An upgrade in place would otherwise have the next load run new code for an old process.
 * @returns throws {@link UnusableConfigurationError} when the file is another one by then
 */
export function guardProgram(program: string): () => void {
  const fingerprint = (): string => {
    const { ino, size, mtimeMs } = statSync(program, { throwIfNoEntry: false }) ?? { ino: 0, size: 0, mtimeMs: 0 };
    return `${ino} ${size} ${mtimeMs}`;
  };
  const started = fingerprint();
  return () => {
    if (fingerprint() !== started)
      throw new UnusableConfigurationError(`${program} was replaced: restart to use it and to take edits again`);
  };
}

/**
 * @param program file that starts the program; it must call {@link serveLoad} when it finds itself on a load thread
 * @throws {UnusableConfigurationError}
 */
export async function loadOnThread(program: string, request: LoadRequest): Promise<Loaded> {
  const worker = new Worker(program, { workerData: { portcullisLoad: request }, resourceLimits: LIMITS });
  const reply = Promise.withResolvers<Reply>();
  const memory = Promise.withResolvers<string | undefined>();
  // Under `node --watch` a thread also reports what it imports over this channel.
  worker.on('message', (message: object) => {
    if ('remembered' in message) memory.resolve((message as Memory).remembered);
    else if (isReply(message)) reply.resolve(message);
  });
  const ended = (error: Error): void => {
    reply.reject(error);
    memory.resolve(forgetful(error));
  };
  worker.once('error', ended);
  worker.once('exit', (code) => ended(new Error(`the load thread ended with code ${code}`)));
  // Its work is done; taking a big heap down need not delay what was loaded.
  const finish = (): void => void worker.removeAllListeners().terminate();
  try {
    const result = await reply.promise;
    if ('loaded' in result) return { ...result.loaded, remembered: memory.promise.finally(finish) };
    if ('unusable' in result) throw new UnusableConfigurationError(result.unusable);
    throw new Error(result.failed);
  } catch (error) {
    finish();
    throw error;
  }
}

function isReply(message: object): message is Reply {
  return 'loaded' in message || 'unusable' in message || 'failed' in message;
}

/** True on a thread that {@link loadOnThread} started. */
export function isLoadThread(): boolean {
  return !isMainThread && typeof workerData === 'object' && workerData !== null && 'portcullisLoad' in workerData;
}

/** The body of a load thread: does the one load it was started for and answers. @param now milliseconds since 1970 */
export function serveLoad(now: () => number): void {
  const { portcullisLoad } = workerData as { portcullisLoad: LoadRequest };
  try {
    const state = new StateFolder(portcullisLoad.stateFolder);
    const compiled = compileFiles({ ...portcullisLoad, state, now });
    const loaded = configuration(compiled, portcullisLoad.gateway);
    const buffers = loaded.shards.map(({ json }) => json.buffer as ArrayBuffer);
    post({ loaded }, buffers);
    post({ remembered: warningOf(() => remember(compiled, state)) });
  } catch (error) {
    const { message, code, stack } = error as NodeJS.ErrnoException;
    // A file that is not there or not readable is the reader's to mend as well; anything else is a defect and shows where it is.
    post(code === undefined ? { failed: stack ?? message } : { unusable: message });
  }
}

function post(message: Reply | Memory, buffers: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, buffers);
}

/** It is in force all the same: a full disk must not keep a revoked key alive. */
function warningOf(save: () => void): string | undefined {
  try {
    save();
    return undefined;
  } catch (error) {
    return forgetful(error as Error);
  }
}

function forgetful({ message }: Error): string {
  return `warning: ${message}: after a restart, deleted keys may come back`;
}

function configuration(compiled: CompiledFiles, gateway: string | undefined): LoadedConfiguration {
  if (compiled.faults.length > 0 || compiled.statuses.some(isInvalid)) {
    throw new UnusableConfigurationError(`${placedFaults(compiled).length} faults\n\n${tableText(compiled)}`);
  }
  const { bundle, credentials, keys } = chosen(compiled, gateway);
  return {
    revision: compiled.revision,
    bundle,
    pepper: credentials.pepper.reveal(),
    credentials: Object.fromEntries(Object.entries(credentials.values).map(([ref, value]) => [ref, value.reveal()])),
    shards: cutShards(keys).map(({ sha256, json }) => ({ sha256, json: new Uint8Array(json) })),
    keyFiles: compiled.minted.map(({ file }) => file),
    trouble: isTroubled(compiled) ? tableText(compiled) : undefined,
  };
}

function chosen(compiled: CompiledFiles, wanted: string | undefined): CompiledGateway {
  const { gateways } = compiled;
  const names = [...gateways.keys()];
  const name = wanted === undefined ? names[0] : names.find((each) => each === wanted || each.endsWith(`/${wanted}`));
  const gateway = name === undefined ? undefined : gateways.get(name);
  if (gateway === undefined || (wanted === undefined && names.length > 1)) {
    const have =
      names.length === 0 ? 'no Gateway that can be served' : `Gateways ${names.join(', ')}: choose one with --gateway`;
    throw new UnusableConfigurationError(`the files hold ${have}\n\n${tableText(compiled)}`);
  }
  return gateway;
}
