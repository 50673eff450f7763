import { describe, expect, it } from 'vitest';
import { structuralSchema } from './crd-schema.ts';
import { schemaNodes } from './crd-walk.ts';
import { KINDS, kindInfo } from './kinds.ts';
import {
  ADDRESS_CASES,
  MATCHER_CASES,
  PROVIDER_CASES,
  RULE_CASES,
  TOKEN_CASES,
  TRANSITION_CASES,
} from './rules.cases.ts';
import type { RuleCase } from './rule-case.ts';

function issuesOf({ kind, spec }: RuleCase): { path: PropertyKey[]; message: string }[] {
  const result = kindInfo(kind)?.spec.safeParse(spec);
  return (result?.error?.issues ?? []).map(({ path, message }) => ({ path, message }));
}

function judge(one: RuleCase): void {
  const { refused } = one;
  const issues = issuesOf(one);
  const isMeant = ({ path, message }: (typeof issues)[number]) =>
    path.join('.') === refused?.path.join('.') && message === (refused.message ?? message);
  const met = refused === undefined ? issues.length === 0 : issues.some(isMeant);
  expect({ met, issues }).toMatchObject({ met: true });
}

describe('rules across fields', () => {
  it.each(RULE_CASES)('$title', judge);
});

describe('addresses', () => {
  it.each(ADDRESS_CASES)('$title', judge);
});

describe('matchers of a Policy [AUTHZ-22]', () => {
  it.each(MATCHER_CASES)('$title', judge);
});

describe('providers of an Upstream [PROV-05] [PROV-15] [PROV-30]', () => {
  it.each(PROVIDER_CASES)('$title', judge);
});

describe('tokens of pods [PROV-14] [PROV-27]', () => {
  it.each(TOKEN_CASES)('$title', judge);
});

/** `VirtualKey.network.allow[]: message`, for every rule of every CRD. */
function rulesOfCrds(): string[] {
  return KINDS.flatMap((info) =>
    schemaNodes(structuralSchema(info.spec)).flatMap(({ place, schema }) => {
      const rules = (schema['x-kubernetes-validations'] ?? []) as { message: string; fieldPath?: string }[];
      return rules.map((rule) => `${info.kind}.${place}${rule.fieldPath ?? ''}: ${rule.message}`.replace('..', '.'));
    }),
  );
}

it('has cases for every rule in every place', () => {
  const tried = [...RULE_CASES, ...TRANSITION_CASES].flatMap(({ kind, refused }) => {
    const place = refused?.path.map((step) => (typeof step === 'number' ? '[]' : `.${step}`)).join('');
    return refused === undefined ? [] : [`${kind}${place === '' ? '.' : place}: ${refused.message ?? ''}`];
  });
  expect(new Set(tried)).toEqual(new Set(rulesOfCrds()));
});

it('refuses a list that repeats an entry or a key, as an API server does', () => {
  const policy = { gatewayRef: { name: 'claude' }, match: { groups: ['a', 'a'] } };
  expect(issuesOf({ title: '', kind: 'Policy', spec: policy })).toEqual([
    { path: ['match', 'groups'], message: 'must not repeat an entry' },
  ]);
  const gateway = {
    publicUrl: 'https://claude',
    models: {
      entries: [
        { id: 'a', target: 'b' },
        { id: 'a', target: 'c' },
      ],
    },
  };
  expect(issuesOf({ title: '', kind: 'Gateway', spec: gateway })).toEqual([
    { path: ['models', 'entries'], message: 'must not repeat the same id' },
  ]);
});
