// The life of an installation in a cluster with real pods, from `helm install` to `helm uninstall`: each test goes on where the one before ended.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installClaudeCode } from '../harness/claude-cli.ts';
import { claudePod, writeClaudeImage } from '../harness/kubernetes/claude-image.ts';
import { federation } from '../harness/kubernetes/federation.ts';
import { NEXT_VERSION, type Release } from '../harness/kubernetes/release.ts';
import { callOnce } from '../harness/kubernetes/service-load.ts';
import { sharedCluster } from '../harness/kubernetes/shared-cluster.ts';
import { startMockAnthropic } from '../harness/mock-anthropic.ts';
import {
  HOME,
  KEY_SECRET,
  manifests,
  openEdge,
  openJourney,
  PLATFORM,
  PUBLIC_URL,
  SECRET_WORD,
  STREAM,
  TEAM,
  type JourneyScene,
} from './journey-scene.ts';

const cluster = await sharedCluster();
const MODEL = 'claude-opus-5-5';
const READY = ['wait', '--for=condition=Ready', '--timeout=60s'];

let scene: JourneyScene;
let release: Release;

beforeAll(async () => {
  scene = await openJourney();
  release = await scene.release();
});
afterAll(() => scene?.close());

const inPlatform = (...args: string[]): Promise<string> => scene.kubectl('-n', PLATFORM, ...args);
const inTeam = (...args: string[]): Promise<string> => scene.kubectl('-n', TEAM, ...args);
const inHome = (...args: string[]): Promise<string> => scene.kubectl('-n', HOME, ...args);
const edit = (kind: string, name: string, spec: object): Promise<string> =>
  inPlatform('patch', kind, name, '--type=merge', '-p', JSON.stringify({ spec }));
const said = (text: string): unknown => process.stdout.write(`journey: ${text}\n`);
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

test('[OPS-01] [OPS-16] [SEC-22] from charts and samples to ready, in namespaces that admit nothing but restricted pods', async () => {
  const begun = performance.now();
  await scene.helmUpgrade(release);
  const installed = performance.now();
  const { platform, team } = manifests(scene);
  await scene.apply(PLATFORM, platform);
  await scene.apply(TEAM, team);
  await inPlatform(...READY, 'pgw,pup,ppol', '--all');
  await inTeam(...READY, 'pvk/ci');
  said(`helm install ${seconds(installed - begun)}, apply → Ready ${seconds(performance.now() - installed)}`);
  const { url } = await scene.target();
  const discovery = await fetch(`${url}/.well-known/oauth-authorization-server`);
  expect(await discovery.json()).toMatchObject({ issuer: PUBLIC_URL });
  expect(await scene.call()).toMatchObject({ status: 200 });
  expect(await scene.pods()).toHaveLength(2);
});

test('[CLI-01] a pod with nothing but the lines of its key runs Claude Code, tools included', async () => {
  await openEdge(scene, cluster.machine);
  const archive = join(scene.folder, 'claude.tar');
  const executable = await installClaudeCode();
  await writeClaudeImage({ executable, authority: scene.authority, files: { 'word.txt': SECRET_WORD } }, archive);
  await cluster.loadImage(archive);
  const args = ['-p', 'Which word is in word.txt?', '--output-format', 'json', '--allowedTools', 'Bash(cat:*)'];
  await scene.apply(TEAM, [claudePod('claude-code', KEY_SECRET, executable, args)]);
  await scene.until('Claude Code ends', async () =>
    /Succeeded|Failed/.test(await inTeam('get', 'pod', 'claude-code', '-o', 'jsonpath={.status.phase}')),
  );
  const printed = await inTeam('logs', 'claude-code');
  expect(JSON.parse(printed)).toMatchObject({ result: 'I have read the word.', is_error: false, num_turns: 2 });
  const asked = scene.mock.requests.filter(({ body }) => body.includes(SECRET_WORD));
  expect(asked).not.toHaveLength(0);
});

test('[OPS-11] [OPS-31] pods are replaced one by one under load: no call fails and a stream of 20 s is complete', async () => {
  const connections = scene.provider.accepted();
  const streaming = scene.call({ stream: true });
  const report = await scene.underLoad(async () => {
    const took = await scene.replaced(() => edit('pgw', 'claude', { listen: { timeouts: { keepAlive: '70s' } } }));
    said(`pods replaced in ${seconds(took)}`);
    const { status, text } = await streaming;
    expect(status).toBe(200);
    expect(text.split('event: content_block_delta')).toHaveLength(STREAM.count + 1);
    expect(text).toContain('event: message_stop');
  });
  said(`${report.calls} calls during it, the slowest ${report.slowest} ms`);
  expect(report.failures).toEqual([]);
  expect(report.calls).toBeGreaterThan(200);
  // Four pods, a few connections each: calls share them.
  expect(scene.provider.accepted() - connections).toBeLessThan(report.calls / 4);
});

