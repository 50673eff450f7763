import { describe, expect, it, test } from 'vitest';
import type { Kind } from '#shared/api/kinds.ts';
import type { Condition } from '#shared/api/conditions.ts';
import { compile } from '#shared/compile/compile.ts';
import { golden } from '#shared/compile/testing.ts';
import { desiredStatus, type DesiredInput, type GatewayState } from './desired.ts';
import { eventsOf } from './events.ts';
import type { StatusObject } from './stored.ts';
import { compiled, LOADED, NOW, object, statusFor } from './testing.ts';
import type { Verdict } from './verdict.ts';

const none: StatusObject = { conditions: [] };
const cond = (type: Condition['type'], status: Condition['status'], reason: string, message = 'm'): Condition => ({
  type,
  status,
  reason,
  message,
});
const state = (kind: Kind, conditions: readonly Condition[] = [], rest: Partial<DesiredInput> = {}) =>
  statusFor(kind, { compiled: compiled(kind, 'x', conditions), ...rest });
const verdict = (reason: string, status: Verdict['status'] = 'False'): Partial<DesiredInput> => ({
  programmed: { status, reason, message: `because of ${reason}` },
});
const gatewayState = (change: Partial<GatewayState>): Partial<DesiredInput> => ({
  gateway: {
    replicas: { ready: 1, current: 1 },
    paused: false,
    available: { status: 'True', reason: 'Available', message: '' },
    ...change,
  },
});
const phase = (name: string): Partial<DesiredInput> => ({ lifecycle: { phase: name } });
const invalid = cond('Accepted', 'False', 'Invalid', 'spec.models: x');
const missing = cond('ResolvedRefs', 'False', 'RefNotFound', 'Secret a');
const expiring = (type: 'Expiring' | 'RotationDue'): Partial<DesiredInput> => ({
  lifecycle: { phase: 'Active', conditions: [cond(type, 'True', 'Soon', 'In 3 days.')] },
});

describe('[AUDIT-19] a change of state', () => {
  it.each<[string, Kind, StatusObject, StatusObject, string[]]>([
    [
      'validation failed',
      'Policy',
      state('Policy'),
      state('Policy', [invalid]),
      ['Warning Invalid Validate: spec.models: x'],
    ],
    [
      'validation failed from the start',
      'Policy',
      none,
      state('Policy', [invalid]),
      ['Warning Invalid Validate: spec.models: x'],
    ],
    [
      'another fault',
      'Policy',
      state('Policy', [cond('Accepted', 'False', 'Conflicted')]),
      state('Policy', [invalid]),
      ['Warning Invalid Validate: spec.models: x'],
    ],
    [
      'mended',
      'Policy',
      state('Policy', [invalid]),
      state('Policy'),
      ['Normal Accepted Validate: Fine.', 'Normal Programmed Publish: Loaded by all 3 ready replicas.'],
    ],
    [
      'a reference went',
      'Upstream',
      state('Upstream'),
      state('Upstream', [missing]),
      ['Warning RefNotFound ResolveReferences: Secret a'],
    ],
    [
      'overridden',
      'Policy',
      state('Policy'),
      state('Policy', [cond('Overridden', 'True', 'Overridden', 'Policy b')]),
      ['Warning Overridden Compare: Policy b'],
    ],
    [
      'overridden no more',
      'Policy',
      state('Policy', [cond('Overridden', 'True', 'Overridden')]),
      state('Policy'),
      ['Normal NotOverridden Compare: No other policy comes before this one any more.'],
    ],
    [
      'programmed',
      'Policy',
      state('Policy', [], verdict('Pending', 'Unknown')),
      state('Policy'),
      ['Normal Programmed Publish: Loaded by all 3 ready replicas.'],
    ],
    [
      'expiring',
      'VirtualKey',
      state('VirtualKey', [], phase('Active')),
      state('VirtualKey', [], expiring('Expiring')),
      ['Warning Soon CheckLifetime: In 3 days.'],
    ],
    [
      'rotation due',
      'VirtualKey',
      state('VirtualKey', [], phase('Active')),
      state('VirtualKey', [], expiring('RotationDue')),
      ['Warning Soon CheckLifetime: In 3 days.'],
    ],
    [
      'expired',
      'VirtualKey',
      state('VirtualKey', [], phase('Active')),
      state('VirtualKey', [], phase('Expired')),
      ['Warning Expired CheckLifetime: The key has come to the end of its life and is refused from now on.'],
    ],
    [
      'revoked',
      'VirtualKey',
      state('VirtualKey', [], phase('Active')),
      state('VirtualKey', [], phase('Revoked')),
      ['Normal Revoked CheckLifetime: The key is revoked and refused for good.'],
    ],
    [
      'rotated',
      'VirtualKey',
      state('VirtualKey', [], phase('Active')),
      state('VirtualKey', [], phase('Grace')),
      ['Normal Grace CheckLifetime: The key has a new value; the previous one stays good until its grace ends.'],
    ],
    [
      'load fault',
      'Gateway',
      state('Gateway'),
      state('Gateway', [], verdict('LoadFault')),
      ['Warning LoadFault Publish: because of LoadFault'],
    ],
    [
      'load fault over',
      'Gateway',
      state('Gateway', [], verdict('LoadFault')),
      state('Gateway'),
      ['Normal Programmed Publish: Loaded by all 3 ready replicas.'],
    ],
    [
      'no replica left',
      'Gateway',
      state('Gateway'),
      state('Gateway', [], verdict('NoReadyReplica')),
      ['Warning NoReadyReplica Publish: because of NoReadyReplica'],
    ],
    [
      'cannot be published',
      'Gateway',
      state('Gateway'),
      state('Gateway', [], gatewayState({ fault: { reason: 'PartTooLarge', message: 'Too many keys.' } })),
      ['Warning PartTooLarge Publish: Too many keys.'],
    ],
    [
      'paused',
      'Gateway',
      state('Gateway'),
      state('Gateway', [], gatewayState({ paused: true })),
      ['Normal Paused Publish: spec.paused is set: every call is answered with 503.'],
    ],
  ])('%s', (_, kind, before, after, expected) => {
    const told = eventsOf(kind, before, after).map(
      ({ type, reason, action, note }) => `${type} ${reason} ${action}: ${note}`,
    );
    expect(told).toEqual(expected);
  });
});

