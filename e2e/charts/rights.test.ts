// The shipped rights at work: the operator makes workloads under its own account and can do no more than its rules say; each pod writes the
// one Lease of its own. On a control plane of its own, because the admission policy is the cluster's.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gatewaySpec } from '#shared/api/gateway.ts';
import { isApiError, type KubeClient } from '#shared/kube/client.ts';
import { createKubeClient } from '#shared/kube/kube-client.ts';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import type { Pod } from '#shared/kube/types.ts';
import { createWorkloadWriter, type WorkloadReport } from '#operator/workloads/apply.ts';
import { renderWorkloads } from '#operator/workloads/render.ts';
import { startControlPlane, type ControlPlane } from '../harness/kubernetes/control-plane.ts';
import { CHARTS, render } from './helm.ts';

const NAMESPACE = 'ai';
const ACCOUNT = 'claude-portcullis-data-plane';
const NONE: WorkloadReport = { written: [], deleted: [], faults: [] };
const EVERYTHING = { deployment: { autoscaling: { maxReplicas: 4 } }, networkPolicy: { enabled: true } };

let plane: ControlPlane;
let operator: KubeClient;

beforeAll(async () => {
  plane = await startControlPlane();
  await apply(readFileSync(`${CHARTS}install.yaml`, 'utf8'));
  for (const name of [NAMESPACE, 'other'])
    await plane.admin.create(RESOURCE.Namespace, { metadata: { name, namespace: '' } });
  operator = await plane.clientAs('portcullis-system', 'portcullis');
  await eventually(() => plane.admin.get(RESOURCE.ServiceAccount, { namespace: NAMESPACE, name: 'default' }));
});

afterAll(async () => {
  await operator.close();
  await plane.down();
});

