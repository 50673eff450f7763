// Two promises for every configuration: no spelling of a denied model is granted, and nothing a tenant or a key adds widens access.
import type { IncomingHttpHeaders } from 'node:http';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Bundle, KeyEntry, PolicyEntry, UpstreamEntry } from '#shared/bundle/bundle.ts';
import { builtinCatalog } from '#shared/catalog/catalog.ts';
import { canonicalModel, spellingsOf } from '#shared/catalog/spelling.ts';
import type { Settings } from '../config/snapshot.ts';
import { GatewayError } from '../errors.ts';
import { admitCaller, admitModel } from './admit.ts';
import { ADDRESS, HOME, keyEntry, policyEntry, principalOf, settingsOf, upstreamEntry } from './testing.ts';

const { models: catalog } = builtinCatalog;
const ids = catalog.models.map(({ id }) => id);
const id = fc.constantFrom(...ids);

/** Everything somebody may write for a model: each platform's form, case, long context, encoded separators. */
function spellingOf(model: string): fc.Arbitrary<string> {
  const plain = fc.constantFrom(...spellingsOf(model, catalog));
  const bedrock = spellingsOf(model, catalog).filter((name) => name.startsWith('anthropic.'));
  const profiles = spellingsOf(model, catalog).filter((name) => /^[a-z-]+\.anthropic\./.test(name));
  const arn = fc
    .tuple(
      fc.constantFrom('aws', 'aws-us-gov', 'aws-cn'),
      fc.constantFrom('us-east-1', 'eu-central-1', ''),
      fc.oneof(
        fc.constantFrom(...bedrock).map((name) => `foundation-model/${name}`),
        fc.constantFrom(...profiles).map((name) => `inference-profile/${name}`),
      ),
    )
    .map(([partition, region, rest]) => `arn:${partition}:bedrock:${region}:123456789012:${rest}`);
  // `anthropic/` is itself a prefix of a platform.
  const bare = fc.constantFrom(...spellingsOf(model, catalog).filter((name) => !name.includes('/')));
  const path = bare.map((name) => `projects/p/locations/global/publishers/anthropic/models/${name}`);
  const platform = fc
    .tuple(fc.constantFrom('bedrock/', 'vertex_ai/', 'anthropic/', 'azure_ai/', 'bedrock/converse/'), bare)
    .map(([prefix, name]) => prefix + name);
  return fc
    .tuple(
      fc.oneof(plain, arn, path, platform),
      fc.constantFrom('', '[1m]', '[1M]'),
      fc.constantFrom(false, true),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
    )
    .map(([name, suffix, encode, upper]) => {
      const text = (encode ? name.replaceAll('/', '%2F').replaceAll(':', '%3a') : name) + suffix;
      return Array.from(text, (char, i) => (upper[i % upper.length]! ? char.toUpperCase() : char)).join('');
    });
}

/** What a caller is granted: `model at upstream → what the upstream is asked for`. */
function granted(
  settings: Settings,
  key: KeyEntry,
  name: string,
  headers: IncomingHttpHeaders = {},
): Map<string, string> {
  try {
    const principal = principalOf(key);
    const access = admitCaller(settings, principal, ADDRESS, 'Messages', 'write', headers);
    const { model, candidates } = admitModel(settings, principal, access, name, false);
    return new Map(candidates.map((target) => [`${name} at ${target.key}`, target.mappedId(model) ?? model.id]));
  } catch (error) {
    if (error instanceof GatewayError) return new Map();
    throw error;
  }
}

const alias = fc.constantFrom('claude-house', 'fast');
const privateName = fc.constantFrom('corp-a', 'corp-b');

test('[AUTHZ-03] no spelling, alias or private name of a denied model is granted', () => {
  const scenario = id.chain((denied) =>
    fc.record({
      denied: fc.constant(denied),
      byList: fc.boolean(),
      spelling: spellingOf(denied),
      alias,
      privateName,
      upstreamSpelling: spellingOf(denied),
      builtin: fc.boolean(),
    }),
  );
  fc.assert(
    fc.property(scenario, ({ denied, byList, spelling, upstreamSpelling, ...names }) => {
      const others = ids.filter((each) => each !== denied);
      const settings = settingsOf({
        policies: [policyEntry('everyone', byList ? { allow: others } : { deny: [denied] })],
        upstreams: [upstreamEntry('own', { [names.privateName]: upstreamSpelling }), upstreamEntry('plain')],
        models: [{ id: names.alias, displayName: 'x', target: denied }],
        gateway: { builtinModels: names.builtin },
      });
      for (const name of [spelling, names.alias, names.alias.toUpperCase(), `${names.alias}[1m]`, names.privateName]) {
        expect(granted(settings, keyEntry(), name)).toEqual(new Map());
      }
    }),
    { numRuns: 400 },
  );
});

