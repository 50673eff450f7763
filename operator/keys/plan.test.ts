// Planning at size: what rests costs nothing, and one change costs one key.
import { expect, test } from 'vitest';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import { KeyGateways, pepperId } from './gateways.ts';
import { planKeys, type KeyPlanInput } from './plan.ts';
import { FakeOperator, FakeServer, PEPPER, virtualKey } from './testing.ts';
import type { VirtualKeyObject } from './view.ts';

const NOW = Date.parse('2026-02-01T00:00:00Z');
const COUNT = 30_000;

/** One settled key and its Secret, multiplied. */
async function settled(): Promise<{
  keys: Map<string, VirtualKeyObject>;
  secrets: Map<string, KubeObject>;
  gateway: () => object;
}> {
  const server = new FakeServer();
  const operator = new FakeOperator({ server, now: () => NOW });
  server.put(RESOURCE.VirtualKey, virtualKey('k', { rotation: { every: '2160h', automatic: true } }));
  await operator.settle();
  const [key, secret] = [server.key('team/k')!, server.secret('team/k-key')!];
  const { data: _, ...metadataOnly } = secret;
  const keys = new Map<string, VirtualKeyObject>();
  const secrets = new Map<string, KubeObject>();
  for (let index = 0; index < COUNT; index++) {
    const [name, uid] = [`k${index}`, `uid-of-${index}`];
    const spec = {
      ...(key.spec as object),
      credential: { type: 'Generated', generated: { secretName: `${name}-key` } },
    };
    keys.set(`team/${name}`, { ...key, metadata: { ...key.metadata, name, uid }, spec });
    secrets.set(`team/${name}-key`, {
      ...metadataOnly,
      metadata: {
        ...secret.metadata,
        name: `${name}-key`,
        annotations: { ...secret.metadata.annotations, 'portcullis.dev/virtual-key': uid },
        ownerReferences: [{ apiVersion: 'portcullis.dev/v1alpha1', kind: 'VirtualKey', name, uid }],
      },
    });
  }
  return { keys, secrets, gateway: () => operator.object };
}

test('keys at rest cost a fraction of reading them, and a Gateway’s new status makes none of them new', async () => {
  const { keys, secrets, gateway } = await settled();
  const input = (): KeyPlanInput => ({
    virtualKeys: keys.values(),
    secrets,
    gateways: new KeyGateways([gateway() as KubeObject], new Map(), new Map([['infra/gw', PEPPER]])),
    previousUse: new Map(),
    memory: new Map(),
    now: NOW + 1,
  });
  const started = process.cpuUsage().user;
  const first = planKeys(input());
  const reading = process.cpuUsage().user - started;
  expect(first.actions).toEqual([]);
  expect(first.credentials.size).toBe(COUNT);

  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const before = process.cpuUsage().user;
    const plan = planKeys(input());
    times.push(process.cpuUsage().user - before);
    expect(plan.credentials.get('team/k7')).toBe(first.credentials.get('team/k7'));
  }
  // A tenth or less; 0.2 s for 100,000 keys. Shares, so that other work on the machine does not decide.
  expect(Math.min(...times) / reading).toBeLessThan(0.25);

  const changed = keys.get('team/k7')!;
  keys.set('team/k7', {
    ...changed,
    metadata: { ...changed.metadata, annotations: { 'portcullis.dev/rotate': 'now' } },
  });
  const plan = planKeys(input());
  expect(plan.actions).toMatchObject([{ kind: 'mint', reason: 'Annotation', key: { id: 'team/k7' } }]);
  expect(plan.credentials.get('team/k8')).toBe(first.credentials.get('team/k8'));
}, 60_000);

test('the id of a pepper tells peppers apart and is no part of one', () => {
  expect(pepperId(PEPPER)).toMatch(/^[0-9a-f]{8}$/);
  expect(Buffer.from(PEPPER.reveal()).toString('hex')).not.toContain(pepperId(PEPPER));
});