async function apply(manifest: string): Promise<void> {
  const { code, stderr } = await plane.kubectl(['apply', '--server-side', '-f', '-'], manifest);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

async function eventually<T>(action: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

const isAllowed = (action: Promise<unknown>): Promise<boolean> =>
  action.then(
    () => true,
    (error: unknown) => {
      if (isApiError(error, 403)) return false;
      throw error;
    },
  );

/** Makes a Gateway and its workloads, as the operator. */
async function bring(
  client: KubeClient,
  spec: Readonly<Record<string, unknown>>,
  name = 'claude',
  namespace = NAMESPACE,
  pods?: readonly string[],
) {
  const object = await eventually(() =>
    plane.admin.apply<KubeObject & { spec: unknown }>(
      RESOURCE.Gateway,
      { metadata: { name, namespace }, spec: { publicUrl: 'https://claude.corp', ...spec } } as KubeObject,
      { fieldManager: 'author' },
    ),
  );
  const gateway = { kind: 'Gateway' as const, metadata: object.metadata, spec: gatewaySpec.parse(object.spec) };
  const workloads = renderWorkloads(gateway, {
    image: 'portcullis:0.1.0',
    egress: { ports: [443], metadata: false },
    pods,
  });
  const seen = new Map<string, KubeObject>();
  for (const { type } of [...workloads.objects, ...workloads.absent.map(({ type: gone }) => ({ type: gone }))])
    for (const item of (await client.list(type, { namespace }, {})).items)
      seen.set(`${type.kind} ${item.metadata.name}`, item);
  return createWorkloadWriter(client).apply(workloads, (type, each) => seen.get(`${type.kind} ${each}`));
}

describe('the operator under its own account', () => {
  test('[SEC-22] makes, repairs and takes away workloads', async () => {
    expect(await bring(operator, EVERYTHING)).toMatchObject({ faults: [], written: { length: 8 } });
    expect(await bring(operator, EVERYTHING)).toEqual(NONE);
    await plane.admin.patch(RESOURCE.Role, { namespace: NAMESPACE, name: ACCOUNT }, { rules: [] });
    expect(await bring(operator, {})).toMatchObject({
      faults: [],
      written: [`Role ${ACCOUNT}`, 'Deployment claude'],
      deleted: ['NetworkPolicy claude', 'HorizontalPodAutoscaler claude'],
    });
  });

  test('[SEC-22] cannot give away more than it has, nor take it', async () => {
    const rules = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
    const role = { metadata: { namespace: NAMESPACE, name: 'more' }, rules };
    expect(await isAllowed(operator.create(RESOURCE.Role, role))).toBe(false);
    const binding = {
      metadata: { namespace: NAMESPACE, name: 'more' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', name: 'portcullis', namespace: 'portcullis-system' }],
    };
    expect(await isAllowed(operator.create(RESOURCE.RoleBinding, binding))).toBe(false);
    const pod = { metadata: { namespace: NAMESPACE, name: 'p' }, spec: { containers: [{ name: 'a', image: 'b' }] } };
    expect(await isAllowed(operator.create(RESOURCE.Pod, pod))).toBe(false);
    const gateway = { namespace: NAMESPACE, name: 'claude' };
    expect(await isAllowed(operator.patch(RESOURCE.Gateway, gateway, { spec: { paused: true } }))).toBe(false);
    expect(await isAllowed(operator.delete(RESOURCE.Deployment, gateway))).toBe(false);
  });

  test('[SEC-22] restricted to namespaces, has no right outside of them', async () => {
    const values = ['--set', 'watchNamespaces[0]=other', '--set', 'serviceAccount.name=narrow'];
    await apply((await render('portcullis', values)).replaceAll('name: portcullis\n', 'name: narrow\n'));
    const narrow = await plane.clientAs('portcullis-system', 'narrow');
    expect(await bring(narrow, {}, 'claude', 'other')).toMatchObject({ faults: [], written: { length: 6 } });
    expect(await isAllowed(narrow.list(RESOURCE.Secret, { namespace: 'other' }, {}))).toBe(true);
    expect(await isAllowed(narrow.list(RESOURCE.Secret, { namespace: NAMESPACE }, {}))).toBe(false);
    expect(await isAllowed(narrow.list(RESOURCE.Gateway, {}, {}))).toBe(false);
    expect(await isAllowed(narrow.list(RESOURCE.Secret, { namespace: 'portcullis-system' }, {}))).toBe(false);
    const lease = { metadata: { namespace: 'portcullis-system', name: 'portcullis-operator' }, spec: {} };
    expect(await isAllowed(narrow.create(RESOURCE.Lease, lease))).toBe(true);
  });

  test('people with the role view see the four kinds, with edit they write them', async () => {
    const can = async (role: string, verb: string): Promise<boolean> => {
      const user = `${role}er`;
      const args = ['create', 'rolebinding', user, `--clusterrole=${role}`, `--user=${user}`, '-n', NAMESPACE];
      await plane.kubectl(args);
      const { stdout } = await plane.kubectl([
        'auth',
        'can-i',
        verb,
        'virtualkeys.portcullis.dev',
        '-n',
        NAMESPACE,
        '--as',
        user,
      ]);
      return stdout.trim() === 'yes';
    };
    const answers = async (): Promise<boolean[]> =>
      Promise.all([can('view', 'list'), can('view', 'create'), can('edit', 'list'), can('edit', 'create')]);
    await eventually(async () => expect(await answers()).toEqual([true, false, true, true]));
  });
});

describe('[SEC-22] the Lease of a pod', () => {
  const lease = (name: string, gateway = 'claude') => ({
    metadata: { namespace: NAMESPACE, name, labels: { 'portcullis.dev/gateway': gateway } },
    spec: { holderIdentity: 'x', leaseDurationSeconds: 30 },
  });
  const write = (client: KubeClient, object: KubeObject) =>
    isAllowed(client.apply(RESOURCE.Lease, object, { fieldManager: 'portcullis-data-plane' }));

  /** Acts as a pod of the Gateway, with a token like the one the kubelet mounts. */
  async function asPod(name: string, namespace = NAMESPACE): Promise<KubeClient> {
    const pod = await plane.admin.create<Pod>(RESOURCE.Pod, {
      metadata: { namespace, name },
      spec: { serviceAccountName: ACCOUNT, containers: [{ name: 'gateway', image: 'x' }] },
    } as unknown as Pod);
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name, uid: pod.metadata.uid };
    const { status } = (await plane.raw.send(
      'POST',
      `/api/v1/namespaces/${namespace}/serviceaccounts/${ACCOUNT}/token`,
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { boundObjectRef },
      },
    )) as { status: { token: string } };
    const ca = readFileSync(plane.caFile, 'utf8');
    const credentials = async () => ({ tls: { ca }, authorization: `Bearer ${status.token}` });
    return createKubeClient({
      connection: { server: plane.url, namespace, credentials },
      userAgent: 'portcullis-test',
      qps: 1000,
      burst: 1000,
      now: () => performance.now(),
      random: Math.random,
    });
  }

  test('is written by that pod alone, and says its own Gateway', async () => {
    await bring(operator, {});
    const [one, two] = await Promise.all([asPod('claude-1'), asPod('claude-2')]);
    try {
      // The policy is in force about a second after it was made.
      await eventually(async () => expect(await write(one, lease('claude-claude-2'))).toBe(false));
      expect(await write(one, lease('claude-claude-1'))).toBe(true);
      expect(await write(one, lease('claude-claude-1'))).toBe(true);
      expect(await write(two, lease('claude-claude-1'))).toBe(false);
      expect(await write(two, lease('claude-claude-2', 'other'))).toBe(false);
      expect(
        await write(two, { ...lease('claude-claude-2'), metadata: { namespace: NAMESPACE, name: 'claude-claude-2' } }),
      ).toBe(false);
      expect(await write(two, lease('claude-claude-2'))).toBe(true);
      expect(await write(two, lease('portcullis-operator'))).toBe(false);
      await expect(two.apply(RESOURCE.Lease, lease('elsewhere'), { fieldManager: 'x' })).rejects.toThrow(
        'a data plane may write no Lease but claude-claude-2',
      );
    } finally {
      await Promise.all([one.close(), two.close()]);
    }
  });

  test('is written by nobody with a token that belongs to no pod', async () => {
    const stolen = await plane.clientAs(NAMESPACE, ACCOUNT);
    expect(await write(stolen, lease('claude-claude-1'))).toBe(false);
  });

  test('is no business of others: the operator and people write Leases as their roles say', async () => {
    expect(await write(plane.admin, lease('anything'))).toBe(true);
    expect(await write(operator, lease('something'))).toBe(true);
  });

  test('is among the few that the Role names where no policy may be, as pods come and go', async () => {
    // As it is where only Roles may be made.
    await plane.kubectl(['delete', 'validatingadmissionpolicybinding', 'portcullis-pod-leases']);
    const at = (object: KubeObject): KubeObject => ({
      ...object,
      metadata: { ...object.metadata, namespace: 'other' },
    });
    await eventually(() => plane.admin.get(RESOURCE.ServiceAccount, { namespace: 'other', name: 'default' }));
    await bring(operator, {}, 'claude', 'other');
    const [one, two] = await Promise.all([asPod('claude-1', 'other'), asPod('claude-2', 'other')]);
    try {
      // Nothing but the Role stands between a pod and any Lease.
      await eventually(async () => expect(await write(one, at(lease('anything')))).toBe(true));
      await bring(operator, {}, 'claude', 'other', []);
      await eventually(async () => expect(await write(one, at(lease('anything')))).toBe(false));
      expect(await write(one, at(lease('claude-claude-1')))).toBe(false);
      await bring(operator, {}, 'claude', 'other', ['claude-1']);
      await eventually(async () => expect(await write(one, at(lease('claude-claude-1')))).toBe(true));
      expect(await write(one, at(lease('claude-claude-1')))).toBe(true);
      expect(await write(two, at(lease('claude-claude-2')))).toBe(false);
      await bring(operator, {}, 'claude', 'other', ['claude-1', 'claude-2']);
      await eventually(async () => expect(await write(two, at(lease('claude-claude-2')))).toBe(true));
      // Of other programs, there or not.
      await plane.admin.apply(RESOURCE.Lease, at(lease('portcullis-operator')), { fieldManager: 'portcullis' });
      for (const name of ['anything', 'portcullis-operator', 'elsewhere', 'claude-claude-3']) {
        expect(await write(one, at(lease(name)))).toBe(false);
      }
      expect(await isAllowed(one.create(RESOURCE.Lease, at(lease('claude-claude-1-more'))))).toBe(false);
      await bring(operator, {}, 'claude', 'other', ['claude-2']);
      await eventually(async () => expect(await write(one, at(lease('claude-claude-1')))).toBe(false));
      expect(await write(two, at(lease('claude-claude-2')))).toBe(true);
    } finally {
      await Promise.all([one.close(), two.close()]);
    }
  });
});
