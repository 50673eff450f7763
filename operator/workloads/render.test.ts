import { describe, expect, test } from 'vitest';
import { role } from './access.ts';
import { indexName } from '#shared/bundle/publication.ts';
import type { Bundle } from '#shared/bundle/bundle.ts';
import { egressOf } from './network-policy.ts';
import { LISTENER_ANNOTATION } from './pod.ts';
import { renderWorkloads } from './render.ts';
import { serviceAddress } from './service.ts';
import { gatewayOf, OPTIONS, rendered } from './testing.ts';

type Spec = Readonly<Record<string, unknown>>;
const podOf = (spec: Spec = {}, options = OPTIONS) => rendered(spec, options).Deployment.spec!.template.spec!;
const containerOf = (spec: Spec = {}, options = OPTIONS) => podOf(spec, options).containers[0]!;

describe('every object', () => {
  const everything = gatewayOf(
    { deployment: { autoscaling: { maxReplicas: 4 } }, networkPolicy: { enabled: true } },
    { labels: { 'argocd.argoproj.io/instance': 'platform', team: 'ai' } },
  );
  const { objects, absent } = renderWorkloads(everything, OPTIONS);

  test('has fixed names, our labels, nothing of the labels of the Gateway, and the Gateway as its owner', () => {
    expect(absent).toEqual([]);
    expect(objects.map(({ type, object }) => `${type.kind} ${object.metadata.name}`)).toEqual([
      'ServiceAccount claude-portcullis-data-plane',
      'Role claude-portcullis-data-plane',
      'RoleBinding claude-portcullis-data-plane',
      'NetworkPolicy claude',
      'Service claude',
      'PodDisruptionBudget claude',
      'Deployment claude',
      'HorizontalPodAutoscaler claude',
    ]);
    for (const { type, object } of objects) {
      expect(object).toMatchObject({ kind: type.kind });
      expect(object.metadata).toEqual({
        name: object.metadata.name,
        namespace: 'ai',
        labels: {
          'app.kubernetes.io/managed-by': 'portcullis',
          'portcullis.dev/gateway': 'claude',
          'portcullis.dev/role': 'data-plane',
        },
        ownerReferences: [
          {
            apiVersion: 'portcullis.dev/v1alpha1',
            kind: 'Gateway',
            name: 'claude',
            uid: 'uid-1',
            controller: true,
          },
        ],
      });
    }
  });

  test('a Gateway without uid cannot own anything', () => {
    const { uid: _, ...metadata } = everything.metadata;
    expect(() => renderWorkloads({ ...everything, metadata }, OPTIONS)).toThrow('Gateway ai/claude has no uid');
  });

  test('what the Gateway does not ask for is named as absent', () => {
    const plain = renderWorkloads(gatewayOf(), OPTIONS);
    expect(plain.absent.map(({ type, name }) => `${type.kind} ${name}`)).toEqual([
      'NetworkPolicy claude',
      'HorizontalPodAutoscaler claude',
    ]);
  });
});

