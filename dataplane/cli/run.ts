// `portcullis run FILE…`: the four kinds as files, one process, nothing else needed. The same compile step as in a cluster, driven by files.
import pino from 'pino';
import type { CompiledGateway } from '#shared/compile/types.ts';
import { buildSnapshot, SnapshotHolder } from '../config/snapshot.ts';
import { createDataPlane, type DataPlane } from '../data-plane.ts';
import type { AuditSink } from '../meter/audit.ts';
import type { PoolOptions } from '../route/pools.ts';
import { compileFiles, remember, type CompiledFiles } from './compile-files.ts';
import type { DemoUpstream } from './demo-upstream.ts';
import { isInvalid, placedFaults, tableText } from './report.ts';
import { StateFolder } from './state.ts';
import { watchFiles } from './watch.ts';
import { welcome } from './welcome.ts';

export interface RunOptions {
  readonly paths: readonly string[];
  readonly stateFolder: string;
  /** `namespace/name` or `name` of the Gateway to serve, when the files hold several. */
  readonly gateway: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly environmentProxy: PoolOptions['proxy'];
  readonly version: string;
  readonly demo: DemoUpstream | undefined;
  readonly audit: AuditSink;
  readonly log: pino.Logger;
  /** Text for people; never a secret. */
  readonly say: (text: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A configuration that cannot be served, with everything a person needs to mend it. */
export class UnusableConfigurationError extends Error {
  readonly code = 'unusable_configuration';
}

export interface Running {
  /** Stops watching, lets running answers finish and closes everything. */
  stop(): Promise<void>;
}

/** @throws {UnusableConfigurationError} when the first configuration cannot be served */
export async function run(options: RunOptions): Promise<Running> {
  const state = new StateFolder(options.stateFolder);
  const holder = new SnapshotHolder();
  const first = load(options, state);
  apply(first, options, state, holder);
  const plane = createDataPlane({ ...options, holder });
  await plane.listen();
  options.say(welcome(first, chosen(first, options.gateway), options));
  const stopWatching = watchFiles(options.paths, () => reload(options, state, holder, plane));
  return {
    async stop() {
      stopWatching();
      await plane.drain();
    },
  };
}

function load({ paths, environment, now }: RunOptions, state: StateFolder): CompiledFiles {
  return compileFiles({ paths, environment, state, now });
}

/** Puts a configuration into force, or throws and leaves the last good one serving. */
function apply(compiled: CompiledFiles, options: RunOptions, state: StateFolder, holder: SnapshotHolder): void {
  if (compiled.faults.length > 0 || compiled.statuses.some(isInvalid)) {
    throw new UnusableConfigurationError(`${placedFaults(compiled).length} faults\n\n${tableText(compiled)}`);
  }
  const { bundle, credentials, keys } = chosen(compiled, options.gateway);
  const upstreams =
    options.demo === undefined
      ? bundle.upstreams
      : bundle.upstreams.map((entry) => ({ ...entry, baseUrl: options.demo!.url }));
  holder.swap(buildSnapshot(compiled.revision, { ...bundle, upstreams }, credentials, keys));
  remember(compiled, state);
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

function reload(options: RunOptions, state: StateFolder, holder: SnapshotHolder, { metrics }: DataPlane): void {
  const started = performance.now();
  try {
    const compiled = load(options, state);
    const before = holder.current?.settings.gateway;
    if (compiled.revision === holder.current?.settings.revision) return;
    apply(compiled, options, state, holder);
    metrics.reloaded('applied');
    options.say(`reloaded revision ${compiled.revision} in ${Math.round(performance.now() - started)} ms`);
    const after = holder.current?.settings.gateway;
    if (before !== undefined && after !== undefined && restartNeeded(before, after)) {
      options.say(
        'note: listen.port, metrics.port, publicUrl, maxHeaderBytes and keepAlive take effect at the next start',
      );
    }
  } catch (error) {
    metrics.reloaded('refused');
    const { message } = error as Error;
    options.say(`refused the edit, the last good configuration keeps serving: ${message}`);
  }
}

type GatewayConfig = CompiledGateway['bundle']['gateway'];

function restartNeeded(before: GatewayConfig, after: GatewayConfig): boolean {
  const fixed = ({ listen, metrics, publicUrl }: GatewayConfig): string =>
    [listen.port, metrics.port, publicUrl, listen.limits.maxHeaderBytes, listen.timeouts.keepAlive].join(' ');
  return fixed(before) !== fixed(after);
}
