// A reflector while the API server itself is killed, restarted and compacted: control planes of this file's own, since it breaks them.
import { afterEach, expect, test } from 'vitest';
import type { Connection } from '#shared/kube/connection.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import { openConnection } from '#shared/kube/open-connection.ts';
import { startControlPlane, type ControlPlane } from '../harness/kubernetes/control-plane.ts';
import { startFaultHttpProxy } from '../harness/kubernetes/fault-http-proxy.ts';
import { startFaultProxy } from '../harness/kubernetes/fault-proxy.ts';
import { edit, equalsServer, map, reflect, until, type Reflected } from './reflected.ts';

const namespace = 'default';
const now = (): number => performance.now();

let plane: ControlPlane;
let reflected: Reflected | undefined;

afterEach(async () => {
  await reflected?.stop();
  reflected = undefined;
  await plane.down();
});

const truth = (): Promise<void> => equalsServer(reflected!, plane.admin, namespace, 20_000);
const administrator = (): Promise<Connection> => openConnection({ KUBECONFIG: plane.kubeconfig }, now);

test('the API server is killed and restarted: the cache is served meanwhile and follows after', async () => {
  plane = await startControlPlane();
  await edit(plane.admin, namespace);
  reflected = await reflect(await administrator(), namespace);
  for (let i = 1; i <= 2; i++) {
    await until(() => reflected!.attempts.at(-1) === 'watch 200');
    const { size } = reflected.reflector;
    await plane.stop('kube-apiserver', 'SIGKILL');
    await until(() => reflected!.warnings.length >= i);
    expect(reflected.reflector.size).toBe(size);
    await plane.start('kube-apiserver');
    await edit(plane.admin, namespace);
    await truth();
  }
});

test('etcd was compacted and the watch cache began anew while the connection was dead: the real 410', async () => {
  plane = await startControlPlane({ compaction: '2s' });
  const proxy = await startFaultProxy(plane.url);
  try {
    await edit(plane.admin, namespace);
    const watchTiming = { silence: 15_000 };
    reflected = await reflect({ ...(await administrator()), server: proxy.url }, namespace, { watchTiming });
    await until(() => reflected!.attempts.includes('watch 200'));
    proxy.freeze();
    await edit(plane.admin, namespace);
    await plane.stop('kube-apiserver', 'SIGKILL');
    await plane.start('kube-apiserver');
    await edit(plane.admin, namespace);
    await until(() => reflected!.counted.expired > 0, 40_000);
    await truth();
    // The old version was asked for again before it was given up.
    expect(reflected.counted).toMatchObject({ list: 2, failure: 1, expired: 1 });
  } finally {
    await proxy.close();
  }
});

test('etcd was compacted between two pages of a list: it is listed anew', async () => {
  // Else the server goes on from a snapshot of its cache.
  plane = await startControlPlane({
    compaction: '1s',
    apiServerFlags: ['--feature-gates=ListFromCacheSnapshot=false'],
  });
  const { admin } = plane;
  const proxy = await startFaultHttpProxy(plane.url, plane.caFile);
  try {
    await Promise.all(
      Array.from({ length: 9 }, async (_, i) => admin.create(RESOURCE.ConfigMap, map(namespace, `m${i}`, ''))),
    );
    const grant = ['create', 'rolebinding', 'all', '--clusterrole=admin', '--serviceaccount=default:default'];
    expect(await plane.kubectl([...grant, '-n', namespace])).toMatchObject({ code: 0 });
    const credentials = { tls: { ca: proxy.ca }, authorization: `Bearer ${await plane.token(namespace, 'default')}` };
    let held = false;
    proxy.rule = ({ list, url }) => {
      if (held || !list || !url.searchParams.has('continue')) return undefined;
      held = true;
      return { delay: 10_000 };
    };
    const connection: Connection = { server: proxy.url, namespace: undefined, credentials: async () => credentials };
    const listing = reflect(connection, namespace, { pageSize: 3 });
    await until(() => held);
    for (let i = 0; i < 8; i++) {
      await edit(admin, namespace);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    reflected = await listing;
    await truth();
    expect(reflected.attempts).toContain('list 410');
    expect(reflected.counted).toMatchObject({ list: 2, expired: 1, failure: 0 });
  } finally {
    await proxy.close();
  }
});
