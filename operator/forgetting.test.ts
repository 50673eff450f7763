// What a long life leaves behind: memory of what is gone must not stay, however many names come and go.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { compile } from '#shared/compile/compile.ts';
import { builtinCatalog } from '#shared/catalog/catalog.ts';
import { CompileMemo } from '#shared/compile/memo.ts';
import { inputOf } from '#shared/compile/testing.ts';
import type { KubeClient } from '#shared/kube/client.ts';
import { KeyMinter } from './keys/mint.ts';
import { OperatorMetrics } from './metrics.ts';
import type { Compiled } from './reconcile/compiled.ts';
import { GatewayServing, type GatewayServingOptions } from './reconcile/gateway-serving.ts';
import { Judgements } from './reconcile/judgements.ts';
import { ProgrammedTracker } from './status/programmed.ts';
import { lease, pod } from './status/testing.ts';
import { createWorkloadWriter } from './workloads/apply.ts';
import { gatewayOf, OPTIONS } from './workloads/testing.ts';
import { renderWorkloads } from './workloads/render.ts';
import type { CustomObject } from './world/world.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function held(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/** Bytes that stay of each name after the first ones, which fill what is bounded. */
async function bytesPerName(names: number, come: (name: string) => unknown, first = names): Promise<number> {
  for (let i = 0; i < first; i++) await come(`first-${i}`);
  const before = held();
  for (let i = 0; i < names; i++) await come(`name-${i}`);
  return (held() - before) / names;
}

const keyOf = (name: string): CustomObject => ({
  kind: 'VirtualKey',
  metadata: { namespace: 'p', name: 'key', uid: name, generation: 1 },
  spec: {
    gatewayRef: { name },
    owner: { type: 'Service', name: 'key' },
    credential: { type: 'Imported', imported: { secretRef: { name: 's', key: 'key' } } },
  },
});

test('a key that names a Gateway which nobody has leaves nothing behind in the compile step', async () => {
  const memo = new CompileMemo();
  const judgements = new Judgements();
  const come = (name: string) => judgements.take(compile(inputOf([keyOf(name)]), builtinCatalog.models, memo));
  expect(await bytesPerName(20_000, come)).toBeLessThan(40);
});

test('a Gateway that is gone leaves nothing behind with the minter', async () => {
  const minter = new KeyMinter({
    client: {} as KubeClient,
    now: () => 0,
    randomBytes: (count) => new Uint8Array(count),
    log: { info: () => undefined, warn: () => undefined },
    onChange: () => undefined,
  });
  const come = (name: string): void => {
    minter.reached(`p/${name}`, 1);
    minter.forgetGateway(`p/${name}`);
  };
  expect(await bytesPerName(20_000, come)).toBeLessThan(10);
});

test.each(['before', 'after'])('a Gateway whose pods go %s it leaves nothing behind with the tracker', async (when) => {
  const tracker = new ProgrammedTracker({ now: () => 0 });
  const come = (name: string): void => {
    const labels = { 'portcullis.dev/gateway': name };
    const [itsPod, its] = [pod('p0', true, { labels }), lease('p0', 1)];
    const itsLease = { ...its, metadata: { ...its.metadata, labels } };
    tracker.observePod(itsPod);
    tracker.observeLease(itsLease);
    tracker.published({ namespace: 'ai', name, uid: name }, 1, [{ uid: name, generation: 1 }]);
    if (when === 'after') tracker.forgetGateway(`ai/${name}`);
    tracker.forgetPod(itsPod.metadata);
    tracker.forgetLease(itsLease.metadata);
    if (when === 'before') tracker.forgetGateway(`ai/${name}`);
  };
  expect(await bytesPerName(5_000, come)).toBeLessThan(10);
});

test('a Gateway that is gone has no series', async () => {
  const metrics = new OperatorMetrics('1');
  metrics.published('ai/claude');
  metrics.published('ai/other');
  metrics.forgetGateway('ai/claude');
  const text = await metrics.registry.metrics();
  expect(text).toContain('gateway="ai/other"');
  expect(text).not.toContain('gateway="ai/claude"');
});

test('workloads that are written when their Gateway is forgotten do not bring the memory of it back', async () => {
  const client = { get: async () => undefined, apply: async (_: unknown, object: object) => object };
  const writer = createWorkloadWriter(client as unknown as KubeClient);
  const come = async (uid: string): Promise<void> => {
    const writing = writer.apply(renderWorkloads(gatewayOf({}, { uid }), OPTIONS), () => undefined);
    writer.forget(uid);
    await writing;
  };
  expect(await bytesPerName(500, come, 50)).toBeLessThan(2_000);
});

test('of a Gateway that is deleted and made again between two passes, what was made for the first is forgotten', async () => {
  const forgotten: string[] = [];
  const serving = new GatewayServing({
    world: { deployments: { get: () => undefined } },
    minter: { reached: () => undefined },
    tracker: { reached: () => undefined, replicas: () => ({ ready: 0, current: 0 }) },
    deploying: { forget: (_: string, uid: string) => forgotten.push(uid) },
    now: () => 0,
  } as unknown as GatewayServingOptions);
  const compiled = { gateways: new Map() } as unknown as Compiled;
  for (const uid of ['first', 'first', 'second']) {
    await serving.serve({ ...gatewayOf({}, { uid }), kind: 'Gateway' }, 'ai/claude', compiled, false);
  }
  expect(forgotten).toEqual(['first']);
});
