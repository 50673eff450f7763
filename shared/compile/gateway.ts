// A Gateway on its own: whether it is sound, and its part of the bundle with every default applied and every unit plain.
import type { GatewaySpec } from '#shared/api/gateway.ts';
import { isLoopbackHost } from '#shared/api/loopback.ts';
import { issue } from '#shared/api/parse.ts';
import type { GatewayConfig } from '#shared/bundle/bundle.ts';
import { modelKey, type ModelCatalog } from '#shared/catalog/spelling.ts';
import { parseDuration } from '#shared/duration.ts';
import { parseQuantity } from '#shared/quantity.ts';
import type { SecretText } from '#shared/secret-text.ts';
import { entryIssues } from './custom-models.ts';
import { fallbackIssues, modelFallbacks } from './fallbacks.ts';
import { asSet } from './precedence.ts';
import type { Report } from './report.ts';
import type { Subject } from './subject.ts';

/** Bytes a pepper must have, as `keyHash` asks for. */
const MIN_PEPPER_BYTES = 32;

/** Whether the Gateway serves this machine only; plain http is good enough there. */
export function isLoopbackGateway(spec: GatewaySpec): boolean {
  return isLoopbackHost(URL.parse(spec.publicUrl)?.hostname ?? '');
}

/** Everything for which a readable Gateway is refused all the same. */
export function judgeGateway(
  { resource, report }: Subject<'Gateway'>,
  pepper: SecretText | undefined,
  catalog: ModelCatalog,
): void {
  report.invalid(entryIssues(resource.spec.models.entries, catalog));
  report.invalid(fallbackIssues(resource.spec.models, catalog));
  if (pepper === undefined || Buffer.byteLength(pepper.reveal()) < MIN_PEPPER_BYTES) {
    report.refuse(
      'PepperMissing',
      `The pepper for key hashes is missing or shorter than ${MIN_PEPPER_BYTES} bytes; without it no key can be checked`,
    );
  }
}

/**
 * @param attached `namespace/name` of the Upstreams attached to this Gateway, for references of price overrides
 * @param mapped models that they list, as `modelKey` gives them
 */
export function gatewayConfig(
  { resource, report }: Subject<'Gateway'>,
  attached: ReadonlySet<string>,
  mapped: ReadonlySet<string>,
  catalog: ModelCatalog,
): GatewayConfig {
  const { spec, metadata } = resource;
  warnOfHiddenClients(spec, report);
  return {
    name: metadata.name,
    namespace: metadata.namespace,
    publicUrl: spec.publicUrl.replace(/\/+$/, ''),
    ...(spec.environment === undefined ? {} : { environment: spec.environment }),
    paused: spec.paused,
    listen: listenConfig(spec.listen),
    virtualKeys: spec.virtualKeys,
    dialects: asSet(spec.dialects),
    ...(spec.pathPrefixes.length === 0 ? {} : { pathPrefixes: asSet(spec.pathPrefixes) }),
    builtinModels: spec.models.builtin,
    routing: { ...spec.routing, failoverOn: asSet(spec.routing.failoverOn) },
    ...(spec.models.fallbacks.length === 0 ? {} : { fallbacks: modelFallbacks(spec.models, mapped, catalog, report) }),
    defaultAccess: spec.defaultAccess,
    pricing: {
      multiplier: spec.pricing.multiplier,
      overrides: priceOverrides(spec, metadata.namespace, attached, catalog, report),
    },
    ...(spec.proxy === undefined ? {} : { proxy: { url: spec.proxy.url, noProxy: asSet(spec.proxy.noProxy) } }),
    metrics: spec.metrics,
    logLevel: spec.logging.level,
  };
}

function listenConfig(listen: GatewaySpec['listen']): GatewayConfig['listen'] {
  const { limits, timeouts } = listen;
  return {
    port: listen.port,
    trustedProxies: asSet(listen.trustedProxies),
    access: { allow: asSet(listen.access.allow), deny: asSet(listen.access.deny) },
    limits: {
      maxBodyBytes: parseQuantity(limits.maxBodyBytes),
      maxHeaderBytes: parseQuantity(limits.maxHeaderBytes),
      maxUrlBytes: parseQuantity(limits.maxUrlBytes),
      maxConcurrentUpstream: limits.maxConcurrentUpstream,
      maxQueued: limits.maxQueued,
    },
    timeouts: {
      body: parseDuration(timeouts.body),
      queue: parseDuration(timeouts.queue),
      connect: parseDuration(timeouts.connect),
      reconnect: parseDuration(timeouts.reconnect),
      firstByte: parseDuration(timeouts.firstByte),
      streamIdle: parseDuration(timeouts.streamIdle),
      ping: parseDuration(timeouts.ping),
      keepAlive: parseDuration(timeouts.keepAlive),
      drain: parseDuration(timeouts.drain),
    },
  };
}

/** A Gateway that others reach usually has a proxy before it, and then every caller has the proxy's address. */
function warnOfHiddenClients(spec: GatewaySpec, report: Report): void {
  if (spec.listen.trustedProxies.length > 0 || isLoopbackGateway(spec)) return;
  report.warn(
    'spec.listen.trustedProxies is empty: behind a load balancer or ingress, every rule and record by client address sees the proxy; list its networks',
  );
}

function priceOverrides(
  spec: GatewaySpec,
  namespace: string,
  attached: ReadonlySet<string>,
  catalog: ModelCatalog,
  report: Report,
): GatewayConfig['pricing']['overrides'] {
  return spec.pricing.overrides.map(({ upstream, model, price }, index) => {
    const key = upstream === undefined ? undefined : `${namespace}/${upstream}`;
    if (key !== undefined && !attached.has(key)) {
      const { message } = issue(
        ['spec', 'pricing', 'overrides', index, 'upstream'],
        `no Upstream ${upstream} of this namespace is attached to this Gateway; create it or correct the name`,
      );
      report.unresolved('RefNotFound', message);
    }
    return { ...(key === undefined ? {} : { upstream: key }), model: modelKey(model, catalog), price };
  });
}
