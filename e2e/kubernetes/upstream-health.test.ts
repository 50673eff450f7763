// An Upstream's health on a real API server: found out by pods, told through their Leases, written by the operator. Everything runs under the
// rules that are shipped.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { UPSTREAMS_ANNOTATION } from '#shared/kube/labels.ts';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import type { KubeEvent, Lease } from '#shared/kube/types.ts';
import { install, type Installation } from '../harness/kubernetes/installation.ts';

interface UpstreamStatus extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
      readonly observedGeneration?: number;
    }[];
    readonly lastProbeTime?: string;
    readonly credentialExpiresAt?: string;
  };
}

const GOOD = 'sk-ant-api03-good-0123456789abcdef';
const BAD = 'sk-ant-api03-bad-0123456789abcdef';
const POLL = { timeout: 30_000, interval: 50 };
let cluster: Installation;
let accepts: readonly string[] = [GOOD];

const secret = (token: string, annotations: object = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'anthropic', annotations },
    stringData: { token },
  });

beforeAll(async () => {
  cluster = await install();
  cluster.mock.behave(({ headers }) =>
    accepts.includes(String(headers['x-api-key']))
      ? { kind: 'text' }
      : { kind: 'status', status: 401, errorType: 'authentication_error', message: 'invalid x-api-key' },
  );
  await cluster.apply(secret(BAD));
  await cluster.apply(`
apiVersion: portcullis.dev/v1alpha1
kind: Gateway
metadata: {name: claude}
spec: {publicUrl: "http://localhost:8080", deployment: {replicas: 2}}
---
apiVersion: portcullis.dev/v1alpha1
kind: Upstream
metadata: {name: anthropic}
spec:
  gatewayRef: {name: claude}
  provider: Anthropic
  baseUrl: ${cluster.mock.url}
  anthropic: {auth: {type: APIKey, apiKey: {name: anthropic, key: token}}}
`);
}, 180_000);

afterAll(() => cluster?.close());

const upstream = () =>
  cluster.plane.admin.get<UpstreamStatus>(RESOURCE.Upstream, { namespace: cluster.namespace, name: 'anthropic' });

async function condition(type: string) {
  const { status } = await upstream();
  return status?.conditions?.find((each) => each.type === type);
}

async function eventReasons(): Promise<string[]> {
  const { items } = await cluster.plane.admin.list<KubeEvent>(RESOURCE.Event, { namespace: cluster.namespace }, {});
  return items.flatMap(({ regarding, type, reason }) => (regarding?.kind === 'Upstream' ? [`${type} ${reason}`] : []));
}

const becomes = (type: string, expected: object | undefined): Promise<void> =>
  vi.waitFor(async () => {
    const found = await condition(type);
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(expected);
  }, POLL);

test('[PROV-17] [OPS-23] a bad key shows before there is any traffic, and Ready says so', async () => {
  await becomes('CredentialsValid', { status: 'False', reason: 'BadCredential', observedGeneration: 1 });
  await becomes('Ready', { status: 'False', reason: 'BadCredential' });
  await becomes('Reachable', { status: 'True' });
  await vi.waitFor(async () => expect(await eventReasons()).toContain('Warning BadCredential'), POLL);
  expect((await upstream()).status?.lastProbeTime).toMatch(/^2.*Z$/);
  expect(cluster.mock.requests.every(({ method }) => method === 'GET')).toBe(true);
  const [header, row] = (await cluster.kubectl('get', 'upstreams')).trim().split('\n');
  expect(header).toMatch(/PROVIDER .*CREDENTIALS +LAST PROBE/);
  expect(row).toMatch(/Anthropic .*False/);
});

test('[PROV-16] [PROV-17] within 30 s of the Secret’s correction it is True, with an Event', async () => {
  const names = (): string[] => cluster.ready().map(({ name }) => name);
  await vi.waitFor(() => expect(names()).toHaveLength(2), POLL);
  const before = names();
  await cluster.apply(secret(GOOD));
  await becomes('CredentialsValid', { status: 'True', reason: 'Valid' });
  await becomes('Ready', { status: 'True' });
  await vi.waitFor(async () => expect(await eventReasons()).toContain('Normal Valid'), POLL);
  expect(names()).toEqual(before);
});

test('[PROV-17] an annotation asks for a look now', async () => {
  accepts = [];
  await cluster.kubectl('annotate', 'upstream', 'anthropic', 'portcullis.dev/probe=1');
  await becomes('CredentialsValid', { status: 'False', reason: 'BadCredential' });
  accepts = [GOOD];
  await cluster.kubectl('annotate', '--overwrite', 'upstream', 'anthropic', 'portcullis.dev/probe=2');
  await becomes('CredentialsValid', { status: 'True' });
});

test('[PROV-25] an end that is written at the Secret is told ahead', async () => {
  const soon = new Date(Date.now() + 3 * 86_400_000).toISOString();
  await cluster.kubectl('annotate', 'secret', 'anthropic', `portcullis.dev/expires-at=${soon}`);
  await becomes('CredentialExpiring', { status: 'True', reason: 'WithinSevenDays' });
  await vi.waitFor(
    async () => expect(await eventReasons()).toContain('Warning CredentialExpiringWithinSevenDays'),
    POLL,
  );
  expect((await upstream()).status?.credentialExpiresAt).toBe(`${soon.slice(0, 19)}Z`);
  await cluster.kubectl('annotate', 'secret', 'anthropic', 'portcullis.dev/expires-at-');
  await becomes('CredentialExpiring', undefined);
});

test('[PROV-24] the age of the content counts, not that of the Secret’s labels', async () => {
  const age = async (): Promise<number> => {
    const line = /credential_age_seconds\{upstream="ai\/anthropic"\} (\S+)/.exec(await cluster.operators[0]!.metrics());
    return Number(line?.[1]);
  };
  const before = await age();
  expect(before).toBeLessThan(120);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await cluster.kubectl('label', 'secret', 'anthropic', 'team=ai');
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await age()).toBeGreaterThan(before + 1);
  await cluster.apply(secret('sk-ant-api03-third-0123456789abcdef'));
  await vi.waitFor(async () => expect(await age()).toBeLessThan(before + 1), POLL);
});

test('[PROV-17] a Lease is not renewed more often for what does not change, and says it in a few bytes', async () => {
  accepts = [GOOD, 'sk-ant-api03-third-0123456789abcdef'];
  await becomes('CredentialsValid', { status: 'True' });
  const leases = async () => {
    const { items } = await cluster.plane.admin.list<Lease>(RESOURCE.Lease, { namespace: cluster.namespace }, {});
    return items.flatMap(({ metadata }) => metadata.annotations?.[UPSTREAMS_ANNOTATION] ?? []);
  };
  const [before, version] = [await leases(), (await upstream()).metadata.resourceVersion];
  expect(before).toHaveLength(2);
  for (const text of before) expect(text.length).toBeLessThan(200);
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  expect(await leases()).toEqual(before);
  expect((await upstream()).metadata.resourceVersion).toBe(version);
});