describe('no Event', () => {
  it.each<[string, Kind, StatusObject, StatusObject]>([
    ['for what did not change', 'Policy', state('Policy', [invalid, missing]), state('Policy', [invalid, missing])],
    [
      'for the same fault of a later generation',
      'Policy',
      state('Policy', [invalid]),
      statusFor('Policy', { compiled: compiled('Policy', 'x', [invalid], { generation: 2 }) }),
    ],
    ['for a key that is sound from the start', 'VirtualKey', none, state('VirtualKey', [], phase('Active'))],
    [
      'for a key that pods took their time to load',
      'VirtualKey',
      state('VirtualKey', [], verdict('ReplicasBehind')),
      state('VirtualKey'),
    ],
    ['while the first pod comes up', 'Gateway', none, state('Gateway', [], verdict('NoReadyReplica'))],
    ['while pods load', 'Gateway', state('Gateway'), state('Gateway', [], verdict('ReplicasBehind'))],
    [
      'for each of the objects that wait for a pod that cannot load',
      'Policy',
      state('Policy'),
      state('Policy', [], verdict('LoadFault')),
    ],
    [
      'for what may still arrive',
      'Policy',
      none,
      state('Policy', [cond('Accepted', 'False', 'GatewayNotFound')], {
        object: object(undefined, { creationTimestamp: new Date(NOW).toISOString() }),
      }),
    ],
  ])('%s', (_, kind, before, after) => {
    expect(eventsOf(kind, before, after)).toEqual([]);
  });
});

test('[SEC-21] notes fit the server and hold no value of a Secret', () => {
  for (const name of ['full', 'missing-refs', 'keys-states', 'duplicate-keys', 'conflicts']) {
    const input = golden(name);
    const secrets = [...input.secrets.values()].flatMap((each) => [...each.values()].map((value) => value.reveal()));
    for (const each of compile(input).statuses) {
      const { status } = desiredStatus({ object: object(), compiled: each, programmed: LOADED, now: NOW });
      for (const { note } of eventsOf(each.kind, none, status)) {
        expect(secrets.filter((secret) => secret.length >= 8 && note.includes(secret))).toEqual([]);
      }
    }
  }
  const long = eventsOf('Policy', none, state('Policy', [{ ...invalid, message: 'ä€😀'.repeat(2000) }]))[0]!.note;
  expect(Buffer.byteLength(long)).toBeLessThanOrEqual(1024);
  expect(long.endsWith('...')).toBe(true);
  expect(long).not.toContain('\ufffd');
});
