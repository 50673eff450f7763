// The control plane of the tests itself: what other tests rely on when they start it, share it, or take parts of it away.
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isApiError } from '#shared/kube/client.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import { startControlPlane } from '../harness/kubernetes/control-plane.ts';
import { sharedControlPlane, testNamespace } from '../harness/kubernetes/shared-control-plane.ts';

const plane = await sharedControlPlane();

test('the shared one has our four kinds and rights that count', async () => {
  const namespace = await testNamespace('shared');
  const { stdout } = await plane.kubectl(['api-resources', '--api-group', 'portcullis.dev', '-o', 'name']);
  expect(stdout.trim().split('\n').sort()).toEqual(
    ['gateways', 'policies', 'upstreams', 'virtualkeys'].map((plural) => `${plural}.portcullis.dev`),
  );
  const account = await plane.clientAs(namespace, 'default');
  const refused = await account.list(RESOURCE.Secret, { namespace }, {}).catch((error: unknown) => error);
  expect(isApiError(refused, 403)).toBe(true);
  await expect(plane.stop('etcd')).rejects.toThrow('start one of your own');
});

test('kubectl takes a manifest from standard input and returns its exit code', async () => {
  const namespace = await testNamespace('kubectl');
  const manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one', namespace }, data: { a: '1' } };
  expect(await plane.kubectl(['apply', '-f', '-'], JSON.stringify(manifest))).toMatchObject({ code: 0 });
  expect(await plane.kubectl(['get', 'configmap', 'two', '-n', namespace])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('not found'),
  });
});

test('one of its own keeps what it stored when the API server is killed, and leaves nothing when it goes down', async () => {
  const own = await startControlPlane();
  try {
    expect(own.url).not.toBe(plane.url);
    const object = { metadata: { namespace: 'default', name: 'kept' }, data: { a: '1' } };
    await own.admin.create(RESOURCE.ConfigMap, object);
    await own.stop('kube-apiserver', 'SIGKILL');
    await expect(own.raw.send('GET', '/readyz')).rejects.toThrow('ECONNREFUSED');
    await own.start('kube-apiserver');
    expect(await own.admin.get(RESOURCE.ConfigMap, object.metadata)).toMatchObject({ data: { a: '1' } });
  } finally {
    await own.down();
  }
  expect(existsSync(own.kubeconfig)).toBe(false);
});
