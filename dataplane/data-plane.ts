// One data-plane process: stores, rooms and listeners wired together around a configuration that may be swapped at any time. Knows
// nothing of where configuration comes from.
import { randomUUID } from 'node:crypto';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { isLoopbackHost } from '#shared/api/loopback.ts';
import type { Settings, Snapshot, SnapshotHolder } from './config/snapshot.ts';
import type { Clock } from './credentials/source.ts';
import type { AuditSink } from './meter/audit.ts';
import { refuse } from './errors.ts';
import { PreviousSecretUses } from './identify/previous-secret.ts';
import { Recorder } from './meter/recorder.ts';
import { probeMetrics } from './probe/probe-metrics.ts';
import { Probes, type UpstreamChange } from './probe/probes.ts';
import { Pools, RECONNECT_AFTER_MS, type PoolOptions } from './route/pools.ts';
import { Slots } from './route/slots.ts';
import { forgetOthers, routingState } from './route/strategy.ts';
import type { OpenExchange, RouteContext } from './route/route-context.ts';
import { Sweeper } from './route/sweeper.ts';
import { answerError } from './server/answer.ts';
import { buildApp } from './server/app.ts';
import type { Call } from './server/call.ts';
import { leftOutReport } from './telemetry/left-out.ts';
import { Metrics, type SourceFigures } from './telemetry/metrics.ts';

export interface DataPlaneOptions {
  readonly holder: SnapshotHolder;
  readonly audit: AuditSink;
  readonly log: Logger;
  readonly version: string;
  /** Proxy settings of the process environment, for Gateways that name no proxy of their own. */
  readonly environmentProxy: PoolOptions['proxy'];
  /** Address of both listeners; by default every address, or loopback for a Gateway whose publicUrl is loopback. */
  readonly listenHost?: string;
  /**
   * How long at most, in milliseconds, `drain` leaves kept connections to their clients, each to be closed with its next answer: one that looks
   * idle may have a call on its way, which fails when it is closed here. Left out: idle connections close at once.
   */
  readonly lingerMs?: number;
  /** Where configuration stands, for sources that can lag behind what is published. */
  readonly source?: SourceFigures;
  /** Whether upstreams that ask for it are probed. Left out: only what calls and credentials tell is known of them. */
  readonly probing?: boolean;
  /** Told when something else is known of an upstream. */
  readonly onUpstream?: (change: UpstreamChange) => void;
  /** {@link Probes.report} is another. */
  readonly onReport?: () => void;
}

export interface DataPlane {
  readonly metrics: Metrics;
  readonly previousSecrets: PreviousSecretUses;
  readonly probes: Pick<Probes, 'report' | 'states'>;
  /** Starts the listeners. @throws when a port is taken */
  listen(): Promise<void>;
  /** Readiness goes first, then no new calls, then running answers up to the drain limit, then everything else. */
  drain(): Promise<void>;
}

const DRAIN_POLL_MS = 50;

