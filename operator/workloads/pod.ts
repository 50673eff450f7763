// The pod of a data plane: one container that may do nothing but listen, call out and read its configuration.
import { createHash } from 'node:crypto';
import type { DeploymentSpec } from '#shared/api/deployment.ts';
import type { Resource } from '#shared/api/kinds.ts';
import { TOKENS_FOLDER } from '#shared/api/token-file.ts';
import { indexName, INDEX_KEY, PART_KEY } from '#shared/bundle/publication.ts';
import { canonicalJson } from '#shared/canonical-json.ts';
import { parseDuration } from '#shared/duration.ts';
import { MANAGED_BY } from '#shared/kube/labels.ts';
import type { Deployment } from '#shared/kube/types.ts';
import { parseQuantity } from '#shared/quantity.ts';
import { publicationNames } from './access.ts';
import { accountName, podLabels } from './identity.ts';

export type PodTemplate = NonNullable<Deployment['spec']>['template'];
type PodSpec = NonNullable<PodTemplate['spec']>;
type Container = PodSpec['containers'][number];
type VolumeSource = NonNullable<NonNullable<NonNullable<PodSpec['volumes']>[number]['projected']>['sources']>[number];

export interface ImageOptions {
  /** For Gateways that name none of their own. */
  readonly image: string;
  readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
}

/** Names of the two ports, for the Service, probes and scrapers. */
export const HTTP_PORT = 'http';
export const METRICS_PORT = 'metrics';

/** On the pod template: changes with what a running process cannot take over, and so replaces the pods. */
export const LISTENER_ANNOTATION = 'portcullis.dev/listener';

const CONFIG_FOLDER = '/etc/portcullis/config';
/** The user of the image; no rights hang on the number. */
const USER = 65_532;
/** Seconds a pod may take after pause and drain: closing sockets, flushing records, releasing its Lease. */
const LAST_STEPS = 20;
/** A configuration may be long in coming; a pod without one is started anew after ten minutes. */
const STARTUP = { periodSeconds: 1, failureThreshold: 600 };
/** Of the memory limit; the rest is for bodies in flight, which live outside of the heap. */
const HEAP_SHARE = 0.6;
/** Ports below need a right that pods do not have, unless their network says otherwise. */
const FIRST_FREE_PORT = 1024;

export function podTemplate({ metadata, spec }: Resource<'Gateway'>, options: ImageOptions): PodTemplate {
  const { deployment, listen } = spec;
  const { podTemplate: extra, drainDelay } = deployment;
  const pause = Math.ceil(parseDuration(drainDelay) / 1000);
  const drain = Math.ceil(parseDuration(listen.timeouts.drain) / 1000);
  return {
    metadata: {
      labels: { ...extra.labels, ...MANAGED_BY, ...podLabels(metadata.name) },
      annotations: { ...extra.annotations, [LISTENER_ANNOTATION]: listenerDigest(spec) },
    },
    spec: {
      serviceAccountName: accountName(metadata.name),
      automountServiceAccountToken: true,
      // Variables for every Service of the namespace say nothing to this program and change with each of them.
      enableServiceLinks: false,
      terminationGracePeriodSeconds: pause + drain + LAST_STEPS,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: USER,
        runAsGroup: USER,
        fsGroup: USER,
        seccompProfile: { type: 'RuntimeDefault' },
        ...sysctls([listen.port, spec.metrics.port]),
      },
      topologySpreadConstraints: ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map((topologyKey) => ({
        topologyKey,
        maxSkew: 1,
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: podLabels(metadata.name) },
        // Each version on its own, or the pods that leave would count in a rolling update.
        matchLabelKeys: ['pod-template-hash'],
      })),
      containers: [container(metadata.name, spec, options, pause)],
      volumes: [
        // Boots a pod while the API server is away. Optional: a Gateway has only as many parts as its keys fill.
        { name: 'config', projected: { defaultMode: 0o440, sources: configSources(metadata.name) } },
        { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
        // A pod without one mounts nothing: whoever names none keeps the pods that run.
        ...(deployment.tokens.length === 0
          ? []
          : [{ name: 'tokens', projected: { defaultMode: 0o440, sources: tokenSources(deployment.tokens) } }]),
      ],
      ...(extra.nodeSelector === undefined ? {} : { nodeSelector: extra.nodeSelector }),
      ...(extra.tolerations.length === 0 ? {} : { tolerations: extra.tolerations }),
      ...(extra.priorityClassName === undefined ? {} : { priorityClassName: extra.priorityClassName }),
      ...(extra.runtimeClassName === undefined ? {} : { runtimeClassName: extra.runtimeClassName }),
      ...(extra.imagePullSecrets.length === 0
        ? {}
        : { imagePullSecrets: extra.imagePullSecrets.toSorted().map((name) => ({ name })) }),
    },
  };
}

