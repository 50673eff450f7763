// `portcullis serve`: one pod of a Gateway. Configuration comes from the cluster; there is no listener before there is one, and nothing that
// happens to the API server afterwards stops the traffic.
import type pino from 'pino';
import { joinCluster, type ClusterOptions } from '../config/cluster.ts';
import { SnapshotHolder } from '../config/snapshot.ts';
import { createDataPlane, type DataPlane, type DataPlaneOptions } from '../data-plane.ts';
import type { UpstreamChange } from '../probe/probes.ts';

/** A client at work calls more often than this; operator/workloads allows for it in the last steps of a pod. */
const LINGER_MS = 5_000;
const REPORT_AFTER_MS = 500;

export interface ServeOptions
  extends
    Pick<
      ClusterOptions,
      | 'identity'
      | 'environment'
      | 'serviceAccountFolder'
      | 'configFolder'
      | 'openCredentials'
      | 'version'
      | 'audit'
      | 'now'
      | 'wallClock'
    >,
    Pick<DataPlaneOptions, 'environmentProxy' | 'listenHost'> {
  readonly random: () => number;
  readonly log: pino.Logger;
}

export interface Serving {
  /** Fulfilled when the listeners are open; rejected when one cannot be opened. Pending for as long as there is no configuration. */
  readonly listening: Promise<void>;
  /** Gives up the Lease, lets running answers finish and closes everything. */
  stop(): Promise<void>;
}

/** @throws {Error} when there is no service account to reach the cluster with */
export async function serve(options: ServeOptions): Promise<Serving> {
  const { log } = options;
  const holder = new SnapshotHolder();
  let plane: DataPlane | undefined;
  const cluster = await joinCluster({
    ...options,
    holder,
    failed: (reason) => plane?.metrics.configFault(reason),
    previousSecrets: () =>
      plane?.previousSecrets.report((hash) => holder.current?.keys.byHash(hash)?.previous === true) ?? {},
    upstreams: () => plane?.probes.report(),
  });
  const noteUpstream = ({ upstream, subject, after }: UpstreamChange): void => {
    const { status, reason, message } = after;
    if (status === 'Unknown') return;
    if (status === 'True') log.info({ upstream, subject, reason }, message);
    else log.warn({ upstream, subject, reason }, message);
  };
  let stopping = false;
  // A whole configuration changes what is known of many upstreams at once.
  let reporting = false;
  const reportSoon = (): void => {
    if (reporting) return;
    reporting = true;
    setTimeout(() => {
      reporting = false;
      cluster.report();
    }, REPORT_AFTER_MS).unref();
  };
  const open = async (): Promise<void> => {
    await cluster.first;
    if (stopping) return;
    plane = createDataPlane({
      ...options,
      holder,
      source: cluster.figures,
      lingerMs: LINGER_MS,
      probing: true,
      onReport: reportSoon,
      onUpstream: noteUpstream,
    });
    await plane.listen();
    const { publicUrl, listen } = holder.current!.settings.gateway;
    log.info({ port: listen.port, publicUrl }, 'listening');
    cluster.report();
  };
  return {
    listening: open(),
    async stop() {
      stopping = true;
      // Revocations still count while the last answers run, so the source goes last.
      await Promise.all([cluster.leave(), plane?.drain()]);
      await cluster.stop();
    },
  };
}
