// An operator that works in some namespaces only: it may make no admission policy, so that what the pods of a Gateway may write is in their
// Role alone, which has to follow them.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import type { Lease, Role } from '#shared/kube/types.ts';
import { install, type Installation } from '../harness/kubernetes/installation.ts';
import { smallestGateway } from '../harness/kubernetes/smallest-gateway.ts';

const POLL = { timeout: 45_000, interval: 100 };
const ACCOUNT = 'claude-portcullis-data-plane';
let cluster: Installation;

interface GatewayStatus extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[];
  };
}

const podNames = (): string[] =>
  cluster
    .ready()
    .map(({ name }) => name)
    .sort();

async function namedLeases(): Promise<string[]> {
  const { rules } = await cluster.plane.admin.get<Role>(RESOURCE.Role, { namespace: cluster.namespace, name: ACCOUNT });
  const leases = (rules ?? []).filter(({ resources }) => resources?.includes('leases'));
  expect(leases.every(({ resourceNames }) => (resourceNames?.length ?? 0) > 0)).toBe(true);
  return leases.flatMap(({ resourceNames }) => resourceNames ?? []);
}

async function programmed() {
  const { status } = await cluster.plane.admin.get<GatewayStatus>(RESOURCE.Gateway, {
    namespace: cluster.namespace,
    name: 'claude',
  });
  return status?.conditions?.find(({ type }) => type === 'Programmed')?.status;
}

async function holdsLeaseOf(pod: string): Promise<boolean> {
  const at = { namespace: cluster.namespace, name: `claude-${pod}` };
  const lease = await cluster.plane.admin.get<Lease>(RESOURCE.Lease, at).catch(() => undefined);
  return lease?.spec?.holderIdentity === pod;
}

const settled = async (): Promise<unknown> => ({
  pods: podNames().length,
  named:
    (await namedLeases()).toString() ===
    podNames()
      .map((pod) => `claude-${pod}`)
      .toString(),
  written: (await Promise.all(podNames().map(holdsLeaseOf))).every(Boolean),
  programmed: await programmed(),
});
const SETTLED = { pods: 2, named: true, written: true, programmed: 'True' };

beforeAll(async () => {
  cluster = await install({ environment: { PORTCULLIS_NAMESPACES: 'ai' } });
  // The manifest is that of the whole cluster.
  await cluster.kubectl('delete', 'validatingadmissionpolicybinding', 'portcullis-pod-leases');
  await cluster.kubectl(
    'create',
    'secret',
    'generic',
    'anthropic',
    '--from-literal=token=sk-ant-api03-0123456789abcdef',
  );
  await cluster.apply(smallestGateway(cluster.mock.url));
}, 180_000);

afterAll(() => cluster?.close());

test('[SEC-22] the Role names the Leases of the pods that there are, and the pods report through them', async () => {
  await expect.poll(settled, POLL).toEqual(SETTLED);
});

test('[SEC-22] it follows when a pod is replaced', async () => {
  const [gone] = podNames();
  await cluster.kubectl('delete', 'pod', gone!, '--wait=false');
  await expect.poll(podNames, POLL).not.toContain(gone);
  await expect.poll(settled, POLL).toEqual(SETTLED);
  expect(await namedLeases()).not.toContain(`claude-${gone}`);
});
