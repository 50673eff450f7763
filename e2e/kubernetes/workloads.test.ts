// The workloads of a Gateway on a real API server: made, left alone, repaired, taken away, and nothing of other people touched.
import { beforeEach, describe, expect, test } from 'vitest';
import { gatewaySpec } from '#shared/api/gateway.ts';
import type { Resource } from '#shared/api/kinds.ts';
import { ApiError, isApiError, type KubeClient } from '#shared/kube/client.ts';
import { RESOURCE, type KubeObject, type ResourceType } from '#shared/kube/object.ts';
import type { Deployment, HorizontalPodAutoscaler, NetworkPolicy, Pod, Role, Service } from '#shared/kube/types.ts';
import { createWorkloadWriter, type WorkloadReport, type WorkloadWriter } from '#operator/workloads/apply.ts';
import { renderWorkloads } from '#operator/workloads/render.ts';
import { sharedControlPlane, testNamespace } from '../harness/kubernetes/shared-control-plane.ts';

const plane = await sharedControlPlane();
const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' };
const ACCOUNT = 'claude-portcullis-data-plane';
const NONE: WorkloadReport = { written: [], deleted: [], faults: [] };
const KINDS = [
  RESOURCE.ServiceAccount,
  RESOURCE.Role,
  RESOURCE.RoleBinding,
  RESOURCE.NetworkPolicy,
  RESOURCE.Service,
  RESOURCE.PodDisruptionBudget,
  RESOURCE.Deployment,
  RESOURCE.HorizontalPodAutoscaler,
];

let namespace: string;
let writer: WorkloadWriter;

beforeEach(async () => {
  namespace = await testNamespace('workloads', RESTRICTED);
  writer = createWorkloadWriter(plane.admin);
});

const at = (name = 'claude') => ({ namespace, name });
const live = <T extends KubeObject>(type: ResourceType, name = 'claude') => plane.admin.get<T>(type, at(name));
const ours = { labelSelector: 'app.kubernetes.io/managed-by=portcullis' };

/** Applies the Gateway, as its author would, and reads it back with defaults and uid. */
async function gateway(spec: Readonly<Record<string, unknown>> = {}): Promise<Resource<'Gateway'>> {
  const object = await plane.admin.apply<KubeObject & { spec: unknown }>(
    RESOURCE.Gateway,
    {
      metadata: { ...at(), labels: { team: 'ai' } },
      spec: { publicUrl: 'https://claude.corp', ...spec },
    } as KubeObject,
    { fieldManager: 'author' },
  );
  return { kind: 'Gateway', metadata: object.metadata, spec: gatewaySpec.parse(object.spec) };
}

/** What a cache of our objects holds right now. */
async function cache(client: KubeClient = plane.admin) {
  const objects = new Map<string, KubeObject>();
  for (const type of KINDS) {
    const { items } = await client.list(type, { namespace, ...ours }, {});
    for (const item of items) objects.set(`${type.kind} ${item.metadata.name}`, item);
  }
  return (type: ResourceType, name: string) => objects.get(`${type.kind} ${name}`);
}

async function bring(spec: Readonly<Record<string, unknown>> = {}, with_ = writer): Promise<WorkloadReport> {
  const resource = await gateway(spec);
  const options = { image: 'registry.corp/portcullis:0.1.0', egress: { ports: [443], metadata: false } };
  return with_.apply(renderWorkloads(resource, options), await cache());
}

async function eventually<T>(what: () => Promise<T>, holds: (value: T) => boolean, limit = 20_000): Promise<T> {
  const deadline = performance.now() + limit;
  for (;;) {
    const value = await what();
    if (holds(value) || performance.now() > deadline) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const EVERYTHING = {
  deployment: {
    autoscaling: { maxReplicas: 4, targetMemoryUtilization: 80 },
    resources: { requests: { cpu: '1000m', memory: '1024Mi' }, limits: { cpu: '2.0', memory: '2048Mi' } },
    podTemplate: {
      labels: { team: 'ai' },
      annotations: { 'sidecar.istio.io/inject': 'false' },
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ key: 'dedicated', value: 'ai', effect: 'NoExecute', tolerationSeconds: 60 }],
      imagePullSecrets: ['registry'],
    },
    service: {
      type: 'LoadBalancer',
      annotations: { a: 'b' },
      sourceRanges: ['10.0.0.0/8'],
      externalTrafficPolicy: 'Local',
    },
    serviceAccount: { annotations: { 'eks.amazonaws.com/role-arn': 'arn:x' } },
    tokens: [{ name: 'aws', audience: 'sts.amazonaws.com' }],
  },
  networkPolicy: {
    enabled: true,
    ingress: { clients: [{ cidr: '10.0.0.0/8' }], metrics: [{ podSelector: { matchLabels: { app: 'prometheus' } } }] },
    egress: { to: [{ namespaceSelector: { matchLabels: { a: 'b' } } }], ports: [8443] },
  },
};

