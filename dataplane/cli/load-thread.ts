// The program of a load thread: does the one load it was started for and answers. A program of its own, because what serves calls would be
// read and evaluated again for every load.
import { parentPort, workerData } from 'node:worker_threads';
import { keyShard, shardCount, splitEntries } from '#shared/bundle/shards.ts';
import type { CompiledGateway } from '#shared/compile/types.ts';
import { compileFiles, remember, type CompiledFiles } from './compile-files.ts';
import { forgetful, type LoadMessage, type LoadRequest } from './load-worker.ts';
import { isInvalid, isTroubled, placedFaults, tableText } from './report.ts';
import { StateFolder } from './state.ts';
import { UnusableConfigurationError } from './unusable.ts';

const request = workerData as LoadRequest;
try {
  const state = new StateFolder(request.stateFolder);
  const compiled = compileFiles({ ...request, state, now: Date.now });
  handOver(compiled, gatewayToServe(compiled, request.gateway));
  post({ remembered: warningOf(() => remember(compiled, state)) });
} catch (error) {
  const { message, code, stack } = error as NodeJS.ErrnoException;
  // A file that is not there or not readable is the reader's to mend as well; anything else is a defect and shows where it is.
  post(code === undefined ? { failed: stack ?? message } : { unusable: message });
}

/** One shard at a time: the other side reads it while the next is written. */
function handOver(compiled: CompiledFiles, { bundle, credentials, keys }: CompiledGateway): void {
  const shards = splitEntries(keys, shardCount(keys.length));
  post({
    configuration: {
      revision: compiled.revision,
      bundle,
      pepper: credentials.pepper.reveal(),
      credentials: Object.fromEntries(Object.entries(credentials.values).map(([ref, value]) => [ref, value.reveal()])),
      keyFiles: compiled.minted.map(({ file }) => file),
      trouble: isTroubled(compiled) ? tableText(compiled) : undefined,
    },
    shardCount: shards.length,
  });
  for (const entries of shards) {
    const { sha256, json } = keyShard(entries);
    // A copy with a buffer of its own, which moves to the other side.
    const own = new Uint8Array(json);
    post({ shard: { sha256, json: own } }, [own.buffer]);
  }
}

function post(message: LoadMessage, buffers: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, buffers);
}

function warningOf(save: () => void): string | undefined {
  try {
    save();
    return undefined;
  } catch (error) {
    return forgetful(error as Error);
  }
}

function gatewayToServe(compiled: CompiledFiles, wanted: string | undefined): CompiledGateway {
  if (compiled.faults.length > 0 || compiled.statuses.some(isInvalid)) {
    throw new UnusableConfigurationError(`${placedFaults(compiled).length} faults\n\n${tableText(compiled)}`);
  }
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