test('[OPS-11] a pod is deleted under load, and another is added and taken away: no call fails', async () => {
  const report = await scene.underLoad(async () => {
    const [victim] = await scene.pods();
    await inPlatform('delete', 'pod', victim!.metadata.name, '--wait=false');
    await inPlatform('rollout', 'status', 'deployment/claude', '--timeout=60s');
    for (const replicas of [3, 2]) {
      await edit('pgw', 'claude', { deployment: { replicas } });
      await scene.until(`${replicas} pods`, async () => (await scene.pods()).length === replicas);
      await inPlatform('rollout', 'status', 'deployment/claude', '--timeout=60s');
    }
  });
  expect(report.failures).toEqual([]);
});

test('[OPS-11] an autoscaler and a disruption budget stand for as long as they are asked for', async () => {
  const names = (): Promise<string> => inPlatform('get', 'hpa,pdb', '-o', 'name');
  const budget = 'poddisruptionbudget.policy/claude\n';
  expect(await names()).toBe(budget);
  await edit('pgw', 'claude', { deployment: { replicas: null, autoscaling: { minReplicas: 2, maxReplicas: 4 } } });
  const both = `horizontalpodautoscaler.autoscaling/claude\n${budget}`;
  await scene.until('an autoscaler', async () => (await names()) === both);
  expect(await scene.pods()).toHaveLength(2);
  await edit('pgw', 'claude', { deployment: { replicas: 2, autoscaling: null } });
  await scene.until('no autoscaler', async () => (await names()) === budget);
});

interface Judged {
  readonly metadata: { readonly generation: number };
  readonly status: { readonly conditions: readonly { readonly observedGeneration: number }[] };
}

test('[PROV-14] [PROV-27] pods exchange the token that their Gateway names', async () => {
  const audience = 'https://api.anthropic.com';
  const subject = `system:serviceaccount:${PLATFORM}:claude-portcullis-data-plane`;
  const trusting = federation(await scene.kubectl('get', '--raw', '/openid/v1/jwks'), { audience, subject });
  const mock = await startMockAnthropic({ behave: trusting.behave });
  const { port } = await scene.front('federated', mock.url);
  const tokenFile = '/var/run/secrets/portcullis/tokens/anthropic';
  const workloadIdentity = { federationRuleId: 'fdrl_1', organizationId: 'org-1', tokenFile };
  const spec = {
    gatewayRef: { name: 'claude' },
    provider: 'Anthropic',
    baseUrl: `https://${cluster.machine}:${port}`,
    anthropic: { auth: { type: 'WorkloadIdentity', workloadIdentity } },
  };
  const upstream = { apiVersion: 'portcullis.dev/v1alpha1', kind: 'Upstream', metadata: { name: 'federated' }, spec };
  const tokens = [{ name: 'anthropic', audience }];
  await scene.replaced(() => edit('pgw', 'claude', { deployment: { tokens } }));
  await scene.apply(PLATFORM, [upstream]);
  await inPlatform('wait', '--for=condition=CredentialsValid', 'pup/federated', '--timeout=60s');
  await scene.until('each pod has exchanged its own', async () => {
    const names = new Set(trusting.taken.map((claims) => claims['kubernetes.io'].pod.name));
    return (await scene.pods()).every(({ metadata }) => names.has(metadata.name));
  });
  await inPlatform('delete', 'pup', 'federated');
  await scene.replaced(() => edit('pgw', 'claude', { deployment: { tokens: null } }));
  await mock.close();
});

test('[OPS-22] the operator is deleted: calls are answered, pods come back, edits wait until it is there again', async () => {
  const report = await scene.underLoad(async () => {
    await inHome('delete', 'deployment', 'portcullis', '--cascade=foreground');
    await edit('ppol', 'everyone', { models: { deny: ['claude-opus-*'] } });
    const [victim] = await scene.pods();
    await inPlatform('delete', 'pod', victim!.metadata.name, '--wait=false');
    await inPlatform('rollout', 'status', 'deployment/claude', '--timeout=60s');
    expect(await scene.call({ model: MODEL })).toMatchObject({ status: 200 });
    const { metadata, status } = await scene.json<Judged>('-n', PLATFORM, 'get', 'ppol', 'everyone');
    for (const { observedGeneration } of status.conditions) expect(observedGeneration).toBe(metadata.generation - 1);

    await scene.helmUpgrade(release);
    await inPlatform(...READY, 'ppol/everyone');
    expect(await scene.call({ model: MODEL })).toMatchObject({ status: 400 });
    await edit('ppol', 'everyone', { models: { deny: null } });
    await inPlatform(...READY, 'ppol/everyone');
  });
  expect(report.failures).toEqual([]);
});