/** A client that notes what is asked of it. */
function noting(client: KubeClient): { readonly client: KubeClient; readonly calls: string[] } {
  const calls: string[] = [];
  const noted = new Proxy(client, {
    get: (target, name: keyof KubeClient) => {
      const member = target[name] as (...args: unknown[]) => unknown;
      return (...args: [ResourceType, ...unknown[]]): unknown => {
        calls.push(`${name} ${args[0].kind}`);
        return member.apply(target, args);
      };
    },
  });
  return { calls, client: noted };
}

describe('made and left alone', () => {
  test.each<[string, Readonly<Record<string, unknown>>, number, readonly string[]]>([
    ['the least', {}, 6, []],
    // An operator that starts cannot know what the API server makes of "1000m": it asks once.
    ['everything there is', EVERYTHING, 8, ['get Deployment', 'apply Deployment']],
  ])('%s: a second pass asks nothing of the API server, nor does another operator for long', async (...row) => {
    const [, spec, count, once] = row;
    const first = await bring(spec);
    expect(first.faults).toEqual([]);
    expect(first.written).toHaveLength(count);
    const { client, calls } = noting(plane.admin);
    const versions = async () => {
      const get = await cache();
      return KINDS.map((type) => [ACCOUNT, 'claude'].map((name) => get(type, name)?.metadata.generation));
    };
    const before = await versions();
    // Statuses of others move; that is no reason to write.
    const observed = await eventually(
      () => live<Deployment>(RESOURCE.Deployment),
      ({ status }) => status?.observedGeneration !== undefined,
    );
    expect(observed.status?.observedGeneration).toBeDefined();
    const another = createWorkloadWriter(client);
    expect(await bring(spec, another)).toEqual(NONE);
    expect(calls).toEqual(once);
    await plane.admin.patch(RESOURCE.Deployment, at(), { metadata: { labels: { theirs: String(calls.length) } } });
    expect(await bring(spec, another)).toEqual(NONE);
    expect(calls).toEqual(once);
    expect(await versions()).toEqual(before);
  });

  test('a cache that does not show our own writes yet causes none', async () => {
    const resource = await gateway();
    const workloads = renderWorkloads(resource, { image: 'x', egress: { ports: [], metadata: false } });
    await writer.apply(workloads, () => undefined);
    expect(await writer.apply(workloads, () => undefined)).toEqual(NONE);
    const old = await cache();
    const changed = renderWorkloads(resource, { image: 'y', egress: { ports: [], metadata: false } });
    expect((await writer.apply(changed, old)).written).toEqual(['Deployment claude']);
    expect(await writer.apply(changed, old)).toEqual(NONE);
  });

  test('[SEC-22] pods are admitted where the restricted profile is enforced, and get what the spec says', async () => {
    await bring({ listen: { port: 443 }, deployment: { replicas: 3 } });
    const pods = () =>
      plane.admin.list<Pod>(RESOURCE.Pod, { namespace, labelSelector: 'portcullis.dev/gateway=claude' }, {});
    const { items } = await eventually(pods, (page) => page.items.length === 3);
    expect(items).toHaveLength(3);
    expect(items[0]!.spec!.topologySpreadConstraints![0]!.labelSelector!.matchExpressions).toEqual([
      { key: 'pod-template-hash', operator: 'In', values: [items[0]!.metadata.labels!['pod-template-hash']] },
    ]);
  });
});

