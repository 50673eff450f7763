import { expect, test } from 'vitest';
import type { Deployment } from '#shared/kube/types.ts';
import { availability } from './availability.ts';

const deployment = (status: object | undefined, generation = 2): Deployment => ({
  metadata: { name: 'claude', namespace: 'ai', generation },
  ...(status === undefined ? {} : { status }),
});
const available = { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', message: 'enough' };

test.each([
  ['there is no Deployment', undefined],
  ['it has no status yet', deployment(undefined)],
  ['its status is about an earlier generation', deployment({ observedGeneration: 1, conditions: [available] })],
  ['it says nothing of availability', deployment({ observedGeneration: 2, conditions: [] })],
])('unknown while %s', (_, given) => {
  expect(availability(given)).toBeUndefined();
});

test('what the Deployment says, and of a rollout that is stuck why', () => {
  expect(availability(deployment({ observedGeneration: 2, conditions: [available] }))).toEqual({
    status: 'True',
    reason: 'MinimumReplicasAvailable',
    message: 'Deployment claude: enough',
  });
  const stuck = { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: 'no image' };
  expect(availability(deployment({ observedGeneration: 2, conditions: [available, stuck] }))).toMatchObject({
    status: 'True',
    reason: 'ProgressDeadlineExceeded',
  });
});
