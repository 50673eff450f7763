// Loading happens on a thread of its own: reading and compiling 100,000 keys takes seconds, and streams must not stand still meanwhile.
// The thread ends with each load and takes its garbage with it. What it hands over is the bundle, the secrets and the keys in shards.
import { statSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Bundle } from '#shared/bundle/bundle.ts';
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
}

/** A configuration to put into force. */
export interface Loaded {
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

type Reply = { readonly loaded: Loaded } | { readonly unusable: string } | { readonly failed: string };

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
  try {
    const reply = await new Promise<Reply>((resolve, reject) => {
      // Under `node --watch` a thread also reports what it imports over this channel.
      worker.on('message', (message: object) => isReply(message) && resolve(message)).once('error', reject);
      worker.once('exit', (code) => reject(new Error(`the load thread ended with code ${code}`)));
    });
    if ('loaded' in reply) return reply.loaded;
    if ('unusable' in reply) throw new UnusableConfigurationError(reply.unusable);
    throw new Error(reply.failed);
  } finally {
    worker.removeAllListeners();
    // Its work is done; taking a big heap down need not delay what was loaded.
    void worker.terminate();
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
  let reply: Reply;
  try {
    reply = { loaded: load(portcullisLoad, now) };
  } catch (error) {
    const { message, code, stack } = error as NodeJS.ErrnoException;
    // A file that is not there or not readable is the reader's to mend as well; anything else is a defect and shows where it is.
    reply = code === undefined ? { failed: stack ?? message } : { unusable: message };
  }
  parentPort?.postMessage(
    reply,
    'loaded' in reply ? reply.loaded.shards.map(({ json }) => json.buffer as ArrayBuffer) : [],
  );
}

function load({ paths, stateFolder, gateway, environment }: LoadRequest, now: () => number): Loaded {
  const state = new StateFolder(stateFolder);
  const compiled = compileFiles({ paths, environment, state, now });
  if (compiled.faults.length > 0 || compiled.statuses.some(isInvalid)) {
    throw new UnusableConfigurationError(`${placedFaults(compiled).length} faults\n\n${tableText(compiled)}`);
  }
  const { bundle, credentials, keys } = chosen(compiled, gateway);
  const troubles = isTroubled(compiled) ? [tableText(compiled)] : [];
  try {
    remember(compiled, state);
  } catch (error) {
    // It takes force all the same: a full disk must not keep a revoked key alive.
    troubles.push(`warning: ${(error as Error).message}: after a restart, deleted keys may come back`);
  }
  return {
    revision: compiled.revision,
    bundle,
    pepper: credentials.pepper.reveal(),
    credentials: Object.fromEntries(Object.entries(credentials.values).map(([ref, value]) => [ref, value.reveal()])),
    shards: cutShards(keys).map(({ sha256, json }) => ({ sha256, json: new Uint8Array(json) })),
    keyFiles: compiled.minted.map(({ file }) => file),
    trouble: troubles.length > 0 ? troubles.join('\n\n') : undefined,
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
