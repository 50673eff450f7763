import { describe, expect, it, test } from 'vitest';
import { readdirSync } from 'node:fs';
import { KINDS } from '#shared/api/kinds.ts';
import type { Condition } from '#shared/api/conditions.ts';
import { STATUS } from '#shared/api/status.ts';
import { compile } from '#shared/compile/compile.ts';
import { golden } from '#shared/compile/testing.ts';
import { ARRIVAL_MS, desiredStatus, type Lifecycle } from './desired.ts';
import { conditionOf, type StatusObject } from './stored.ts';
import { compiled, LOADED, NOW, object, statusFor } from './testing.ts';

const kinds = KINDS.map(({ kind }) => kind);
const no = (type: Condition['type'], reason: string, message = 'Mend it.'): Condition => ({
  type,
  status: 'False',
  reason,
  message,
  observedGeneration: 1,
});
const brief = (status: StatusObject) =>
  Object.fromEntries(status.conditions.map(({ type, status: value, reason }) => [type, `${value} ${reason}`]));
const pending = { status: 'Unknown', reason: 'Pending', message: '' } as const;

describe.each(kinds)('%s', (kind) => {
  it('that is sound has all four conditions True, each with the generation', () => {
    const status = statusFor(kind);
    expect(brief(status)).toEqual({
      Accepted: 'True Accepted',
      ResolvedRefs: 'True ResolvedRefs',
      Programmed: 'True Programmed',
      Ready: 'True Ready',
    });
    expect(status.observedGeneration).toBe(1);
    expect(status.conditions.map(({ observedGeneration }) => observedGeneration)).toEqual([1, 1, 1, 1]);
  });

  it('that was never looked at by a pod is Unknown and not False', () => {
    const status = statusFor(kind, { programmed: undefined });
    expect(brief(status)).toMatchObject({ Programmed: 'Unknown Pending', Ready: 'Unknown Pending' });
  });

  it('that is not accepted is neither programmed nor ready, and says where to look', () => {
    const status = statusFor(kind, { compiled: compiled(kind, 'x', [no('Accepted', 'Invalid')]) });
    expect(brief(status)).toMatchObject({ Programmed: 'False NotAccepted', Ready: 'False Invalid' });
    expect(conditionOf(status, 'Ready')?.message).toBe('Accepted is False: Invalid.');
  });

  it('is stamped with the time only where the status of a condition moves', () => {
    const first = statusFor(kind, { programmed: pending });
    const later = NOW + 60_000;
    const second = statusFor(kind, { object: object(first), now: later });
    const times = Object.fromEntries(second.conditions.map((each) => [each.type, each.lastTransitionTime]));
    expect(times).toEqual({
      Accepted: '2026-11-21T12:00:00Z',
      ResolvedRefs: '2026-11-21T12:00:00Z',
      Programmed: '2026-11-21T12:01:00Z',
      Ready: '2026-11-21T12:01:00Z',
    });
    // Other words about the same fact are no transition.
    const reworded = statusFor(kind, {
      object: object(second),
      programmed: { ...LOADED, message: 'Loaded by all 4 ready replicas.' },
      now: later + 60_000,
    });
    expect(reworded.conditions.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual(Object.values(times));
  });

  it('is what the CRD allows', () => {
    const schema = STATUS[kind];
    for (const status of [statusFor(kind), statusFor(kind, { programmed: undefined })]) {
      expect(schema.safeParse(status).error).toBeUndefined();
    }
  });
});

describe('references that are not there', () => {
  it.each([
    ['Upstream', 'False RefsNotResolved'],
    ['VirtualKey', 'False RefsNotResolved'],
    ['Policy', 'True Programmed'],
    ['Gateway', 'True Programmed'],
  ] as const)('of a %s: Programmed is %s, Ready is False', (kind, programmed) => {
    const status = statusFor(kind, { compiled: compiled(kind, 'x', [no('ResolvedRefs', 'RefNotFound')]) });
    expect(brief(status)).toMatchObject({ Programmed: programmed, Ready: 'False RefNotFound' });
  });

  const born = (age: number) => object(undefined, { creationTimestamp: new Date(NOW - age).toISOString() });
  it.each([
    ['Accepted', 'GatewayNotFound'],
    ['Accepted', 'GatewayNotAccepted'],
    ['Accepted', 'NotAllowedByGateway'],
    ['ResolvedRefs', 'RefNotFound'],
  ] as const)('%s %s of a new object may be on their way: Unknown first, then False', (type, reason) => {
    const input = {
      compiled: compiled('VirtualKey', 'x', [no(type, reason)]),
      now: NOW,
    };
    const young = desiredStatus({ ...input, object: born(ARRIVAL_MS - 1) });
    expect(brief(young.status)).toMatchObject({ [type]: `Unknown ${reason}`, Ready: 'Unknown Pending' });
    expect(young.wakeAt).toBe(NOW + 1);
    const old = desiredStatus({ ...input, object: born(ARRIVAL_MS) });
    expect(brief(old.status)).toMatchObject({ [type]: `False ${reason}`, Ready: `False ${reason}` });
    expect(old.wakeAt).toBeUndefined();
  });

  it('a mistake in the manifest is told at once', () => {
    const status = desiredStatus({
      compiled: compiled('Policy', 'x', [no('Accepted', 'Invalid')]),
      object: born(0),
      now: NOW,
    });
    expect(brief(status.status)).toMatchObject({ Accepted: 'False Invalid' });
    expect(status.wakeAt).toBeUndefined();
  });
});

describe('a VirtualKey', () => {
  const withLife = (lifecycle: Lifecycle, more: readonly Condition[] = []) =>
    statusFor('VirtualKey', {
      lifecycle,
      compiled: compiled('VirtualKey', 'x', more, { fields: { phase: 'Active', prefix: 'sk-pc-7Qm2' } }),
    });

  it.each([
    ['Active', 'True Ready'],
    ['Expiring', 'True Ready'],
    ['RotationDue', 'True Ready'],
    ['Grace', 'True Ready'],
    ['Pending', 'Unknown Pending'],
    ['Expired', 'False Expired'],
    ['Disabled', 'False Disabled'],
    ['Revoked', 'False Revoked'],
  ])('in phase %s: Ready is %s', (phase, ready) => {
    const status = withLife({ phase });
    expect(brief(status)['Ready']).toBe(ready);
    expect(status).toMatchObject({ phase, prefix: 'sk-pc-7Qm2' });
  });

  it('carries its own conditions only while they hold', () => {
    const expiring = { type: 'Expiring', status: 'True', reason: 'ExpiresSoon', message: 'In 7 days.' } as const;
    expect(conditionOf(withLife({ conditions: [expiring] }), 'Expiring')).toMatchObject({
      ...expiring,
      observedGeneration: 1,
      lastTransitionTime: '2026-11-21T12:00:00Z',
    });
    expect(conditionOf(withLife({}), 'Expiring')).toBeUndefined();
  });

  it('whose Secret is lost stays programmed and says so', () => {
    const lost = { status: 'False', reason: 'SecretLost', message: 'Set the annotation.' } as const;
    expect(brief(withLife({ resolvedRefs: lost }))).toMatchObject({
      ResolvedRefs: 'False SecretLost',
      Programmed: 'True Programmed',
      Ready: 'False SecretLost',
    });
    // What the compile step finds comes first.
    const missing = no('ResolvedRefs', 'RefNotFound');
    expect(brief(withLife({ resolvedRefs: lost }, [missing]))).toMatchObject({ ResolvedRefs: 'False RefNotFound' });
  });

  it('whose value is being made is Unknown', () => {
    const status = withLife({}, [no('ResolvedRefs', 'SecretPending')]);
    expect(brief(status)).toMatchObject({ ResolvedRefs: 'Unknown SecretPending', Ready: 'Unknown Pending' });
  });

  it('leaves to the minter of keys what is the minter’s', () => {
    expect(Object.keys(withLife({ phase: 'Active', nextRotation: '2027-01-01T00:00:00Z' })).sort()).toEqual([
      'conditions',
      'nextRotation',
      'observedGeneration',
      'phase',
      'prefix',
    ]);
  });
});

describe('a Gateway', () => {
  const facts = {
    replicas: { ready: 3, current: 2 },
    revision: 'abc',
    address: 'claude.ai.svc:8080',
    paused: false,
    available: { status: 'True', reason: 'Available', message: '' },
  } as const;

  it('[OPS-23] shows revision, replicas, address with its port, and what is attached', () => {
    const attached = { upstreams: 1, policies: 2, virtualKeys: 3 };
    const status = statusFor('Gateway', {
      gateway: facts,
      compiled: compiled('Gateway', 'x', [], { fields: { attached } }),
    });
    expect(status).toMatchObject({
      attached,
      revision: 'abc',
      replicas: { ready: 3, current: 2 },
      address: 'claude.ai.svc:8080',
    });
  });

  it.each([
    [{ paused: true }, 'False Paused'],
    [{ available: undefined }, 'Unknown Pending'],
    [
      { available: { status: 'False', reason: 'NameTaken', message: 'Service claude is not ours.' } },
      'False NameTaken',
    ],
    [{ fault: { reason: 'PartTooLarge', message: 'Too many keys.' } }, 'False PartTooLarge'],
  ] as const)('with %j: Ready is %s', (change, ready) => {
    expect(brief(statusFor('Gateway', { gateway: { ...facts, ...change } }))['Ready']).toBe(ready);
  });

  it('that cannot be published says so in Programmed', () => {
    const fault = { reason: 'PartTooLarge', message: 'Too many keys.' };
    const status = statusFor('Gateway', { gateway: { ...facts, fault } });
    expect(conditionOf(status, 'Programmed')).toMatchObject({ status: 'False', ...fault });
  });
});

test('a policy that never decides says who does', () => {
  const overridden = {
    type: 'Overridden',
    status: 'True',
    reason: 'Overridden',
    message: 'Policy a comes first.',
  } as const;
  const status = statusFor('Policy', { compiled: compiled('Policy', 'x', [overridden]) });
  expect(conditionOf(status, 'Overridden')).toMatchObject(overridden);
  expect(conditionOf(statusFor('Policy'), 'Overridden')).toBeUndefined();
});

test('warnings of the compile step are told with Accepted', () => {
  const status = statusFor('Policy', { compiled: compiled('Policy', 'x', [], { warnings: ['a is odd', 'b is odd'] }) });
  expect(conditionOf(status, 'Accepted')?.message).toBe('Fine. Warning: a is odd; b is odd');
});

const cases = readdirSync(new URL('../../shared/compile/golden/', import.meta.url));
test.each(cases)('[SEC-21] every status of golden case %s fits its CRD and holds no value of a Secret', (name) => {
  const input = golden(name);
  const texts = compile(input).statuses.map((each) => {
    const { status } = desiredStatus({ object: object(), compiled: each, programmed: LOADED, now: NOW });
    expect(STATUS[each.kind].safeParse(status).error).toBeUndefined();
    return JSON.stringify(status);
  });
  const values = [...input.secrets.values(), input.peppers].flatMap((secret) =>
    [...secret.values()].map((value) => value.reveal()),
  );
  expect(values.length).toBeGreaterThan(0);
  const told = values.filter((value) => value.length >= 8 && texts.some((text) => text.includes(value)));
  expect(told).toEqual([]);
});
