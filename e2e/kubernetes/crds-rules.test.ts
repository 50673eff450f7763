// The rules of the four kinds as an API server runs them: the same cases that the unit tests put to our own reader, with the same verdicts
// and the same words. Whoever passes `portcullis check` passes `kubectl apply`, and the other way round.
import { describe, expect, test } from 'vitest';
import { parseSpec } from '#shared/api/parse.ts';
import { changed, type RuleCase } from '#shared/api/rule-case.ts';
import {
  ADDRESS_CASES,
  MATCHER_CASES,
  PROVIDER_CASES,
  RULE_CASES,
  TOKEN_CASES,
  TRANSITION_CASES,
} from '#shared/api/rules.cases.ts';
import { uniqueName } from '../harness/kubernetes/control-plane.ts';
import { sharedControlPlane, testNamespace } from '../harness/kubernetes/shared-control-plane.ts';
import { collection, create, manifest, tryCreate, TRIAL, verdict } from './manifest-door.ts';

const plane = await sharedControlPlane();
const namespace = await testNamespace('rules');

/** `spec.listen.trustedProxies[0]`, as the server writes it. */
const placeOf = ({ refused }: RuleCase): string =>
  ['spec', ...(refused?.path ?? [])].reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}${text === '' ? '' : '.'}${step}`),
    '',
  );

const literal = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);

/** What the server says: nothing, or the fault in its own words and place, alone or among others. A value stands there if it is a scalar. */
function wordsFor(one: RuleCase): RegExp {
  const { refused } = one;
  if (refused === undefined) return /^$/;
  const place = literal(placeOf(one));
  if (refused.message === undefined) return new RegExp(`(^|[ [])${place}: `);
  return new RegExp(`(^|[ [])${place}: Invalid value: ("[^"]*": |-?[0-9]+: )?${literal(refused.message)}(, |]|$)`);
}

describe.each([
  ['rules across fields', RULE_CASES],
  ['addresses', ADDRESS_CASES],
  ['matchers of a Policy', MATCHER_CASES],
  ['providers of an Upstream [PROV-05] [PROV-15] [PROV-30]', PROVIDER_CASES],
  ['tokens of pods [PROV-14] [PROV-27]', TOKEN_CASES],
])('%s', (_, cases) => {
  test.each(cases)('$title', async (one) => {
    const { said } = await tryCreate(plane, namespace, one.kind, one.spec);
    expect(said).toMatch(wordsFor(one));
    expect(parseSpec(one.kind, one.spec).ok).toBe(said === '');
  });
});

test.each(TRANSITION_CASES)('[KEY-10] $title', async (one) => {
  const name = uniqueName('key');
  const { metadata } = await create(plane, namespace, one.kind, name, one.old);
  const at = `${collection(one.kind, namespace)}/${name}?${TRIAL}`;
  const { said } = await verdict(plane.raw.send('PUT', at, { ...manifest(one.kind, name, one.spec), metadata }));
  expect(said).toMatch(wordsFor(one));
});

describe('times', () => {
  test.each([
    '2027-01-01T00:00:00Z',
    '2028-02-29T23:59:59.123456789Z',
    '2027-01-01T00:00:00+05:30',
    '2027-02-29T00:00:00Z',
    '2027-13-01T00:00:00Z',
    '2027-01-01T24:00:00Z',
    '2027-01-01T00:00:60Z',
    '2027-01-01T00:00:00',
    '2027-01-01T00:00Z',
    '2027-01-01t00:00:00z',
    '2027-01-01 00:00:00Z',
    '2027-01-01T00:00:00+0530',
    '2027-01-01T00:00:00+25:00',
    '2027-01-01T00:00:00+05:60',
    '2027-01-01',
    'tomorrow',
    '',
  ])('both sides judge %j alike', async (expiresAt) => {
    const spec = changed('VirtualKey', { expiresAt });
    const { said } = await tryCreate(plane, namespace, 'VirtualKey', spec);
    expect({ said, ok: said === '' }).toMatchObject({ ok: parseSpec('VirtualKey', spec).ok });
  });
});
