import { expect, test } from 'vitest';
import { PREVIOUS_SECRET_ANNOTATION } from '#shared/kube/labels.ts';
import type { KubeObject } from '#shared/kube/object.ts';
import { previousUse } from './previous-use.ts';

const USE = { at: '2026-11-21T10:00:00Z', count: 3, addresses: ['10.0.0.1'] };
const lease = (text?: string): KubeObject => ({
  metadata: {
    name: 'claude-pod',
    namespace: 'ai',
    ...(text === undefined ? {} : { annotations: { [PREVIOUS_SECRET_ANNOTATION]: text } }),
  },
});

test('[KEY-07] uses of all pods are gathered by key', () => {
  const later = { ...USE, count: 1 };
  const uses = previousUse([
    lease(JSON.stringify({ 'ai/ci': USE })),
    lease(),
    lease(JSON.stringify({ 'ai/ci': later, 'ai/cd': USE })),
  ]);
  expect(Object.fromEntries(uses)).toEqual({ 'ai/ci': [USE, later], 'ai/cd': [USE] });
});

test.each(['', 'not json', '[]', '{"ai/ci":{"at":"yesterday","count":-1}}', 'null'])(
  '%j of a pod is passed over',
  (text) => {
    expect(previousUse([lease(text), lease(JSON.stringify({ 'ai/cd': USE }))]).size).toBe(1);
  },
);