describe('pod', () => {
  test('[SEC-22] runs without rights: restricted profile, read-only root, one writable folder', () => {
    const pod = podOf();
    expect(pod.securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      fsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(pod.containers).toHaveLength(1);
    expect(containerOf().securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(containerOf().volumeMounts).toEqual([
      { name: 'config', mountPath: '/etc/portcullis/config', readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
    ]);
  });

  test('says who it is through the environment', () => {
    const { env, args } = containerOf();
    expect(args).toEqual(['serve']);
    const fields = env!.map(({ name, value, valueFrom }) => [name, value ?? valueFrom?.fieldRef?.fieldPath]);
    expect(Object.fromEntries(fields)).toEqual({
      PORTCULLIS_GATEWAY: 'claude',
      PORTCULLIS_LISTEN_HOST: '::',
      NODE_OPTIONS: '--max-old-space-size=614',
      POD_NAME: 'metadata.name',
      POD_NAMESPACE: 'metadata.namespace',
      POD_UID: 'metadata.uid',
    });
  });

  test.each([
    ['256Mi', 153],
    ['4Gi', 2457],
    ['2G', 1144],
  ])('of %s memory the heap takes %d MiB', (memory, heap) => {
    const { env } = containerOf({ deployment: { resources: { limits: { memory } } } });
    expect(env).toContainEqual({ name: 'NODE_OPTIONS', value: `--max-old-space-size=${heap}` });
  });

  test('mounts every object that may ever hold a part, in both slots, and needs none of them', () => {
    const { sources } = podOf().volumes!.find(({ name }) => name === 'config')!.projected!;
    const paths = sources!.map(({ configMap, secret }) => {
      const { name, optional, items } = (configMap ?? secret)!;
      expect(optional).toBe(true);
      expect(items![0]!.path).toBe(`${name}/${items![0]!.key}`);
      return `${configMap === undefined ? 'Secret' : 'ConfigMap'} ${items![0]!.path}`;
    });
    expect(paths).toHaveLength(1 + 2 * 34);
    expect(paths).toEqual(
      expect.arrayContaining([
        'ConfigMap claude-index/index.json',
        'ConfigMap claude-bundle-b/part.json.gz',
        'Secret claude-credentials-a/part.json.gz',
        'Secret claude-keys-31-b/part.json.gz',
      ]),
    );
  });

  test('[OPS-11] is probed on its own port, waits for load balancers and then lets streams end', () => {
    const { startupProbe, readinessProbe, livenessProbe, lifecycle } = containerOf();
    expect([startupProbe, readinessProbe, livenessProbe].map((probe) => probe?.httpGet)).toEqual([
      { path: '/healthz', port: 'http' },
      { path: '/readyz', port: 'http' },
      { path: '/healthz', port: 'http' },
    ]);
    expect(lifecycle).toEqual({ preStop: { sleep: { seconds: 10 } } });
    expect(podOf().terminationGracePeriodSeconds).toBe(10 + 600 + 20);
  });

  test.each([
    [{}, '0s', 600, undefined],
    [{ drain: '1h' }, '1500ms', 3600, 2],
    [{ drain: '24h' }, '5m', 86_400, 300],
  ])('[OPS-11] %j and a pause of %s fit into the grace period', (timeouts, drainDelay, drain, pause) => {
    const spec = { listen: { timeouts }, deployment: { drainDelay } };
    expect(containerOf(spec).lifecycle?.preStop?.sleep?.seconds).toBe(pause);
    expect(podOf(spec).terminationGracePeriodSeconds).toBeGreaterThan(drain + (pause ?? 0));
  });

  test('[OPS-11] spreads over zones and nodes, each version on its own', () => {
    expect(podOf().topologySpreadConstraints).toEqual(
      ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map((topologyKey) => ({
        topologyKey,
        maxSkew: 1,
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: { 'portcullis.dev/gateway': 'claude', 'portcullis.dev/role': 'data-plane' } },
        matchLabelKeys: ['pod-template-hash'],
      })),
    );
  });

  test.each([
    [{ listen: { port: 443 } }, true],
    [{ metrics: { port: 1023 } }, true],
    [{ listen: { port: 1024 } }, false],
  ])('may listen on %j', (spec, lowered) => {
    const { sysctls } = podOf(spec).securityContext!;
    expect(sysctls).toEqual(lowered ? [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] : undefined);
  });

  test('[OPS-25] takes the image of its Gateway before that of the operator', () => {
    expect(containerOf().image).toBe(OPTIONS.image);
    expect(containerOf({}, { ...OPTIONS, imagePullPolicy: 'Never' }).imagePullPolicy).toBe('Never');
    const pinned = containerOf(
      { deployment: { image: 'registry.corp/portcullis:0.2.0-rc.1', imagePullPolicy: 'Always' } },
      { ...OPTIONS, imagePullPolicy: 'Never' },
    );
    expect([pinned.image, pinned.imagePullPolicy]).toEqual(['registry.corp/portcullis:0.2.0-rc.1', 'Always']);
  });

  test('takes what podTemplate adds, and keeps the labels it is found by', () => {
    const podTemplate = {
      labels: { team: 'ai' },
      annotations: { 'sidecar.istio.io/inject': 'false' },
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ key: 'dedicated', value: 'ai' }],
      priorityClassName: 'platform',
      runtimeClassName: 'gvisor',
      imagePullSecrets: ['b', 'a'],
    };
    const { metadata, spec } = rendered({ deployment: { podTemplate } }).Deployment.spec!.template;
    expect(metadata!.labels).toEqual({
      team: 'ai',
      'app.kubernetes.io/managed-by': 'portcullis',
      'portcullis.dev/gateway': 'claude',
      'portcullis.dev/role': 'data-plane',
    });
    expect(metadata!.annotations).toMatchObject({ 'sidecar.istio.io/inject': 'false' });
    expect(spec).toMatchObject({
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ key: 'dedicated', operator: 'Equal', value: 'ai' }],
      priorityClassName: 'platform',
      runtimeClassName: 'gvisor',
      imagePullSecrets: [{ name: 'a' }, { name: 'b' }],
    });
  });
});