test('[KEY-04] [KEY-05] [KEY-06] a key is rotated under load: both values are good, and are the same key', async () => {
  const before = await scene.target();
  const report = await scene.underLoad(async (use) => {
    await inTeam('annotate', 'pvk/ci', 'portcullis.dev/rotate=1');
    await scene.until('a new value', async () => (await scene.target()).key !== before.key);
    const after = await scene.target();
    use(after.key);
    for (const { url, key } of [after, before]) {
      const headers = { authorization: `Bearer ${key}` };
      expect(await fetch(`${url}/v1/health`, { headers })).toMatchObject({ status: 200 });
      expect(await callOnce({ url, key })).toMatchObject({ status: 200 });
    }
    await inTeam(...READY, 'pvk/ci');
  });
  expect(report.failures).toEqual([]);
  const records = await scene.records();
  expect(new Set(records.map(({ key }) => key))).toEqual(new Set(['team/ci']));
  expect(new Set(records.map(({ secret }) => secret))).toEqual(new Set([undefined, 'previous']));
  expect(await callOnce({ ...before, key: `${before.key}x` })).toMatchObject({ status: 401 });
});

const images = async (): Promise<string[]> => [
  ...new Set((await scene.pods()).map(({ spec }) => spec.containers[0].image)),
];

test('[OPS-12] upgrade and rollback under load: no call fails, and the two programs may be a minor version apart', async () => {
  const next = await scene.release(NEXT_VERSION);
  const [old, young] = [release, next].map(({ repository, version }) => `${repository}:${version}`) as [string, string];
  const report = await scene.underLoad(async () => {
    await edit('pgw', 'claude', { deployment: { image: old } });
    await scene.helmUpgrade(next);
    await edit('ppol', 'everyone', { models: { deny: ['claude-opus-*'] } });
    await inPlatform(...READY, 'pgw,pup,ppol', '--all');
    expect(await images()).toEqual([old]);
    expect(await scene.call({ model: MODEL })).toMatchObject({ status: 400 });

    const took = await scene.replaced(() => edit('pgw', 'claude', { deployment: { image: null } }));
    expect(await images()).toEqual([young]);
    const back = await scene.replaced(() => scene.helm('rollback', 'portcullis', '-n', HOME, '--wait'));
    expect(await images()).toEqual([old]);
    await inPlatform(...READY, 'pgw,pup,ppol', '--all');
    said(`pods replaced in ${seconds(took)} by the next version, in ${seconds(back)} by the one before`);
  });
  expect(report.failures).toEqual([]);
});

test('[OPS-23] kubectl shows state, address, port and provider, and events tell of no trouble on the way', async () => {
  // The pods are a few seconds old, and tell of an upstream once they have tried it.
  for (const type of ['CredentialsValid', 'Reachable']) {
    await inPlatform('wait', `--for=condition=${type}`, 'pup', '--all', '--timeout=60s');
  }
  const table = (await inPlatform('get', 'pgw,pup', '-o', 'wide')).replace(/ +/g, ' ');
  expect(table).toContain('/claude https://claude.edge.svc True True True 2 1 1 1 8080 claude.ai.svc:8080 ');
  expect(table.replace(/ \w+ True 1 /, ' AGO True 1 ')).toContain(
    `/anthropic claude Anthropic 10 True True True True AGO True 1 ${scene.providerUrl} `,
  );
  const events = (await inPlatform('events', '--for', 'pgw/claude')).replace(/ +/g, ' ');
  expect(events).toContain('Normal Programmed Gateway/claude Loaded by all 2 ready replicas.');
  expect(events).not.toContain('Warning');
});

const KINDS = 'deploy,rs,pod,svc,endpointslice,sa,role,rolebinding,secret,configmap,pdb,hpa,netpol,lease';

test('[OPS-01] [OPS-22] helm uninstall takes the operator and nothing else; a Gateway takes with it what was made for it', async () => {
  const report = await scene.underLoad(async () => {
    await scene.helm('uninstall', 'portcullis', '-n', HOME, '--wait');
    await inHome('wait', '--for=delete', 'pod', '--all', '--timeout=60s');
    await scene.helm('uninstall', 'portcullis-crds', '-n', HOME, '--wait');
  });
  expect(report.failures).toEqual([]);
  const made = (): Promise<string> => inPlatform('get', KINDS, '-l', 'portcullis.dev/gateway=claude', '-o', 'name');
  expect((await made()).split('\n').length).toBeGreaterThan(12);

  await inPlatform('delete', 'pgw', 'claude', '--timeout=10s');
  await scene.until('nothing is left of it', async () => (await made()) === '');
  expect(await inPlatform('get', 'pup,ppol', '-o', 'name')).toMatch(/upstream.*anthropic\npolicy.*everyone\n/);
  expect(await inTeam('get', 'pvk/ci', `secret/${KEY_SECRET}`, '-o', 'name')).toMatch(/virtualkey.*ci\nsecret/);
  await inTeam('delete', 'pvk', 'ci', '--timeout=10s');
  await inTeam('wait', '--for=delete', `secret/${KEY_SECRET}`, '--timeout=30s');
});
