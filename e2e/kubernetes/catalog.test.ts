// A Gateway's own catalog in a cluster: the ConfigMap is watched, a defect stands in the status and takes nothing away, and a new operator
// finds what is in force.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import { call } from '../harness/kubernetes/flood.ts';
import { install, type Installation } from '../harness/kubernetes/installation.ts';
import { EVERYONE, smallestGateway } from '../harness/kubernetes/smallest-gateway.ts';

const POLL = { timeout: 30_000, interval: 100 };
const VALUE = 'catalog-0123456789-abcdefghijklmnop-QRSTUV';
const MODELS = [{ id: 'claude-opus-9', aliases: [], displayName: 'Claude Opus 9', family: 'opus' }];
let installation: Installation;

beforeAll(async () => {
  installation = await install();
  await installation.apply(manifest(installation.mock.url));
}, 120_000);

afterAll(() => installation?.close());

const configMap = (json: string): Promise<void> =>
  installation.apply(`
apiVersion: v1
kind: ConfigMap
metadata: {name: tables}
data:
  models.json: '${json}'
`);

/** Reason of the condition, with what it says. */
async function refs(): Promise<[reason: string, message: string] | undefined> {
  const at = { namespace: installation.namespace, name: 'claude' };
  const { status } = await installation.plane.admin.get<
    KubeObject & { status?: { conditions?: { type: string; reason: string; message: string }[] } }
  >(RESOURCE.Gateway, at);
  const found = status?.conditions?.find(({ type }) => type === 'ResolvedRefs');
  return found && [found.reason, found.message];
}

const reason = async (): Promise<string | undefined> => (await refs())?.[0];

async function served(model = 'claude-opus-9'): Promise<number | undefined> {
  const [pod] = installation.ready();
  return pod && (await call(pod, { value: VALUE, model })).status;
}

test('[XLAT-20] [SPEND-19] a ConfigMap is in force as it comes, and what was in force outlives a broken one and the operator', async () => {
  await expect.poll(() => served('claude-haiku-5-5'), POLL).toBe(200);
  await expect.poll(reason, POLL).toBe('RefNotFound');
  expect(await served()).toBe(400);

  await configMap(JSON.stringify(MODELS));
  await expect.poll(() => served(), POLL).toBe(200);
  await expect.poll(reason, POLL).toBe('ResolvedRefs');

  await configMap(JSON.stringify([{ ...MODELS[0], displayName: '' }]));
  await expect.poll(reason, POLL).toBe('InvalidCatalog');
  expect((await refs())![1]).toContain('ConfigMap tables: models.json.0.displayName: ');

  const [operator] = installation.operators;
  await operator!.kill('SIGTERM');
  operator!.start();
  // Something else that changes is published by the new one, with the catalog that the old one published.
  const policy = { spec: { models: { allow: ['claude-opus-*'] } } };
  await installation.plane.admin.patch(
    RESOURCE.Policy,
    { namespace: installation.namespace, name: 'everyone' },
    policy,
  );
  await expect.poll(() => served('claude-haiku-5-5'), POLL).toBe(400);
  expect(await served()).toBe(200);
  expect(await reason()).toBe('InvalidCatalog');

  await configMap(JSON.stringify([{ ...MODELS[0], id: 'claude-opus-10' }]));
  await expect.poll(() => served('claude-opus-10'), POLL).toBe(200);
  expect(await served()).toBe(400);
}, 150_000);

function manifest(upstream: string): string {
  return `
apiVersion: v1
kind: Secret
metadata: {name: values}
stringData: {token: sk-ant-first, key: ${VALUE}}
---
${smallestGateway(upstream, { spec: 'deployment: {replicas: 1}, catalog: {configMapRef: {name: tables}}', secret: 'values' })}---${EVERYONE}---
apiVersion: portcullis.dev/v1alpha1
kind: VirtualKey
metadata: {name: ci}
spec:
  gatewayRef: {name: claude}
  owner: {type: Service, name: ci}
  credential: {type: Imported, imported: {secretRef: {name: values, key: key}}}
`;
}
