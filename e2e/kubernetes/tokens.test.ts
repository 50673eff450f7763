// Workload identity from a Gateway's manifest to a provider's answer: the pod has the token that `deployment.tokens` names, the provider checks
// it against the keys of the cluster, as a real one does, and calls go out with what it gives in exchange. The operator and the pods run under
// the rules they ship with.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import { federation, type Federation, type PodClaims } from '../harness/kubernetes/federation.ts';
import { install, type Installation } from '../harness/kubernetes/installation.ts';
import type { RunningPod } from '../harness/kubernetes/mini-kubelet.ts';
import { eventually } from '../harness/resources.ts';

interface UpstreamStatus extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[];
  };
}

const FOLDER = '/var/run/secrets/portcullis/tokens';
const AUDIENCE = 'https://api.anthropic.com';
const SUBJECT = 'system:serviceaccount:ai:claude-portcullis-data-plane';
const POLL = { timeout: 30_000, interval: 50 };
let cluster: Installation;
let provider: Federation;

const upstream = (name: string, tokenFile: string): string =>
  JSON.stringify({
    apiVersion: 'portcullis.dev/v1alpha1',
    kind: 'Upstream',
    metadata: { name },
    spec: {
      gatewayRef: { name: 'claude' },
      provider: 'Anthropic',
      baseUrl: cluster.mock.url,
      anthropic: {
        auth: {
          type: 'WorkloadIdentity',
          workloadIdentity: { federationRuleId: 'fdrl_1', organizationId: 'org-1', tokenFile },
        },
      },
    },
  });

const gateway = (tokens: readonly object[], replicas = 1): string =>
  JSON.stringify({
    apiVersion: 'portcullis.dev/v1alpha1',
    kind: 'Gateway',
    metadata: { name: 'claude' },
    spec: { publicUrl: 'http://localhost:8080', deployment: { replicas, drainDelay: '0s', tokens } },
  });

const ANTHROPIC = { name: 'anthropic', audience: AUDIENCE };
const AWS = { name: 'aws', audience: 'sts.amazonaws.com', expiresAfter: '10m' };
const GOOGLE = { name: 'google', audience: 'https://iam.googleapis.com/pool' };

/** The one pod, once it is ready and is not one of `others`. */
const readyPod = (...others: readonly string[]): Promise<RunningPod> =>
  eventually(() => cluster.ready().find(({ name }) => !others.includes(name)), 60_000);

const read = (pod: RunningPod, name: string): PodClaims =>
  provider.claimsOf(readFileSync(join(pod.root, FOLDER, name), 'utf8'));

async function condition(name: string, type: string) {
  const at = { namespace: cluster.namespace, name };
  const { status } = await cluster.plane.admin.get<UpstreamStatus>(RESOURCE.Upstream, at);
  return status?.conditions?.find((each) => each.type === type);
}

beforeAll(async () => {
  cluster = await install();
  const keySet = await cluster.kubectl('get', '--raw', '/openid/v1/jwks');
  provider = federation(keySet, { audience: AUDIENCE, subject: SUBJECT });
  cluster.mock.behave(provider.behave);
  await cluster.apply(gateway([ANTHROPIC, AWS]));
  // As its author writes it. A pod without any upstream is not ready.
  await cluster.apply(upstream('anthropic', `${FOLDER}/anthropic`));
  await cluster.apply(`
apiVersion: portcullis.dev/v1alpha1
kind: Policy
metadata: {name: everyone}
spec: {gatewayRef: {name: claude}, match: {everyone: {}}, models: {allow: ["claude-*"]}}
---
apiVersion: portcullis.dev/v1alpha1
kind: VirtualKey
metadata: {name: ci}
spec:
  gatewayRef: {name: claude}
  owner: {type: Service, name: ci}
  credential: {type: Generated, generated: {secretName: ci-key}}
`);
  await readyPod();
}, 180_000);

afterAll(() => cluster?.close());

