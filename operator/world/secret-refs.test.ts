import { expect, test } from 'vitest';
import type { KubeObject } from '#shared/kube/object.ts';
import { secretRefs } from './secret-refs.ts';

const object = (spec: unknown): KubeObject & { spec: unknown } => ({
  metadata: { name: 'x', namespace: 'team' },
  spec,
});

test.each([
  ['none', { gatewayRef: { name: 'claude' } }, []],
  [
    'one, however deep',
    { anthropic: { auth: { type: 'APIKey', apiKey: { name: 'anthropic', key: 'token' } } } },
    ['team/anthropic'],
  ],
  [
    'in lists, each Secret once',
    {
      headers: [
        { name: 'x-a', valueFrom: { name: 's', key: 'a' } },
        { name: 'x-b', valueFrom: { name: 's', key: 'b' } },
      ],
    },
    ['team/s'],
  ],
  ['not what has more members', { entry: { name: 'a', key: 'b', other: 1 } }, []],
  ['a spec of any shape', null, []],
])('%s', (_, spec, refs) => {
  expect(secretRefs(object(spec))).toEqual(refs);
});