describe('[OPS-12] what replaces the pods', () => {
  const template = (spec: Spec) => JSON.stringify(rendered(spec).Deployment.spec!.template);
  const listener = (spec: Spec) => rendered(spec).Deployment.spec!.template.metadata!.annotations![LISTENER_ANNOTATION];

  test.each<Spec>([
    { listen: { port: 8081 } },
    { metrics: { port: 9091 } },
    { publicUrl: 'https://other.corp' },
    { listen: { limits: { maxHeaderBytes: '128Ki' } } },
    { listen: { timeouts: { keepAlive: '60s' } } },
  ])('%j: a process cannot take it over', (spec) => {
    expect(listener(spec)).not.toBe(listener({}));
  });

  test.each<Spec>([
    { paused: true },
    { environment: 'prod' },
    { defaultAccess: 'Allow' },
    { logging: { level: 'debug' } },
    { publicUrl: 'https://claude.corp/' },
    { listen: { trustedProxies: ['10.0.0.0/8'], limits: { maxBodyBytes: '1Mi' }, timeouts: { keepAlive: '1m15s' } } },
    { proxy: { url: 'http://proxy.corp:3128' } },
    { networkPolicy: { enabled: true } },
    { deployment: { replicas: 5, disruption: { maxUnavailable: 2 }, service: { type: 'LoadBalancer' } } },
  ])('%j: nothing', (spec) => {
    expect(template(spec)).toBe(template({}));
  });
});

describe('rights', () => {
  const { Role, RoleBinding, ServiceAccount } = rendered({
    deployment: { serviceAccount: { annotations: { 'eks.amazonaws.com/role-arn': 'arn:x' } } },
  });

  test('[SEC-22] are exact names, read only, but for Leases', () => {
    const [index, configMaps, secrets, leases, ...others] = Role.rules!;
    expect(others).toEqual([]);
    expect(index).toEqual({
      apiGroups: [''],
      resources: ['configmaps'],
      resourceNames: [indexName('claude')],
      verbs: ['get', 'list', 'watch'],
    });
    expect(configMaps).toEqual({
      apiGroups: [''],
      resources: ['configmaps'],
      resourceNames: ['claude-bundle-a', 'claude-bundle-b'],
      verbs: ['get'],
    });
    expect(secrets).toMatchObject({ resources: ['secrets'], verbs: ['get'] });
    expect(secrets!.resourceNames).toHaveLength(2 * 33);
    expect(secrets!.resourceNames!.every((name) => /^claude-(credentials|keys-\d\d)-[ab]$/.test(name))).toBe(true);
    expect(leases).toEqual({ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'patch'] });
  });

  test.each([
    [['p1', 'p2'], [{ resourceNames: ['claude-p1', 'claude-p2'] }]],
    // A rule without names would be one for all.
    [[], []],
  ])('[SEC-22] where no policy narrows them name the Leases of the pods %j', (pods, expected) => {
    const { rules } = role({ name: 'claude', namespace: 'ai', uid: 'u' }, pods);
    expect(rules!.filter(({ resources }) => resources?.includes('leases'))).toEqual(
      expected.map((named) => ({
        apiGroups: ['coordination.k8s.io'],
        resources: ['leases'],
        verbs: ['create', 'patch'],
        ...named,
      })),
    );
  });

  test('belong to the one account, which carries the annotations of the cloud', () => {
    const name = 'claude-portcullis-data-plane';
    expect(RoleBinding.roleRef).toEqual({ apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name });
    expect(RoleBinding.subjects).toEqual([{ kind: 'ServiceAccount', name, namespace: 'ai' }]);
    expect(ServiceAccount.metadata.annotations).toEqual({ 'eks.amazonaws.com/role-arn': 'arn:x' });
    expect(ServiceAccount.automountServiceAccountToken).toBe(false);
    expect(podOf().serviceAccountName).toBe(name);
  });
});

