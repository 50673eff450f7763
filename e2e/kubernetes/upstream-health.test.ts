// An Upstream's health on a real API server: found out by pods, told through their Leases, written by the operator. Everything runs under the
// rules that are shipped.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { UPSTREAMS_ANNOTATION } from '#shared/kube/labels.ts';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import type { KubeEvent, Lease } from '#shared/kube/types.ts';
import { install, type Installation } from '../harness/kubernetes/installation.ts';
import { smallestGateway } from '../harness/kubernetes/smallest-gateway.ts';

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
  cluster = await install({ namespaces: ['other'] });
  cluster.mock.behave(({ headers }) =>
    accepts.includes(String(headers['x-api-key']))
      ? { kind: 'text' }
      : { kind: 'status', status: 401, errorType: 'authentication_error', message: 'invalid x-api-key' },
  );
  await cluster.apply(secret(BAD));
  await cluster.apply(smallestGateway(cluster.mock.url));
}, 180_000);

afterAll(() => cluster?.close());

const upstream = (name = 'anthropic') =>
  cluster.plane.admin.get<UpstreamStatus>(RESOURCE.Upstream, { namespace: cluster.namespace, name });

async function condition(type: string, name?: string) {
  const { status } = await upstream(name);
  return status?.conditions?.find((each) => each.type === type);
}

async function eventReasons(name = 'anthropic'): Promise<string[]> {
  const { items } = await cluster.plane.admin.list<KubeEvent>(RESOURCE.Event, { namespace: cluster.namespace }, {});
  return items.flatMap(({ regarding, type, reason }) =>
    regarding?.kind === 'Upstream' && regarding.name === name ? [`${type} ${reason}`] : [],
  );
}

const becomes = (type: string, expected: object | undefined, name?: string): Promise<void> =>
  vi.waitFor(async () => {
    const found = await condition(type, name);
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

/** One key, and a certificate for each number of days. */
async function certificates<const Days extends readonly number[]>(days: Days) {
  const folder = await mkdtemp(join(tmpdir(), 'ends-'));
  const [key, first, made] = ['key', 'first', 'made'].map((name) => join(folder, name)) as [string, string, string];
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  try {
    openssl('req', '-x509', ...curve, '-keyout', key, '-out', first, '-subj', '/CN=gateway');
    const pems: string[] = [];
    for (const each of days) {
      openssl('x509', '-in', first, '-signkey', key, '-days', String(each), '-out', made);
      pems.push(await readFile(made, 'utf8'));
    }
    return { key: await readFile(key, 'utf8'), pems: pems as { [At in keyof Days]: string } };
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('[PROV-25] [AUDIT-19] a client certificate and a private CA say themselves when they end', async () => {
  const { key, pems } = await certificates([5, 20, -1, 60]);
  const [soon, later, past, fresh] = pems;
  const put = (client: string, authority: string) =>
    cluster.apply(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'mtls' },
        stringData: { 'tls.crt': client, 'tls.key': key, 'ca.crt': authority },
      }),
    );
  await put(soon, later);
  await cluster.apply(`
apiVersion: portcullis.dev/v1alpha1
kind: Upstream
metadata: {name: private}
spec:
  gatewayRef: {name: claude}
  provider: Anthropic
  baseUrl: ${cluster.mock.url}
  anthropic: {auth: {type: APIKey, apiKey: {name: anthropic, key: token}}}
  tls:
    caRef: {name: mtls, key: ca.crt}
    clientCertificate: {certificateRef: {name: mtls, key: tls.crt}, keyRef: {name: mtls, key: tls.key}}
`);
  const message = expect.stringMatching(
    /^The client certificate in key tls\.crt of Secret ai\/mtls.* A CA certificate in key ca\.crt of Secret ai\/mtls/,
  );
  await becomes('CredentialExpiring', { status: 'True', reason: 'WithinSevenDays', message }, 'private');
  const end = new X509Certificate(soon).validToDate.toISOString();
  expect((await upstream('private')).status?.credentialExpiresAt).toBe(`${end.slice(0, 19)}Z`);
  expect(await cluster.operators[0]!.metrics()).toMatch(/credential_expires_seconds\{upstream="ai\/private"\} 43\d{4}/);
  expect(await condition('CredentialExpiring')).toBeUndefined();

  await put(past, later);
  await becomes('CredentialExpiring', { status: 'True', reason: 'Expired' }, 'private');
  const told = ['WithinSevenDays', 'Expired'].map((step) => `Warning CredentialExpiring${step}`);
  await vi.waitFor(async () => expect(await eventReasons('private')).toEqual(expect.arrayContaining(told)), POLL);

  await put(fresh, fresh);
  await becomes('CredentialExpiring', undefined, 'private');
  await cluster.kubectl('delete', 'upstream', 'private');
});

test('[TEN-09] the operator’s figures of objects of one name in two namespaces are kept apart', async () => {
  await cluster.apply(secret(GOOD), 'other');
  await cluster.apply(smallestGateway(cluster.mock.url, { spec: 'deployment: {replicas: 1}' }), 'other');
  const series = async (label: string): Promise<ReadonlySet<string>> => {
    const text = await cluster.operators[0]!.metrics();
    return new Set(Array.from(text.matchAll(new RegExp(`[{,]${label}="([^"]*)"`, 'g')), ([, value]) => value!));
  };
  await vi.waitFor(async () => {
    expect(await series('gateway')).toEqual(new Set(['ai/claude', 'other/claude']));
    expect(await series('upstream')).toEqual(new Set(['ai/anthropic', 'other/anthropic']));
  }, POLL);
});