const CLOCK: Clock = {
  now: Date.now,
  after(milliseconds, work) {
    const timer = setTimeout(work, milliseconds);
    // A look to come must not keep a process alive that is done.
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** @param options a holder that already has its first configuration, since listeners are made by it */
export function createDataPlane(options: DataPlaneOptions): DataPlane {
  const { holder, audit, log, version, environmentProxy } = options;
  const now = (): number => performance.now();
  const sweeper = new Sweeper<OpenExchange>(now);
  const first = holder.current!.settings;
  const slots = new Slots(first.gateway.listen.limits.maxConcurrentUpstream);
  const routing = routingState(now, Math.random);
  const pools = new Pools(poolOptions(first, environmentProxy));
  const previousSecrets = new PreviousSecretUses();
  const open = new Set<Call>();
  let draining = false;

  const bootFault = (): string | undefined =>
    (holder.current?.settings.upstreams.length ?? 0) === 0 ? 'no upstream is loaded' : undefined;
  const notReady = (): string | undefined => (draining ? 'draining' : bootFault());
  const metrics = new Metrics(
    {
      inFlight: () => slots.inUse,
      queued: () => slots.queued,
      maxConcurrent: () => holder.current?.settings.gateway.listen.limits.maxConcurrentUpstream ?? 0,
      configRevision: () => holder.current?.settings.revision,
      configKeys: () => holder.current?.keys.size ?? 0,
      auditLost: () => audit.lost ?? 0,
      ready: () => notReady() === undefined,
    },
    version,
    options.source,
  );
  const countProbe = probeMetrics(metrics.registry, () => probes);
  const probes: Probes = new Probes({
    clock: CLOCK,
    random: Math.random,
    connections: ({ origin, tls }) => pools.of(origin, tls),
    probing: options.probing ?? false,
    onChange: (change) => options.onUpstream?.(change),
    onReport: () => options.onReport?.(),
    onProbe: countProbe,
  });
  const recorder = new Recorder(metrics, audit, { now, wallClock: Date.now });
  const route: RouteContext = {
    pools,
    slots,
    sweeper,
    ...routing,
    wallClock: Date.now,
    charge: (call, tap, model) => recorder.charge(call, tap, model),
    health: probes,
    observe: metrics,
  };
  const app = buildApp({
    holder,
    route,
    recorder,
    open,
    probes: { version, bootFault, notReady },
    log,
    newId: randomUUID,
    wallClock: Date.now,
    observeListenerError: (code) => metrics.listenerError(code),
    previousSecrets,
    maxHeaderBytes: first.gateway.listen.limits.maxHeaderBytes,
    keepAliveMs: first.gateway.listen.timeouts.keepAlive,
  });
  const metricsServer = serveMetrics(metrics);
  // Ahead of the app's own listener, which may answer at once.
  app.server.prependListener('request', (_request, response: ServerResponse) => {
    if (draining) response.shouldKeepAlive = false;
  });

  const reportLeftOut = leftOutReport(metrics.registry, log, () => holder.current?.settings.leftOut ?? []);

  log.level = first.gateway.logLevel;
  reportLeftOut(first);
  probes.configure(first);
  holder.onSwap((next) => {
    const { upstreams, gateway } = next.settings;
    log.level = gateway.logLevel;
    reportLeftOut(next.settings);
    slots.resize(gateway.listen.limits.maxConcurrentUpstream);
    pools.configure(poolOptions(next.settings, environmentProxy), upstreams);
    probes.configure(next.settings);
    forgetOthers(routing, new Set(upstreams.map(({ key }) => key)));
    if (gateway.virtualKeys.onRevoke === 'Cut') cutRevoked(sweeper, next, Date.now());
  });

  return {
    metrics,
    previousSecrets,
    probes,
    async listen() {
      const { listen, publicUrl, metrics: port } = first.gateway;
      const host = options.listenHost ?? bindHost(publicUrl);
      await app.listen({ port: listen.port, host });
      await new Promise<void>((resolve, reject) => {
        metricsServer.once('error', reject).listen(port.port, host === 'localhost' ? undefined : host, resolve);
      });
    },
    async drain() {
      draining = true;
      probes.stop();
      const limit = holder.current?.settings.gateway.listen.timeouts.drain ?? 0;
      const until = now() + limit;
      await released(app.server, Math.min(limit, options.lingerMs ?? 0));
      const closed = app.close();
      while (open.size > 0 && now() < until) {
        await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
        app.server.closeIdleConnections();
      }
      for (const exchange of sweeper.all()) exchange.cut('drained');
      for (const call of open) if (!call.response.headersSent) answerError(call, refuse.draining());
      app.server.closeIdleConnections();
      setTimeout(() => app.server.closeAllConnections(), 1_000).unref();
      await closed;
      metricsServer.close();
      metricsServer.closeAllConnections();
      await pools.destroy();
    },
  };
}

/** Waits until no connection is left, at most so many milliseconds. */
async function released(server: Server, withinMs: number): Promise<void> {
  const until = performance.now() + withinMs;
  const connections = (): Promise<number> =>
    new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
  while (performance.now() < until && (await connections()) > 0) {
    await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
  }
}

function cutRevoked(sweeper: Sweeper<OpenExchange>, { keys }: Snapshot, wallClock: number): void {
  for (const exchange of sweeper.all()) {
    const key = exchange.call.principal?.key;
    if (key === undefined) continue;
    const now = keys.byHash(key.hash);
    // An old secret goes when its grace is over. That is no revocation: what began under it may finish.
    if (now === undefined && key.previous === true && (key.expiresAt ?? Infinity) <= wallClock) continue;
    if (now === undefined || now.state === 'Revoked') exchange.cut('revoked');
  }
}

function poolOptions({ gateway }: Settings, environmentProxy: PoolOptions['proxy']): PoolOptions {
  return {
    connectTimeout: gateway.listen.timeouts.connect,
    reconnectAfter: gateway.listen.timeouts.reconnect ?? RECONNECT_AFTER_MS,
    proxy: gatewayProxy(gateway.proxy, environmentProxy),
  };
}

/** The proxy a Gateway names counts for everything that leaves it; without one, what the environment names. */
export function gatewayProxy(
  proxy: Settings['gateway']['proxy'],
  environmentProxy: PoolOptions['proxy'],
): PoolOptions['proxy'] {
  if (proxy === undefined) return environmentProxy;
  return { httpProxy: proxy.url, httpsProxy: proxy.url, noProxy: proxy.noProxy.join(',') };
}

/** A Gateway that calls itself loopback is reachable from this machine only. */
function bindHost(publicUrl: string): string {
  const { hostname } = new URL(publicUrl);
  return isLoopbackHost(hostname) ? hostname.replace(/^\[|\]$/g, '') : '::';
}

function serveMetrics({ registry }: Metrics): Server {
  return createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('see /metrics\n');
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
}
