import { describe, expect, it, test } from 'vitest';
import { KINDS, type Kind } from '#shared/api/kinds.ts';
import type { Condition } from '#shared/api/conditions.ts';
import { healthOf, healthScript } from '../../e2e/harness/argo-health.ts';
import type { DesiredInput } from './desired.ts';
import { compiled, NOW, object, statusFor } from './testing.ts';
import type { Verdict } from './verdict.ts';

const kinds = KINDS.map(({ kind }) => kind);

/** The health of an object whose status is what we would write. */
function health(kind: Kind, input: Partial<DesiredInput> = {}, generation = 1) {
  return healthOf({ kind, ...object(statusFor(kind, input), { generation }) });
}
const no = (type: Condition['type'], reason: string, message = 'mend it'): Condition => ({
  type,
  status: 'False',
  reason,
  message,
});
const programmed = (reason: string, status: Verdict['status'] = 'False'): Partial<DesiredInput> => ({
  programmed: { status, reason, message: 'why' },
});
const phase = (name: string): Partial<DesiredInput> => ({ lifecycle: { phase: name } });

describe.each(kinds)('health of a %s', (kind) => {
  it('is Healthy when everything is True', () => {
    expect(health(kind).status).toBe('Healthy');
  });

  it('is Progressing while the operator has not reported, or not on the latest change', () => {
    expect(healthOf({ kind, ...object() }).status).toBe('Progressing');
    expect(healthOf({ kind, ...object({ conditions: [] }) }).status).toBe('Progressing');
    expect(health(kind, {}, 2)).toEqual({
      status: 'Progressing',
      message: 'Waiting for the operator to see the latest change.',
    });
  });

  it('is Progressing while it waits for pods, and names them', () => {
    expect(health(kind, { programmed: undefined }).status).toBe('Progressing');
    for (const reason of ['ReplicasBehind', 'NoReadyReplica', 'ReplicaSilent']) {
      expect(health(kind, programmed(reason))).toEqual({
        status: 'Progressing',
        message: `Programmed: ${reason}: why`,
      });
    }
  });

  it('is Degraded when pods cannot load', () => {
    expect(health(kind, programmed('LoadFault'))).toEqual({
      status: 'Degraded',
      message: 'Programmed: LoadFault: why',
    });
  });

  it.each(['Accepted', 'ResolvedRefs'] as const)('is Degraded when %s is False, with the fix', (type) => {
    expect(health(kind, { compiled: compiled(kind, 'x', [no(type, 'Invalid')]) })).toEqual({
      status: 'Degraded',
      message: `${type}: Invalid: mend it`,
    });
  });

  it('is Progressing while what it refers to may still arrive', () => {
    const young = object(undefined, { creationTimestamp: new Date(NOW).toISOString() });
    for (const type of ['Accepted', 'ResolvedRefs'] as const) {
      const reason = type === 'Accepted' ? 'GatewayNotFound' : 'RefNotFound';
      const input = { compiled: compiled(kind, 'x', [no(type, reason)]), object: young };
      expect(health(kind, input)).toMatchObject({ status: 'Progressing' });
      expect(health(kind, { ...input, object: object() })).toMatchObject({ status: 'Degraded' });
    }
  });

  it('says nothing but what Argo CD knows, whatever conditions there are', () => {
    const known = ['Healthy', 'Progressing', 'Degraded', 'Suspended'];
    for (const status of ['True', 'False', 'Unknown'] as const) {
      for (const type of ['Accepted', 'ResolvedRefs', 'Programmed', 'Ready']) {
        for (const left of [true, false]) {
          const full = statusFor(kind);
          const conditions = full.conditions.flatMap((each) =>
            each.type === type ? (left ? [{ ...each, status }] : []) : [each],
          );
          const found = healthOf({ kind, ...object({ ...full, conditions }) });
          expect(known).toContain(found.status);
          expect(found.status === 'Healthy').toBe(left && status === 'True');
        }
      }
    }
  });
});

const state = {
  replicas: { ready: 1, current: 1 },
  paused: false,
  available: { status: 'True', reason: 'Available', message: '' },
} as const;