function container(
  gateway: string,
  { deployment, listen, metrics }: Resource<'Gateway'>['spec'],
  options: ImageOptions,
  pause: number,
): Container {
  const imagePullPolicy = deployment.imagePullPolicy ?? options.imagePullPolicy;
  const { requests, limits } = deployment.resources;
  const heapMib = Math.floor((parseQuantity(limits.memory) * HEAP_SHARE) / 1024 ** 2);
  return {
    name: 'gateway',
    image: deployment.image ?? options.image,
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
    args: ['serve'],
    env: [
      { name: 'PORTCULLIS_GATEWAY', value: gateway },
      // Also for a Gateway that calls itself localhost: here that is the end of a port-forward, and probes come from outside.
      { name: 'PORTCULLIS_LISTEN_HOST', value: '::' },
      { name: 'NODE_OPTIONS', value: `--max-old-space-size=${heapMib}` },
      { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
      { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } } },
      { name: 'POD_UID', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.uid' } } },
    ],
    ports: [
      { name: HTTP_PORT, containerPort: listen.port, protocol: 'TCP' },
      { name: METRICS_PORT, containerPort: metrics.port, protocol: 'TCP' },
    ],
    resources: {
      requests: { ...requests },
      limits: { memory: limits.memory, ...(limits.cpu === undefined ? {} : { cpu: limits.cpu }) },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    startupProbe: { ...probe('/healthz'), ...STARTUP, timeoutSeconds: 2 },
    readinessProbe: { ...probe('/readyz'), periodSeconds: 5, failureThreshold: 2, timeoutSeconds: 3 },
    // Slow to act: a restart cuts every stream, so one long pause of the process must not cause it.
    livenessProbe: { ...probe('/healthz'), periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 },
    // The listener closes with the signal to stop, while load balancers still send calls: they get the pause to notice.
    ...(pause === 0 ? {} : { lifecycle: { preStop: { sleep: { seconds: pause } } } }),
    terminationMessagePolicy: 'FallbackToLogsOnError',
    volumeMounts: [
      { name: 'config', mountPath: CONFIG_FOLDER, readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
      ...(deployment.tokens.length === 0 ? [] : [{ name: 'tokens', mountPath: TOKENS_FOLDER, readOnly: true }]),
    ],
  };
}

const probe = (path: string) => ({ httpGet: { path, port: HTTP_PORT } });

/** One of the few sysctls that the restricted profile lets a pod set for itself. */
function sysctls(ports: readonly number[]): Pick<NonNullable<PodSpec['securityContext']>, 'sysctls'> {
  if (ports.every((port) => port >= FIRST_FREE_PORT)) return {};
  return { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] };
}

/** Every object that may hold a part of the configuration, as `<object>/<data key>`. */
function configSources(gateway: string): VolumeSource[] {
  const { configMaps, secrets } = publicationNames(gateway);
  const source = (name: string, key: string) => ({ name, optional: true, items: [{ key, path: `${name}/${key}` }] });
  return [
    { configMap: source(indexName(gateway), INDEX_KEY) },
    ...configMaps.map((name) => ({ configMap: source(name, PART_KEY) })),
    ...secrets.map((name) => ({ secret: source(name, PART_KEY) })),
  ];
}

/** In the order of their names and in seconds, so that other words for the same tokens replace no pod. */
function tokenSources(tokens: DeploymentSpec['tokens']): VolumeSource[] {
  return tokens
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, audience, expiresAfter }) => ({
      serviceAccountToken: {
        path: name,
        audience,
        expirationSeconds: Math.ceil(parseDuration(expiresAfter) / 1000),
      },
    }));
}

/** Of everything that is fixed when the listeners open; all else is taken over by the running process. */
function listenerDigest({ listen, metrics, publicUrl }: Resource<'Gateway'>['spec']): string {
  const fixed = {
    port: listen.port,
    metricsPort: metrics.port,
    publicUrl: publicUrl.replace(/\/+$/, ''),
    maxHeaderBytes: parseQuantity(listen.limits.maxHeaderBytes),
    keepAlive: parseDuration(listen.timeouts.keepAlive),
  };
  return createHash('sha256').update(canonicalJson(fixed)).digest('hex').slice(0, 16);
}