describe('edited by others', () => {
  test.each<[string, ResourceType, string, object, (object: never) => unknown, unknown]>([
    [
      'an image',
      RESOURCE.Deployment,
      'claude',
      { spec: { template: { spec: { containers: [{ name: 'gateway', image: 'other' }] } } } },
      (object: Deployment) => object.spec!.template.spec!.containers[0]!.image,
      'registry.corp/portcullis:0.1.0',
    ],
    [
      'the number of replicas',
      RESOURCE.Deployment,
      'claude',
      { spec: { replicas: 0 } },
      (object: Deployment) => object.spec!.replicas,
      2,
    ],
    [
      'rights that were added',
      RESOURCE.Role,
      ACCOUNT,
      { rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }] },
      (object: Role) => object.rules!.length,
      4,
    ],
    [
      'a selector',
      RESOURCE.Service,
      'claude',
      { spec: { selector: { 'portcullis.dev/gateway': 'other' } } },
      (object: Service) => object.spec!.selector!['portcullis.dev/gateway'],
      'claude',
    ],
    [
      'a network rule',
      RESOURCE.NetworkPolicy,
      'claude',
      { spec: { egress: [{}] } },
      (object: NetworkPolicy) => object.spec!.egress!.length,
      3,
    ],
  ])('%s is put back, once', async (_, type, name, patch, read, expected) => {
    const spec = { networkPolicy: { enabled: true } };
    await bring(spec);
    const strategic = ['patch', type.plural, name, '-n', namespace, '--type=strategic', '-p', JSON.stringify(patch)];
    expect(await plane.kubectl(strategic)).toMatchObject({ code: 0 });
    expect(read(await live(type, name))).not.toEqual(expected);
    expect(await bring(spec)).toEqual({ ...NONE, written: [`${type.kind} ${name}`] });
    expect(read(await live(type, name))).toEqual(expected);
    expect(await bring(spec)).toEqual(NONE);
  });

  test('an object that was deleted is made again', async () => {
    await bring();
    await plane.admin.delete(RESOURCE.Service, at());
    expect(await bring()).toEqual({ ...NONE, written: ['Service claude'] });
  });

  test('what others may add stays: a label, an annotation, a node port', async () => {
    await bring({ deployment: { service: { type: 'NodePort' } } });
    const { spec } = await live<Service>(RESOURCE.Service);
    await plane.admin.patch(RESOURCE.Service, at(), {
      metadata: { labels: { theirs: 'yes' }, annotations: { x: 'y' } },
    });
    expect(await bring({ deployment: { service: { type: 'NodePort' } } })).toEqual(NONE);
    const service = await live<Service>(RESOURCE.Service);
    expect(service.metadata.labels).toMatchObject({ theirs: 'yes' });
    expect(service.spec!.ports![0]!.nodePort).toBe(spec!.ports![0]!.nodePort);
  });
});

describe('changed by their Gateway', () => {
  test('what it no longer asks for goes', async () => {
    await bring(EVERYTHING);
    const report = await bring();
    expect(report.deleted).toEqual(['NetworkPolicy claude', 'HorizontalPodAutoscaler claude']);
    await expect(live(RESOURCE.NetworkPolicy)).rejects.toThrow(ApiError);
    await expect(live(RESOURCE.HorizontalPodAutoscaler)).rejects.toThrow(ApiError);
    const { spec } = await live<Deployment>(RESOURCE.Deployment);
    expect(spec!.template.spec).not.toHaveProperty('nodeSelector');
    expect(spec!.template.spec).not.toHaveProperty('tolerations');
    expect((await live<Service>(RESOURCE.Service)).spec!.type).toBe('ClusterIP');
    expect((await live<Service>(RESOURCE.Service)).metadata.annotations).not.toHaveProperty('a');
    expect(await bring()).toEqual(NONE);
  });

  test('[OPS-11] the number of replicas goes over to the autoscaler without a dip, stays with it, and comes back', async () => {
    const replicas = async () => (await live<Deployment>(RESOURCE.Deployment)).spec!.replicas;
    await bring({ deployment: { replicas: 5 } });
    const autoscaling = { deployment: { autoscaling: { minReplicas: 2, maxReplicas: 9 } } };
    expect((await bring(autoscaling)).written).toEqual(['Deployment claude', 'HorizontalPodAutoscaler claude']);
    expect(await replicas()).toBe(5);
    // As the autoscaler does it.
    const scaled = await plane.kubectl(['scale', 'deployment', 'claude', '-n', namespace, '--replicas=7']);
    expect(scaled).toMatchObject({ code: 0 });
    expect(await bring(autoscaling)).toEqual(NONE);
    expect(await replicas()).toBe(7);
    await bring({ ...autoscaling, listen: { port: 8081 } });
    expect(await replicas()).toBe(7);
    await bring({ deployment: { replicas: 3 } });
    expect(await replicas()).toBe(3);
  });

  test('[OPS-12] a change that a running process takes over leaves the Deployment alone; one of the listener does not', async () => {
    await bring();
    const generation = async () => (await live<Deployment>(RESOURCE.Deployment)).metadata.generation;
    const before = await generation();
    expect(await bring({ paused: true, logging: { level: 'debug' }, defaultAccess: 'Allow' })).toEqual(NONE);
    expect(await generation()).toBe(before);
    expect((await bring({ publicUrl: 'https://other.corp' })).written).toEqual(['Deployment claude']);
    expect(await generation()).toBe(before! + 1);
  });

  test('what the API server refuses is said, and the rest is made', async () => {
    const report = await bring({ deployment: { podTemplate: { labels: { team: 'not a label!' } } } });
    expect(report.written).toHaveLength(5);
    expect(report.faults).toEqual([
      {
        object: 'Deployment claude',
        reason: 'Refused',
        message: expect.stringMatching(/^Deployment claude: .*spec\.template\.labels.*not a label!/),
        retry: false,
      },
    ]);
  });
});