test.each<[string, Kind, Partial<DesiredInput>, string]>([
  ['a paused Gateway', 'Gateway', { gateway: { ...state, paused: true } }, 'Suspended'],
  ['a Gateway whose Deployment is coming', 'Gateway', { gateway: { ...state, available: undefined } }, 'Progressing'],
  [
    'a Gateway that cannot be published',
    'Gateway',
    { gateway: { ...state, fault: { reason: 'PartTooLarge', message: '' } } },
    'Degraded',
  ],
  ['a key that is being made', 'VirtualKey', phase('Pending'), 'Progressing'],
  ['a key in grace', 'VirtualKey', phase('Grace'), 'Healthy'],
  ['a disabled key', 'VirtualKey', phase('Disabled'), 'Suspended'],
  ['a revoked key', 'VirtualKey', phase('Revoked'), 'Suspended'],
  ['an expired key', 'VirtualKey', phase('Expired'), 'Degraded'],
  [
    'a key whose Secret is lost',
    'VirtualKey',
    { lifecycle: { resolvedRefs: { status: 'False', reason: 'SecretLost', message: '' } } },
    'Degraded',
  ],
  [
    'a key that is expiring',
    'VirtualKey',
    {
      lifecycle: {
        phase: 'Expiring',
        conditions: [{ type: 'Expiring', status: 'True', reason: 'Soon', message: 'in 3 days' }],
      },
    },
    'Healthy',
  ],
  [
    'an overridden policy',
    'Policy',
    { compiled: compiled('Policy', 'x', [{ type: 'Overridden', status: 'True', reason: 'Overridden', message: '' }]) },
    'Healthy',
  ],
])('%s', (_, kind, input, expected) => {
  expect(health(kind, input).status).toBe(expected);
});

const look = (type: Condition['type'], status: 'True' | 'False', reason: string, everywhere = false) => ({
  health: {
    conditions: [{ type, status, reason, message: 'why' }] as const,
    fields: {},
    ...(everywhere ? { notReady: { status, reason, message: 'why' } } : {}),
  },
});

test.each<[string, Partial<DesiredInput>, string]>([
  ['whose credential no replica can use', look('CredentialsValid', 'False', 'BadCredential', true), 'Degraded'],
  ['that no replica can reach', look('Reachable', 'False', 'Unreachable', true), 'Degraded'],
  ['that one replica cannot use', look('CredentialsValid', 'False', 'BadCredential'), 'Healthy'],
  ['that lacks a model', look('ModelsAvailable', 'False', 'ModelNotEnabled'), 'Healthy'],
  ['whose credential ends soon', look('CredentialExpiring', 'True', 'WithinSevenDays'), 'Healthy'],
  ['whose credential is old', look('CredentialStale', 'True', 'Old'), 'Healthy'],
])('an Upstream %s says so', (_, input, expected) => {
  const found = health('Upstream', input);
  expect(found.status).toBe(expected);
  expect(found.message).toMatch(/^\w+: \w+: why$/);
});

test('a healthy object that needs a look says why', () => {
  const conditions = [{ type: 'Expiring', status: 'True', reason: 'Soon', message: 'in 3 days' }] as const;
  expect(health('VirtualKey', { lifecycle: { phase: 'Active', conditions } }).message).toBe(
    'Expiring: Soon: in 3 days',
  );
});

test('the script is Lua 5.1 and needs no library that Argo CD leaves out', () => {
  const code = healthScript()
    .replaceAll(/--.*/g, '')
    .replaceAll(/"[^"]*"/g, '""');
  expect(code).not.toMatch(/\/\/|\bgoto\b|[&|]|<<|>>|::/);
  expect(code).not.toMatch(/\b(string|math|io|os|debug|require|package|utf8|bit32)\b/);
  expect(code).not.toMatch(/\w:\w+\(/);
});

test('the interpreter of these tests has no string library either', () => {
  expect(() => healthOf({}, 'return string.format("x")')).toThrow(/nil value/);
  expect(() => healthOf({}, 'return ("x"):upper()')).toThrow('attempt to index a string value');
});
