// The `portcullis-operator` program: reads its environment, opens the API server, waits until it leads, writes while it does. Leadership that is
// lost ends the process: a fresh start is the one state that is known to be right.
import { randomBytes, randomUUID } from 'node:crypto';
import pino from 'pino';
import { createKubeClient } from '#shared/kube/kube-client.ts';
import { openConnection } from '#shared/kube/open-connection.ts';
import { EventRecorder } from './kube/events.ts';
import { LeaderElection, type LeaseTiming } from './kube/leader.ts';
import { serveHealth } from './health.ts';
import { OperatorMetrics } from './metrics.ts';
import { createOperator } from './operator.ts';
import { readSettings } from './settings.ts';
import packageJson from '../package.json' with { type: 'json' };

/** Also the first part of the user agent. */
const NAME = 'portcullis-operator';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** Longest wait for writes that are under way at the end. */
const STOP_MS = 10_000;

const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime });
const now = (): number => performance.now();

try {
  await main();
} catch (error) {
  log.fatal({ reason: (error as Error).message }, 'the operator cannot start');
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const settings = readSettings(process.env);
  log.level = settings.PORTCULLIS_LOG_LEVEL;
  const { version } = packageJson;
  const metrics = new OperatorMetrics(version);
  const connection = await openConnection(process.env, now);
  const common = { connection, now, random: Math.random, userAgent: `${NAME}/${version}` };
  const count = (verb: string, resource: string, code: string): void => metrics.requested(verb, resource, code);
  const client = createKubeClient({
    ...common,
    count,
    qps: settings.PORTCULLIS_API_QPS,
    burst: settings.PORTCULLIS_API_BURST,
    // A process that was frozen past its Lease has writes left that wait for their turn: they are not its to send any more.
    mayWrite: () => election.leading,
  });
  const identity = `${settings.POD_NAME}_${randomUUID().slice(0, 8)}`;
  const operator = createOperator({
    client,
    scope: settings.PORTCULLIS_NAMESPACES,
    identity,
    version,
    workloads: {
      image: settings.PORTCULLIS_IMAGE,
      ...(settings.PORTCULLIS_IMAGE_PULL_POLICY === undefined
        ? {}
        : { imagePullPolicy: settings.PORTCULLIS_IMAGE_PULL_POLICY }),
    },
    statusRate: settings.PORTCULLIS_STATUS_QPS,
    recorder: new EventRecorder({
      client,
      controller: 'portcullis.dev/operator',
      instance: settings.POD_NAME,
      now,
      wallClock: Date.now,
      random: Math.random,
      log,
    }),
    onSuperseded: () => end('another operator has taken over the publication'),
    metrics,
    log,
    wallClock: Date.now,
    now,
    random: Math.random,
    randomBytes,
  });
  const health = await serveHealth(settings.PORTCULLIS_HEALTH_HOST, settings.PORTCULLIS_HEALTH_PORT, {
    ready: () => operator.ready,
    metrics,
    refresh: () => operator.measure(),
  });
  log.info({ version, identity, namespaces: settings.PORTCULLIS_NAMESPACES ?? 'all', health: health.port }, 'started');
  operator.start();

  // Renewals have a client of their own: they must not wait behind a hundred thousand statuses.
  const leaseClient = createKubeClient({ ...common, count });
  const election = new LeaderElection({
    client: leaseClient,
    lease: { namespace: settings.POD_NAMESPACE, name: NAME },
    identity,
    timing: leaseTiming(settings.PORTCULLIS_LEASE_SECONDS),
    now,
    wallClock: Date.now,
    random: Math.random,
    log,
    onElected: () => operator.lead(),
    onLost: () => end('leadership is lost'),
  });
  // A standby is of use once it knows the cluster.
  await operator.synced();
  election.start();

  let stopping = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      log.info({ signal }, 'stopping');
      setTimeout(() => process.exit(1), STOP_MS).unref();
      void operator
        .stop()
        .then(() => election.stop())
        .finally(() => process.exit(0));
    });
  }
}

/** A fresh start is the one state that is known to be right. */
function end(reason: string): void {
  log.error({ reason }, 'ending, to start afresh');
  process.exit(1);
}

/** The proportions client-go uses: 15 s, 10 s, 2 s. */
function leaseTiming(seconds: number): LeaseTiming {
  const leaseDuration = seconds * 1_000;
  return { leaseDuration, renewDeadline: (leaseDuration * 2) / 3, retryPeriod: (leaseDuration * 2) / 15 };
}