describe('names that are taken', () => {
  test('an object that somebody else made is not touched, and said', async () => {
    const theirs = { metadata: at(), spec: { ports: [{ port: 1 }], selector: { app: 'theirs' } } };
    await plane.admin.create(RESOURCE.Service, theirs);
    const report = await bring();
    expect(report.written).toHaveLength(5);
    expect(report.faults).toEqual([
      {
        object: 'Service claude',
        reason: 'NameTaken',
        message: 'Service claude exists and was not made for this Gateway: remove it, or give the Gateway another name',
        retry: true,
      },
    ]);
    expect((await live<Service>(RESOURCE.Service)).spec!.selector).toEqual({ app: 'theirs' });
  });

  test('an autoscaler that somebody else made stays when ours is not wanted', async () => {
    const theirs = {
      metadata: { ...at(), labels: { 'app.kubernetes.io/managed-by': 'portcullis' } },
      spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'x' } },
    };
    await plane.admin.create(RESOURCE.HorizontalPodAutoscaler, theirs);
    expect((await bring()).deleted).toEqual([]);
    const kept = await live<HorizontalPodAutoscaler>(RESOURCE.HorizontalPodAutoscaler);
    expect(kept.spec?.maxReplicas).toBe(3);
  });
});

describe('the Gateway goes', () => {
  test('and everything that was made for it', async () => {
    await bring(EVERYTHING);
    await plane.admin.delete(RESOURCE.Gateway, at());
    const left = async () => {
      const get = await cache();
      return KINDS.filter((type) => get(type, 'claude') ?? get(type, ACCOUNT)).map(({ kind }) => kind);
    };
    // The garbage collector of a fresh control plane looks for new kinds every half minute.
    expect(await eventually(left, (kinds) => kinds.length === 0, 80_000)).toEqual([]);
  }, 90_000);

  test('and comes again before its things are gone: they are not taken over', async () => {
    await bring();
    const old = await cache();
    const foreign = { ...(await gateway()), metadata: { ...(await gateway()).metadata, uid: 'another' } };
    const report = await writer.apply(
      renderWorkloads(foreign, { image: 'x', egress: { ports: [], metadata: false } }),
      old,
    );
    expect(report.written).toEqual([]);
    expect(report.faults[0]).toMatchObject({
      reason: 'NameTaken',
      message: expect.stringContaining('belongs to an earlier Gateway'),
      retry: true,
    });
  });
});

test('[SEC-22] pods may read their own configuration by name and nothing else of their namespace', async () => {
  await bring();
  const pod = await plane.clientAs(namespace, ACCOUNT);
  const secret = (name: string) => ({ metadata: at(name), stringData: { a: 'b' } }) as unknown as KubeObject;
  for (const name of ['claude-credentials-a', 'claude-keys-31-b', 'claude-pepper', 'claude-tombstones', 'other'])
    await plane.admin.create(RESOURCE.Secret, secret(name));
  await plane.admin.create(RESOURCE.ConfigMap, { metadata: at('claude-index') });
  const may = (action: Promise<unknown>) => action.then(() => true).catch((error: unknown) => !isApiError(error, 403));
  const read = (name: string) => may(pod.get(RESOURCE.Secret, at(name)));
  expect(await Promise.all(['claude-credentials-a', 'claude-keys-31-b'].map(read))).toEqual([true, true]);
  expect(await Promise.all(['claude-pepper', 'claude-tombstones', 'other', 'absent'].map(read))).toEqual([
    false,
    false,
    false,
    false,
  ]);
  const index = { namespace, fieldSelector: 'metadata.name=claude-index' };
  expect(await may(pod.list(RESOURCE.ConfigMap, index, {}))).toBe(true);
  expect(await may(pod.list(RESOURCE.ConfigMap, { namespace }, {}))).toBe(false);
  expect(await may(pod.list(RESOURCE.Secret, { namespace }, {}))).toBe(false);
  expect(await may(pod.patch(RESOURCE.ConfigMap, at('claude-index'), { data: { x: 'y' } }))).toBe(false);
  expect(await may(pod.list(RESOURCE.Pod, { namespace }, {}))).toBe(false);
  expect(await may(pod.list(RESOURCE.Lease, { namespace }, {}))).toBe(false);
  const lease = { metadata: at('claude-pod'), spec: { holderIdentity: 'x' } };
  expect(await may(pod.apply(RESOURCE.Lease, lease, { fieldManager: 'x' }))).toBe(true);
});