test('[PROV-14] [PROV-27] each entry is a token of the pod alone, for its audience and its time', async () => {
  const pod = await readyPod();
  for (const [{ name, audience }, seconds] of [
    [ANTHROPIC, 3_600],
    [AWS, 600],
  ] as const) {
    const claims = read(pod, name);
    expect(claims).toMatchObject({
      aud: [audience],
      sub: SUBJECT,
      'kubernetes.io': { namespace: 'ai', pod: { name: pod.name } },
    });
    expect(claims.exp - claims.iat).toBe(seconds);
  }
});

test('[PROV-14] the token is exchanged, and calls go out with what came back', async () => {
  const pod = await readyPod();
  // The pod is a process of this machine: its folder stands for `/`.
  await cluster.apply(upstream('anthropic', join(pod.root, FOLDER, 'anthropic')));
  await expect.poll(() => condition('anthropic', 'CredentialsValid'), POLL).toMatchObject({ status: 'True' });
  expect(provider.taken.map((claims) => claims['kubernetes.io'].pod.name)).toEqual([pod.name]);

  await expect.poll(() => cluster.secret('ci-key', 'token'), POLL).toBeDefined();
  const value = (await cluster.secret('ci-key', 'token'))!;
  const call = () =>
    fetch(`http://${pod.address}:8080/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': value, 'anthropic-version': '2023-06-01' },
      body: JSON.stringify({
        model: 'claude-haiku-5-5',
        max_tokens: 8,
        messages: [{ role: 'user', content: 'hello' }],
      }),
    });
  await expect.poll(async () => (await call()).status, POLL).toBe(200);
  const answer = (await (await call()).json()) as { content: unknown };
  expect(answer.content).toEqual([{ type: 'text', text: 'by exchange' }]);
  const sent = cluster.mock.requests.findLast(({ url }) => url.startsWith('/v1/messages'))!;
  expect(sent.headers).toMatchObject({ authorization: `Bearer ${provider.access}` });
  expect(sent.headers).not.toHaveProperty('x-api-key');
  // One exchange for probe and calls.
  expect(provider.taken).toHaveLength(1);
});

test('[PROV-14] [PROV-27] a token for another audience is refused by the provider, and the status says so', async () => {
  const pod = await readyPod();
  await cluster.apply(upstream('wrong-audience', join(pod.root, FOLDER, 'aws')));
  await expect.poll(() => condition('wrong-audience', 'CredentialsValid'), POLL).toMatchObject({ status: 'False' });
  await cluster.kubectl('delete', 'upstream', 'wrong-audience');
});

test('[PROV-27] a file without an entry is told at the Upstream, and the entry makes pods that have it', async () => {
  const pod = await readyPod();
  await cluster.apply(upstream('google', `${FOLDER}/google`));
  await expect
    .poll(() => condition('google', 'ResolvedRefs'), POLL)
    .toMatchObject({ status: 'False', message: expect.stringContaining('add {name: google, ') as unknown });
  await cluster.apply(gateway([ANTHROPIC, AWS, GOOGLE]));
  await expect.poll(() => condition('google', 'ResolvedRefs'), POLL).toMatchObject({ status: 'True' });
  const next = await readyPod(pod.name);
  expect(read(next, 'google').aud).toEqual([GOOGLE.audience]);
  expect(read(next, 'anthropic')['kubernetes.io'].pod.name).toBe(next.name);
});

test('[OPS-12] the same tokens in another order and in other words replace no pod', async () => {
  const deployment = (path: string) => cluster.kubectl('get', 'deployment', 'claude', '-o', `jsonpath={${path}}`);
  const before = await deployment('.spec.template');
  await cluster.apply(gateway([GOOGLE, { ...AWS, expiresAfter: '600s' }, ANTHROPIC], 2));
  await expect.poll(() => deployment('.spec.replicas'), POLL).toBe('2');
  expect(await deployment('.spec.template')).toBe(before);
});

test('kubectl explain says where a token lies and shows one', async () => {
  const text = await cluster.kubectl('explain', 'gateways.spec.deployment.tokens');
  const words = text.replaceAll(/\s+/g, ' ');
  expect(words).toContain(`a file at ${FOLDER}/<name>`);
  expect(words).toContain(
    `{name: aws, audience: sts.amazonaws.com} is what tokenFile: ${FOLDER}/aws of an Upstream reads`,
  );
});