test('[AUTHZ-03] the same spellings are granted when the model is not denied', () => {
  const scenario = id.chain((model) => fc.tuple(fc.constant(model), spellingOf(model)));
  const settings = settingsOf({ policies: [policyEntry('everyone')] });
  fc.assert(
    fc.property(scenario, ([model, spelling]) => {
      expect([...granted(settings, keyEntry(), spelling).values()]).toEqual([model]);
    }),
    { numRuns: 400 },
  );
});

const pattern = fc.oneof(
  id,
  fc.constantFrom('claude-*', 'claude-opus-*', '*haiku*', '*', 'corp-*', 'corp-a', 'fast', 'us.anthropic.*'),
);
const patterns = fc.array(pattern, { maxLength: 3 });
const upstreamKeys = fc.subarray([`${HOME}/a`, `${HOME}/b`, 'team-a/own']);
const networks = fc.subarray(['10.0.0.0/8', '192.0.2.0/24', '::/0'], { minLength: 1 });
const scopes = fc.subarray(['read', 'write'] as const, { minLength: 1 });
const owner = fc.constantFrom(
  { type: 'Team' as const, name: 'g' },
  { type: 'User' as const, name: 'u@x.io' },
  { type: 'Service' as const, name: 's' },
);
const match: fc.Arbitrary<Partial<PolicyEntry['match']> | undefined> = fc.constantFrom(
  undefined,
  { groups: ['g', 'team-a/g'] },
  { emailDomains: ['x.io'] },
  { keyLabels: { tier: 'gold' } },
);

function policies(namespace: string): fc.Arbitrary<PolicyEntry[]> {
  const parts = fc.record(
    { match, allow: patterns, deny: patterns, upstreams: upstreamKeys, network: networks, scopes },
    { requiredKeys: ['match'] },
  );
  const named = (each: object, index: number): PolicyEntry =>
    policyEntry(`p${index}`, {
      ...Object.fromEntries(Object.entries(each).filter(([, value]) => value !== undefined)),
      namespace,
    });
  return fc.array(parts, { maxLength: 3 }).map((all) => all.map(named));
}

function mapping(): fc.Arbitrary<Record<string, string>> {
  return fc.dictionary(fc.oneof(privateName, id), fc.oneof(id, fc.constant('deployment')), { maxKeys: 3 });
}

interface Case {
  readonly own: PolicyEntry[];
  readonly tenant: PolicyEntry[];
  readonly key: KeyEntry;
  readonly upstreams: UpstreamEntry[];
  readonly defaultAccess: 'Deny' | 'Allow';
  readonly asked: string[];
}

const models: Bundle['models'] = [{ id: 'fast', displayName: 'Fast', target: 'claude-haiku-5-5' }];

const anyCase: fc.Arbitrary<Case> = fc.record({
  own: policies(HOME),
  tenant: policies('team-a'),
  key: fc
    .record({ namespace: fc.constantFrom(HOME, 'team-a', 'team-b'), owner, gold: fc.boolean() })
    .map((parts) => keyEntry({ ...parts, labels: parts.gold ? { tier: 'gold' } : {} })),
  upstreams: fc
    .tuple(mapping(), mapping(), mapping())
    .map(([a, b, own]) => [upstreamEntry('a', a), upstreamEntry('b', b), upstreamEntry('own', own, 'team-a')]),
  defaultAccess: fc.constantFrom('Deny', 'Allow'),
  asked: fc.array(fc.oneof(id, privateName, fc.constant('fast')), { minLength: 1, maxLength: 4 }),
});

/** Every grant in `narrow` is also in `wide`, with the same model asked of the same upstream. */
function expectWithin(narrow: Settings, wide: Settings, keys: readonly [KeyEntry, KeyEntry], asked: readonly string[]) {
  for (const name of asked) {
    const more = granted(wide, keys[1], name);
    for (const [grant, model] of granted(narrow, keys[0], name)) expect(more.get(grant)).toBe(model);
  }
}