describe('Service', () => {
  test('has the port of the listener, or its own', () => {
    expect(rendered({ listen: { port: 9000 } }).Service.spec!.ports).toEqual([
      { name: 'http', port: 9000, targetPort: 'http', protocol: 'TCP', appProtocol: 'http' },
    ]);
    const own = { deployment: { service: { port: 80 } } };
    expect(rendered(own).Service.spec!.ports![0]!.port).toBe(80);
    expect(serviceAddress(gatewayOf(own))).toBe('claude.ai.svc:80');
    expect(serviceAddress(gatewayOf())).toBe('claude.ai.svc:8080');
  });

  test('is what the platform team wants of a load balancer', () => {
    const annotations = { 'service.beta.kubernetes.io/aws-load-balancer-internal': 'true' };
    const { metadata, spec } = rendered({
      deployment: {
        service: {
          type: 'LoadBalancer',
          annotations,
          externalTrafficPolicy: 'Local',
          sourceRanges: ['10.0.0.0/8', '10.0.0.0/16'],
        },
      },
    }).Service;
    expect(metadata.annotations).toEqual(annotations);
    expect(spec).toMatchObject({
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      loadBalancerSourceRanges: ['10.0.0.0/16', '10.0.0.0/8'],
    });
  });

  test('[ROUTE-21] [ERR-10] a paused Gateway keeps its Service and its pods as they are', () => {
    expect(renderWorkloads(gatewayOf({ paused: true }), OPTIONS)).toEqual(renderWorkloads(gatewayOf(), OPTIONS));
  });
});

describe('[OPS-11] number of replicas', () => {
  test('is two, or what is asked for', () => {
    expect(rendered().Deployment.spec!.replicas).toBe(2);
    expect(rendered({ deployment: { replicas: 7 } }).Deployment.spec!.replicas).toBe(7);
    expect(rendered().Deployment.spec!.strategy).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' },
    });
  });

  test('is left to the autoscaler where there is one', () => {
    const autoscaling = { minReplicas: 3, maxReplicas: 9, targetMemoryUtilization: 80, scaleDownStabilization: '90s' };
    const { Deployment, HorizontalPodAutoscaler } = rendered({ deployment: { autoscaling } });
    expect(Deployment.spec).not.toHaveProperty('replicas');
    expect(HorizontalPodAutoscaler!.spec).toEqual({
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'claude' },
      minReplicas: 3,
      maxReplicas: 9,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } },
        { type: 'Resource', resource: { name: 'memory', target: { type: 'Utilization', averageUtilization: 80 } } },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 90 } },
    });
  });

  test('is guarded while nodes are drained', () => {
    expect(rendered({ deployment: { disruption: { maxUnavailable: 2 } } }).PodDisruptionBudget.spec).toEqual({
      maxUnavailable: 2,
      selector: { matchLabels: { 'portcullis.dev/gateway': 'claude', 'portcullis.dev/role': 'data-plane' } },
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    });
  });
});

