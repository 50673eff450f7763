// Everything the operator knows of the cluster: caches fed by reflectors, and one question they answer for the compile step. Leader and
// standby both keep it warm, so a standby takes over without reading the cluster first.
import type { Kind } from '#shared/api/kinds.ts';
import { GATEWAY_LABEL, MANAGED_BY } from '#shared/kube/labels.ts';
import { RESOURCE, type KubeObject, type ResourceType } from '#shared/kube/object.ts';
import type { Deployment, Lease, Pod } from '#shared/kube/types.ts';
import { slimWorkload } from '../workloads/slim.ts';
import { slimForeign, slimResource, slimSecret, type SecretMeta } from './slim.ts';
import { Watched, type Change, type ReflectorDefaults, type Scope } from './watched.ts';

/** An object of the four kinds as the server has it. */
export interface CustomObject extends KubeObject {
  readonly kind: string;
  readonly spec?: unknown;
  readonly status?: unknown;
}

const ours = `app.kubernetes.io/managed-by=${MANAGED_BY['app.kubernetes.io/managed-by']}`;
/** Kinds of the workloads of a Gateway; the Deployment is held apart because its status is read. */
const CHILDREN = [
  'Service',
  'ServiceAccount',
  'Role',
  'RoleBinding',
  'PodDisruptionBudget',
  'HorizontalPodAutoscaler',
  'NetworkPolicy',
] as const;

export class World {
  readonly kinds: Readonly<Record<Kind, Watched<CustomObject>>>;
  /** Metadata of every Secret in scope: which exist, and when one changed. */
  readonly secrets: Watched<SecretMeta>;
  /** Likewise of every ConfigMap: a Gateway names the one that holds its catalog. */
  readonly configMaps: Watched<KubeObject>;
  readonly namespaces: Watched<KubeObject> | undefined;
  readonly pods: Watched<Pod>;
  readonly leases: Watched<Lease>;
  readonly deployments: Watched<Deployment>;
  /** Other workloads of Gateways, by plural. */
  readonly children: ReadonlyMap<string, Watched<KubeObject>>;
  readonly #scope: Scope;

  /** @param scope namespaces to work in; the whole cluster when undefined */
  constructor(scope: Scope, defaults: ReflectorDefaults) {
    this.#scope = scope;
    const custom = (type: ResourceType): Watched<CustomObject> =>
      new Watched<CustomObject>(type, scope, defaults, {}, (object) => slimResource({ ...object, kind: type.kind }));
    const owned = <T extends KubeObject>(
      type: ResourceType,
      labelSelector: string,
      transform: (object: T) => T,
    ): Watched<T> => new Watched<T>(type, scope, defaults, { labelSelector }, transform);
    this.kinds = {
      Gateway: custom(RESOURCE.Gateway),
      Upstream: custom(RESOURCE.Upstream),
      Policy: custom(RESOURCE.Policy),
      VirtualKey: custom(RESOURCE.VirtualKey),
    };
    this.secrets = new Watched(RESOURCE.Secret, scope, defaults, { metadataOnly: true }, slimSecret);
    this.configMaps = new Watched(RESOURCE.ConfigMap, scope, defaults, { metadataOnly: true }, slimForeign);
    // A Role of one namespace cannot read namespaces: selectors by namespace label then match none but the Gateway's own.
    this.namespaces =
      scope === undefined
        ? new Watched(RESOURCE.Namespace, scope, defaults, { metadataOnly: true }, slimNamespace)
        : undefined;
    this.pods = new Watched<Pod>(RESOURCE.Pod, scope, defaults, { labelSelector: GATEWAY_LABEL }, slimPod);
    this.leases = owned<Lease>(RESOURCE.Lease, GATEWAY_LABEL, slimResource);
    this.deployments = owned<Deployment>(RESOURCE.Deployment, ours, slimWorkload);
    this.children = new Map(
      CHILDREN.map((kind) => [RESOURCE[kind].plural, owned<KubeObject>(RESOURCE[kind], ours, slimWorkload)]),
    );
  }

  start(): void {
    for (const watched of this.#all()) watched.start();
  }

  async synced(): Promise<void> {
    await Promise.all(this.#all().map((watched) => watched.synced()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all().map((watched) => watched.stop()));
  }

  /** Number of cached objects by resource. */
  sizes(): [resource: string, count: number][] {
    return this.#all().map((watched) => [watched.resource, watched.size]);
  }

  /** A workload of a Gateway. @param plural of its resource @param key `namespace/name` */
  child(plural: string, key: string): KubeObject | undefined {
    return plural === RESOURCE.Deployment.plural ? this.deployments.get(key) : this.children.get(plural)?.get(key);
  }

  /** Names of the pods of a Gateway, in order; those on their way out have a last word to say. */
  podsOf({ namespace, name }: { readonly namespace: string; readonly name: string }): readonly string[] {
    return this.pods
      .values()
      .flatMap(({ metadata }) =>
        metadata.namespace === namespace && metadata.labels?.[GATEWAY_LABEL] === name ? [metadata.name] : [],
      )
      .sort();
  }

  /** Every object of the four kinds. */
  objects(): CustomObject[] {
    return Object.values(this.kinds).flatMap((watched) => watched.values().filter(isLive));
  }

  /** Labels of namespaces; of those in scope without labels where namespaces cannot be read. */
  namespaceLabels(): ReadonlyMap<string, Readonly<Record<string, string>>> {
    if (this.namespaces === undefined) return new Map((this.#scope ?? []).map((name) => [name, {}]));
    return new Map(this.namespaces.values().map(({ metadata }) => [metadata.name, metadata.labels ?? {}]));
  }

  #all(): Watched<KubeObject>[] {
    const { kinds, secrets, configMaps, namespaces, pods, leases, deployments, children } = this;
    const all = [...Object.values(kinds), secrets, configMaps, pods, leases, deployments, ...children.values()];
    return (namespaces === undefined ? all : [...all, namespaces]) as unknown as Watched<KubeObject>[];
  }
}

/** An object on its way out has no effect any more, whatever finalizers others have put on it. */
function isLive({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp === undefined;
}

/**
 * Whether a change of a custom resource can change what is compiled: the spec, labels, our annotations, its life. Statuses are our own
 * writing, and answering them would never end.
 */
export function matters({ before, after }: Change<KubeObject>): boolean {
  if (before === undefined || after === undefined) return true;
  const [a, b] = [before.metadata, after.metadata];
  return (
    a.uid !== b.uid ||
    a.generation !== b.generation ||
    a.deletionTimestamp !== b.deletionTimestamp ||
    !sameMap(a.labels, b.labels) ||
    !sameMap(a.annotations, b.annotations)
  );
}

function sameMap(a: Readonly<Record<string, string>> = {}, b: Readonly<Record<string, string>> = {}): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

function slimNamespace(namespace: KubeObject): KubeObject {
  const { name, labels } = namespace.metadata;
  return { metadata: { name, namespace: '', ...(labels === undefined ? {} : { labels }) } };
}

function slimPod(pod: Pod): Pod {
  const { status } = pod;
  return {
    metadata: { ...slimResource(pod).metadata, labels: pod.metadata.labels ?? {} },
    status: { phase: status?.phase, conditions: status?.conditions?.filter(({ type }) => type === 'Ready') },
  };
}
