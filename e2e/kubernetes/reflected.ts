// A reflector of ConfigMaps under test, and how to say that it holds what the server holds.
import { expect } from 'vitest';
import type { KubeClient } from '#shared/kube/client.ts';
import type { Connection } from '#shared/kube/connection.ts';
import { createKubeClient, type KubeClientOptions } from '#shared/kube/kube-client.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import { Reflector, type ReflectorEvent } from '#shared/kube/reflector.ts';
import type { ConfigMap } from '#shared/kube/types.ts';

export interface Reflected {
  readonly reflector: Reflector<ConfigMap>;
  /** What changes told, applied in their order: must be what the cache holds. */
  readonly told: Map<string, string>;
  readonly counted: Record<ReflectorEvent, number>;
  /** Attempts of its client, `watch 401` and the like. */
  readonly attempts: string[];
  readonly warnings: string[];
  stop(): Promise<void>;
}

export async function reflect(
  connection: Connection,
  namespace: string,
  options: Partial<Pick<KubeClientOptions, 'watchTiming'>> & { readonly pageSize?: number } = {},
): Promise<Reflected> {
  const { pageSize, ...client } = options;
  const attempts: string[] = [];
  const warnings: string[] = [];
  const told = new Map<string, string>();
  const counted = { list: 0, page: 0, watch: 0, bookmark: 0, change: 0, expired: 0, failure: 0 };
  const now = (): number => performance.now();
  const kube = createKubeClient({
    connection,
    userAgent: 'portcullis-test',
    now,
    random: Math.random,
    count: (verb, _resource, code) => attempts.push(`${verb} ${code}`),
    ...client,
  });
  const reflector = new Reflector<ConfigMap>({
    client: kube,
    type: RESOURCE.ConfigMap,
    query: { namespace },
    now,
    random: Math.random,
    log: { warn: (context, text) => warnings.push(`${text} ${JSON.stringify(context)}`) },
    observe: (_resource, event) => counted[event]++,
    onChange: (before, after) => {
      const { name, resourceVersion = '' } = (after ?? before)!.metadata;
      // Each change follows on the last one that was told.
      expect(told.get(name)).toBe(before?.metadata.resourceVersion);
      if (after === undefined) told.delete(name);
      else told.set(name, resourceVersion);
    },
    ...(pageSize === undefined ? {} : { pageSize }),
  });
  reflector.start();
  await reflector.synced;
  return {
    reflector,
    told,
    counted,
    attempts,
    warnings,
    stop: async () => {
      await reflector.stop();
      await kube.close();
    },
  };
}

/** Waits until the cache, and what was told, are exactly what the server says, versions included. */
export async function equalsServer(
  { reflector, told }: Reflected,
  admin: KubeClient,
  namespace: string,
  withinMs = 20_000,
): Promise<void> {
  const until = performance.now() + withinMs;
  for (;;) {
    const { items } = await admin.list<ConfigMap>(RESOURCE.ConfigMap, { namespace }, {});
    const truth = new Map(items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
    const held = new Map([...reflector.values()].map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
    if (performance.now() > until) {
      expect(held).toEqual(truth);
      expect(told).toEqual(truth);
      return;
    }
    if (same(held, truth) && same(told, truth)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function same(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

let edits = 0;

/** One new object, one changed, one gone: whoever misses any of the three differs from the server. */
export async function edit(admin: KubeClient, namespace: string): Promise<void> {
  const n = edits++;
  const put = (name: string, value: string): Promise<unknown> =>
    admin.apply<ConfigMap>(RESOURCE.ConfigMap, map(namespace, name, value), { fieldManager: 'test' });
  await put(`new-${n}`, 'ä€😀');
  await put('changing', `${n}`);
  await put(`passing-${n}`, 'soon gone');
  if (n > 0) await admin.delete(RESOURCE.ConfigMap, { namespace, name: `passing-${n - 1}` });
}

export function map(namespace: string, name: string, value: string): ConfigMap {
  return { metadata: { namespace, name }, data: { value } };
}

/** Waits for something to become true. */
export async function until(condition: () => boolean, withinMs = 20_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
