// `portcullis run FILE…`: the four kinds as files, one process, nothing else needed. The same compile step as in a cluster, driven by files.
import type pino from 'pino';
import { SecretText } from '#shared/secret-text.ts';
import type { GatewayConfig } from '#shared/bundle/bundle.ts';
import { buildSnapshot, SnapshotHolder, type Settings } from '../config/snapshot.ts';
import { createDataPlane, type DataPlane } from '../data-plane.ts';
import { KeyIndex } from '../identify/key-index.ts';
import type { AuditSink } from '../meter/audit.ts';
import type { OpenCredentials } from '../providers/target.ts';
import type { UpstreamChange } from '../probe/probes.ts';
import type { PoolOptions } from '../route/pools.ts';
import type { DemoUpstream } from './demo-upstream.ts';
import type { FirstLoad } from './first-load.ts';
import { loadOnThread, type Loaded, type LoadRequest } from './load-worker.ts';
import { watchFiles } from './watch.ts';
import { welcome } from './welcome.ts';

export interface RunOptions extends LoadRequest {
  /** File that starts a load thread. */
  readonly program: string;
  readonly environmentProxy: PoolOptions['proxy'];
  readonly openCredentials: OpenCredentials;
  readonly version: string;
  readonly demo: DemoUpstream | undefined;
  readonly audit: AuditSink;
  readonly log: pino.Logger;
  /** Text for people; never a secret. */
  readonly say: (text: string) => void;
}

export interface Running {
  /** Stops watching, lets running answers finish and closes everything. */
  stop(): Promise<void>;
}

/**
 * @param begun of the same request. Not an option: options live as long as the process, and it holds every key as text
 * @throws {UnusableConfigurationError} when the first configuration cannot be served
 */
export async function run(options: RunOptions, begun: FirstLoad): Promise<Running> {
  const { sameProgram, fingerprint, loaded } = begun;
  const holder = new SnapshotHolder();
  const serving = Promise.withResolvers<DataPlane>();
  const loadAgain = (): Promise<Loaded> => {
    sameProgram();
    return load(options, holder.current?.settings);
  };
  const watcher = watchFiles(
    options.paths,
    async () => reload(options, loadAgain, holder, await serving.promise),
    fingerprint,
  );
  try {
    const first = await loaded;
    await apply(first, options, holder);
    const plane = createDataPlane({
      ...options,
      holder,
      probing: options.demo === undefined,
      onUpstream: tell(options.say),
    });
    await plane.listen();
    // What is announced outlives this process.
    options.say(welcome({ ...first, trouble: await troubleOf(first) }, options));
    serving.resolve(plane);
  } catch (error) {
    watcher.stop();
    throw error;
  }
  return {
    async stop() {
      watcher.stop();
      await (await serving.promise).drain();
    },
  };
}

/** @param before in force so far */
/** What is wrong with an upstream, and when that is over. A sound one is not worth a line. */
function tell(say: RunOptions['say']): (change: UpstreamChange) => void {
  return ({ upstream, before, after }) => {
    if (after.status === 'False') say(`upstream ${upstream}: ${after.reason}: ${after.message}`);
    else if (before.status === 'False' && after.status === 'True') say(`upstream ${upstream}: ${after.message}`);
  };
}

function load(options: RunOptions, before: Settings | undefined): Promise<Loaded> {
  const { program, paths, stateFolder, gateway, environment } = options;
  const lastCatalogs = new Map(
    before?.catalog.overlay === undefined
      ? []
      : [[`${before.gateway.namespace}/${before.gateway.name}`, before.catalog.overlay]],
  );
  return loadOnThread(program, { paths, stateFolder, gateway, environment: { ...environment }, lastCatalogs });
}

async function apply(loaded: Loaded, { demo, openCredentials }: RunOptions, holder: SnapshotHolder): Promise<void> {
  const { revision, bundle, shards } = loaded;
  const pepper = new SecretText(loaded.pepper);
  const values = Object.fromEntries(
    Object.entries(loaded.credentials).map(([ref, value]) => [ref, new SecretText(value)]),
  );
  const upstreams =
    demo === undefined ? bundle.upstreams : bundle.upstreams.map((entry) => ({ ...entry, baseUrl: demo.url }));
  const keys = await KeyIndex.load(pepper, shards, holder.current?.keys);
  holder.swap(buildSnapshot(revision, { ...bundle, upstreams }, { pepper, values }, keys, openCredentials));
}

/** Puts an edit into force, or leaves the last good configuration serving and says why. */
async function reload(
  options: RunOptions,
  loadAgain: () => Promise<Loaded>,
  holder: SnapshotHolder,
  { metrics }: DataPlane,
): Promise<void> {
  const started = performance.now();
  try {
    const loaded = await loadAgain();
    const before = holder.current?.settings;
    if (loaded.revision === before?.revision) {
      await loaded.remembered;
      options.say(`unchanged: revision ${loaded.revision} keeps serving`);
      return;
    }
    await apply(loaded, options, holder);
    metrics.reloaded('applied');
    const took = Math.round(performance.now() - started);
    const trouble = await troubleOf(loaded);
    options.say(`reloaded revision ${loaded.revision} in ${took} ms`);
    if (trouble !== undefined) options.say(trouble);
    if (before !== undefined && restartNeeded(before.gateway, loaded.bundle.gateway)) {
      options.say(
        'note: listen.port, metrics.port, publicUrl, maxHeaderBytes and keepAlive take effect at the next start',
      );
    }
  } catch (error) {
    metrics.reloaded('refused');
    options.say(`refused the edit, the last good configuration keeps serving: ${(error as Error).message}`);
  }
}

/** Everything worth a look, once the state folder is written. */
async function troubleOf({ trouble, remembered }: Loaded): Promise<string | undefined> {
  const warning = await remembered;
  return trouble === undefined || warning === undefined ? (trouble ?? warning) : `${trouble}\n\n${warning}`;
}

function restartNeeded(before: GatewayConfig, after: GatewayConfig): boolean {
  const fixed = ({ listen, metrics, publicUrl }: GatewayConfig): string =>
    [listen.port, metrics.port, publicUrl, listen.limits.maxHeaderBytes, listen.timeouts.keepAlive].join(' ');
  return fixed(before) !== fixed(after);
}