describe('[SEC-17] NetworkPolicy', () => {
  const policyOf = (networkPolicy: Spec, ports: readonly number[] = [443]) =>
    rendered({ networkPolicy: { enabled: true, ...networkPolicy } }, { ...OPTIONS, egress: { ports, metadata: false } })
      .NetworkPolicy!.spec!;
  const tcp = (...ports: (number | string)[]) => ports.map((port) => ({ protocol: 'TCP', port }));
  const dns = { ports: [...[53, 5353].map((port) => ({ protocol: 'UDP', port })), ...tcp(53, 5353)] };
  const apiServer = { ports: tcp(443, 6443) };

  test('opens the client port to all, the metrics port to nobody, and nothing but DNS, API server and upstreams', () => {
    expect(policyOf({}, [443, 8443])).toEqual({
      podSelector: { matchLabels: { 'portcullis.dev/gateway': 'claude', 'portcullis.dev/role': 'data-plane' } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ports: tcp('http') }],
      egress: [dns, apiServer, { ports: tcp(443, 8443) }],
    });
  });

  test('names who may come and where calls may go', () => {
    const ingress = {
      podSelector: { matchLabels: { app: 'ingress' } },
      namespaceSelector: { matchLabels: { n: 'i' } },
    };
    const scraper = { namespaceSelector: { matchLabels: { n: 'monitoring' } } };
    const spec = policyOf({
      ingress: { clients: [ingress, { cidr: '10.0.0.0/8' }], metrics: [scraper] },
      egress: { to: [{ cidr: '203.0.113.0/24' }], ports: [9443, 443] },
    });
    expect(spec.ingress).toEqual([
      { ports: tcp('http'), from: [ingress, { ipBlock: { cidr: '10.0.0.0/8' } }] },
      { ports: tcp('metrics'), from: [scraper] },
    ]);
    expect(spec.egress!.at(-1)).toEqual({ ports: tcp(443, 9443), to: [{ ipBlock: { cidr: '203.0.113.0/24' } }] });
  });

  test('without upstreams no port is opened for them', () => {
    expect(policyOf({}, []).egress).toEqual([dns, apiServer]);
  });

  test('knows the ports of upstreams and proxy from what is published', () => {
    const bundle = (urls: readonly string[], proxy?: string) =>
      ({
        gateway: proxy === undefined ? {} : { proxy: { url: proxy, noProxy: [] } },
        upstreams: urls.map((baseUrl) => ({ baseUrl, credential: { type: 'Headers' } })),
      }) as unknown as Bundle;
    expect(egressOf(bundle(['https://a', 'http://b/x', 'https://c:8443', 'https://d'], 'http://p:3128')).ports).toEqual(
      [80, 443, 3128, 8443],
    );
    expect(egressOf(bundle([]))).toEqual({ ports: [], metadata: false });
  });

  test.each([
    [{ type: 'AWS', identity: { type: 'Default' } }, true],
    [{ type: 'Google', identity: { type: 'Default' } }, true],
    [{ type: 'Entra', identity: { type: 'ManagedIdentity' } }, true],
    [{ type: 'AWS', identity: { type: 'WebIdentity' } }, false],
    [{ type: 'Fixed', header: 'x-api-key' }, false],
  ])('[PROV-06] %j: metadata servers are reached: %s, and nothing else on their ports', (credential, metadata) => {
    const upstreams = [{ baseUrl: 'https://a', credential }];
    const egress = egressOf({ gateway: {}, upstreams } as unknown as Bundle);
    expect(egress).toEqual({ ports: [443], metadata });
    const rules = rendered({ networkPolicy: { enabled: true } }, { ...OPTIONS, egress }).NetworkPolicy!.spec!.egress!;
    const opened = rules.filter(({ ports = [] }) => ports.some(({ port }) => port === 80));
    expect(opened).toHaveLength(metadata ? 1 : 0);
    expect(opened.flatMap(({ to = [] }) => to.map(({ ipBlock }) => ipBlock?.cidr)).includes('169.254.169.254/32')).toBe(
      metadata,
    );
    expect(opened.every(({ to = [] }) => to.length > 0)).toBe(true);
  });
});

test('[TEN-19] two environments differ in nothing but names, owners and what their templates say', () => {
  const of = (name: string, environment: string) =>
    renderWorkloads(gatewayOf({ environment }, { name, uid: name }), OPTIONS).objects;
  const [dev, prod] = [of('dev', 'dev'), of('prod', 'prod')].map((objects) => JSON.stringify(objects));
  expect(dev!.replaceAll('dev-', 'prod-').replaceAll('"dev"', '"prod"')).toBe(prod);
  const names = (objects: ReturnType<typeof of>) =>
    objects.map(({ type, object }) => `${type.kind} ${object.metadata.name}`);
  expect(names(of('dev', 'dev')).filter((name) => names(of('prod', 'prod')).includes(name))).toEqual([]);
});
