// A pod's side of the cluster: connection, source of configuration and Lease, put together.
import type { Logger } from 'pino';
import { indexName } from '#shared/bundle/publication.ts';
import type { KubeClient } from '#shared/kube/client.ts';
import { inClusterConnection } from '#shared/kube/in-cluster.ts';
import { createKubeClient } from '#shared/kube/kube-client.ts';
import type { SecretUse } from '../identify/previous-secret.ts';
import type { AuditSink } from '../meter/audit.ts';
import type { OpenCredentials } from '../providers/target.ts';
import type { SourceFigures } from '../telemetry/metrics.ts';
import type { FaultReason } from './cluster-fault.ts';
import { PodLease, type PodIdentity } from './cluster-lease.ts';
import type { Publication } from './cluster-load.ts';
import { apiPlace, mountPlace, type Place } from './cluster-place.ts';
import { ClusterSource } from './cluster-source.ts';
import { watchIndex } from './cluster-watch.ts';
import type { SnapshotHolder } from './snapshot.ts';

export type { PodIdentity } from './cluster-lease.ts';

export interface ClusterOptions {
  readonly identity: PodIdentity;
  /** Holds KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folder with `token` and `ca.crt`. */
  readonly serviceAccountFolder: string;
  /** Folder where the parts are mounted; it may be empty or not be there. */
  readonly configFolder: string;
  readonly holder: SnapshotHolder;
  readonly openCredentials: OpenCredentials;
  readonly version: string;
  readonly audit: AuditSink;
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Counts what could not be loaded. */
  readonly failed: (reason: FaultReason) => void;
  /** Use of old secrets so far, by key. */
  readonly previousSecrets: () => Readonly<Record<string, SecretUse>>;
  /** What is known of upstreams, for the Lease. */
  readonly upstreams?: () => string | undefined;
}

export interface Cluster {
  /** Fulfilled once a configuration is in force, however long that takes. */
  readonly first: Promise<void>;
  readonly figures: SourceFigures;
  /** Says at once, not at the next renewal, how this pod is. */
  report(): void;
  /** Nobody waits for this pod any more. It keeps following the configuration, as long as answers run. */
  leave(): Promise<void>;
  stop(): Promise<void>;
}

/** @throws {Error} when there is no service account */
export async function joinCluster(options: ClusterOptions): Promise<Cluster> {
  const { identity, environment, serviceAccountFolder, holder, version, log, now, wallClock, random } = options;
  const { namespace, gateway } = identity;
  const connection = await inClusterConnection(environment, serviceAccountFolder, now);
  const connect = (): KubeClient =>
    createKubeClient({ connection, userAgent: `portcullis-data-plane/${version}`, now, random });
  // The Lease has connections of its own: it must not wait behind the parts of a big configuration.
  const [client, leaseClient] = [connect(), connect()];
  let revisionBefore: string | undefined;
  const source = new ClusterSource({
    holder,
    openCredentials: options.openCredentials,
    api: apiPlace(client, { namespace, name: gateway }),
    mount: mountPlace(options.configFolder, gateway),
    watch: (listener) =>
      watchIndex({ client, at: { namespace, name: indexName(gateway) }, log, now, random }, listener),
    observer: {
      loaded(publication, place) {
        options.audit.write(loadLine(identity, publication, place, revisionBefore, wallClock()));
        revisionBefore = publication.index.revision;
      },
      failed: ({ reason }) => options.failed(reason),
      changed: () => lease.renew(),
    },
    log,
    now,
    random,
  });
  const lease = new PodLease({
    client: leaseClient,
    identity,
    wallClock,
    log,
    report() {
      const { loaded, fault } = source.position;
      const waiting = loaded === undefined ? 'no_index: no configuration yet' : undefined;
      return {
        loaded,
        fault: fault === undefined ? waiting : `${fault.reason}: ${fault.message}`,
        previousSecrets: options.previousSecrets(),
        upstreams: options.upstreams?.(),
      };
    },
  });
  source.start();
  lease.start();
  return {
    first: source.first,
    figures: {
      sequence: () => source.position.loaded?.sequence,
      seen: () => source.position.seen,
      age: () => source.age,
    },
    report: () => lease.renew(),
    leave: () => lease.release(),
    async stop() {
      source.stop();
      await lease.release();
      await Promise.all([client.close(), leaseClient.close()]);
    },
  };
}

/** The audit record of a configuration that came into force: from where, by whom, which, instead of which, and what changed. */
function loadLine(
  { namespace, gateway, pod }: PodIdentity,
  { index, changed, snapshot }: Publication,
  place: Place['name'],
  before: string | undefined,
  wallClock: number,
): string {
  return JSON.stringify({
    event: 'config.load',
    timestamp: new Date(wallClock).toISOString(),
    gateway: `${namespace}/${gateway}`,
    pod,
    source: place,
    path: indexName(gateway),
    revision: index.revision,
    previous_revision: before,
    sequence: index.sequence,
    writer: index.writer,
    changed,
    keys: snapshot.keys.size,
    revoked: index.revoked.length,
  });
}