test('[AUTHZ-03] adding tenant policies never widens access', () => {
  fc.assert(
    fc.property(anyCase, ({ own, tenant, key, upstreams, defaultAccess, asked }) => {
      const world = { upstreams, models, gateway: { defaultAccess } };
      const wide = settingsOf({ ...world, policies: own });
      const narrow = settingsOf({ ...world, policies: [...own, ...tenant] });
      expectWithin(narrow, wide, [key, key], asked);
    }),
    { numRuns: 500 },
  );
});

test('[AUTHZ-10] adding limits to a key never widens access', () => {
  const limits = fc.record(
    { models: patterns, network: networks, scopes, endpoints: fc.constant(['Messages'] as const) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(anyCase, limits, ({ own, tenant, key, upstreams, defaultAccess, asked }, limit) => {
      const settings = settingsOf({ upstreams, models, policies: [...own, ...tenant], gateway: { defaultAccess } });
      expectWithin(settings, settings, [{ ...key, ...limit }, key], asked);
    }),
    { numRuns: 500 },
  );
});

test('an upstream of a tenant changes nothing for callers whose policies do not name it', () => {
  fc.assert(
    fc.property(anyCase, ({ own, key, upstreams, defaultAccess, asked }) => {
      const policies = own.filter((policy) => policy.upstreams === undefined);
      const world = { models, policies, gateway: { defaultAccess } };
      const without = settingsOf({ ...world, upstreams: upstreams.slice(0, 2) });
      const beside = settingsOf({ ...world, upstreams });
      for (const name of asked) expect(granted(beside, key, name)).toEqual(granted(without, key, name));
    }),
    { numRuns: 500 },
  );
});

test('whatever is granted, the upstream is asked for a model that the deny list does not name', () => {
  fc.assert(
    fc.property(anyCase, patterns, ({ own, key, upstreams, asked }, deny) => {
      const settings = settingsOf({ upstreams, models, policies: [...own, policyEntry('base', { deny })] });
      const denied = new Set(deny.filter((each) => !each.includes('*')));
      const everyone = own.every(({ match: { everyone: base } }) => !base);
      if (!everyone) return;
      for (const name of asked) {
        for (const model of granted(settings, key, name).values()) {
          expect(denied).not.toContain(canonicalModel(model, catalog)?.id ?? model);
        }
      }
    }),
    { numRuns: 300 },
  );
});

const headerNames = ['x-tenant', 'x-route'] as const;
const headerValue = fc.constantFrom('a', 'b');
const anyHeaders: fc.Arbitrary<Record<string, string>> = fc.dictionary(fc.constantFrom(...headerNames), headerValue);
const anyMatch = fc.uniqueArray(
  fc.record({ name: fc.constantFrom(...headerNames), values: fc.array(headerValue, { minLength: 1 }) }),
  {
    selector: ({ name }) => name,
    minLength: 1,
  },
);

test('[AUTH-31] no header, and no further one, ever widens access', () => {
  const scenario = fc.record({
    world: anyCase,
    byHeader: fc.array(fc.tuple(fc.oneof(policies(HOME), policies('team-a')), anyMatch), { maxLength: 3 }),
    oneProvider: fc.boolean(),
    some: anyHeaders,
    more: anyHeaders,
  });
  let narrowed = 0;
  fc.assert(
    fc.property(scenario, ({ world, byHeader, oneProvider, some, more }) => {
      const { own, tenant, key, defaultAccess, asked } = world;
      // Bound to one provider or not, and that is not the same one at every upstream.
      const tied = oneProvider ? own.map((each) => ({ ...each, oneProvider: true as const })) : own;
      const upstreams = world.upstreams.map((each, at) =>
        at === 1 ? { ...each, provider: 'AnthropicCompatible' as const } : each,
      );
      const looking = byHeader.flatMap(([all, headers], at) =>
        all.map((each) => ({ ...each, key: `${each.key}-${at}`, match: { ...each.match, headers } })),
      );
      const settings = settingsOf({
        upstreams,
        models,
        policies: [...tied, ...tenant, ...looking],
        gateway: { defaultAccess },
      });
      for (const name of asked) {
        const without = granted(settings, key, name);
        const first = granted(settings, key, name, some);
        const second = granted(settings, key, name, { ...more, ...some });
        for (const [grant, model] of first) expect(without.get(grant)).toBe(model);
        for (const [grant, model] of second) expect(first.get(grant)).toBe(model);
        if (first.size < without.size) narrowed++;
      }
    }),
    { numRuns: 1_000 },
  );
  expect(narrowed).toBeGreaterThan(0);
});
