import { expect, test } from 'vitest';
import type { KubeMeta, KubeObject } from '#shared/kube/object.ts';
import { slimForeign, slimResource, slimSecret } from './slim.ts';
import { matters } from './world.ts';

const META: KubeMeta = {
  name: 'ci',
  namespace: 'team',
  uid: 'u1',
  resourceVersion: '7',
  generation: 2,
  labels: { team: 'build' },
  annotations: { 'portcullis.dev/rotate': '1' },
};
const object = (meta: Partial<KubeMeta> = {}): KubeObject => ({ metadata: { ...META, ...meta } });

test.each<[string, Partial<KubeMeta>, boolean]>([
  ['a status written (another resource version alone)', { resourceVersion: '8' }, false],
  ['a new generation', { generation: 3 }, true],
  ['another object of the same name', { uid: 'u2' }, true],
  ['labels, which selectors match', { labels: { team: 'ops' } }, true],
  ['a label that is gone', { labels: {} }, true],
  ['an annotation of ours', { annotations: { 'portcullis.dev/rotate': '2' } }, true],
  ['deletion that waits for a finalizer', { deletionTimestamp: '2026-11-21T00:00:00Z' }, true],
])('a pass after %s: %s', (_, meta, expected) => {
  expect(matters({ before: object(), after: object(meta) })).toBe(expected);
});

test('objects that come and go matter', () => {
  expect(matters({ before: undefined, after: object() })).toBe(true);
  expect(matters({ before: object(), after: undefined })).toBe(true);
});

test('the cache of custom resources keeps neither managedFields nor the annotations of others', () => {
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', 'portcullis.dev/rotate': '1' };
  const full = { spec: { a: 1 }, metadata: { ...META, annotations, managedFields: [{}] } };
  expect(slimResource(full)).toEqual({ spec: { a: 1 }, metadata: META });
});

test('[SEC-21] the cache of Secrets keeps nothing of their content', () => {
  const secret = {
    data: { token: 'c2VjcmV0' },
    metadata: { ...META, labels: { 'portcullis.dev/role': 'virtual-key', x: 'y' } },
  };
  expect(slimForeign(secret)).toEqual({
    metadata: {
      name: 'ci',
      namespace: 'team',
      uid: 'u1',
      resourceVersion: '7',
      labels: { 'portcullis.dev/role': 'virtual-key' },
      annotations: META.annotations,
      ownerReferences: [],
    },
  });
});

test('[PROV-24] of a Secret the time is kept at which its content last changed, and of our own none', () => {
  const managed = (time: string, field: string) => ({ time, fieldsV1: { [field]: {} } });
  const secret = (managedFields: object[], labels: object = {}) =>
    ({ metadata: { ...META, labels, creationTimestamp: '2026-01-01T00:00:00Z', managedFields } }) as KubeObject;
  const writes = [
    managed('2026-03-01T00:00:00Z', 'f:data'),
    managed('2026-02-01T00:00:00Z', 'f:data'),
    managed('2026-09-01T00:00:00Z', 'f:metadata'),
  ];
  expect(slimSecret(secret(writes)).changedAt).toBe('2026-03-01T00:00:00Z');
  expect(slimSecret(secret([])).changedAt).toBe('2026-01-01T00:00:00Z');
  expect(slimSecret(secret(writes))).not.toHaveProperty('metadata.managedFields');
  expect(slimSecret(secret(writes, { 'portcullis.dev/role': 'virtual-key' }))).not.toHaveProperty('changedAt');
});
