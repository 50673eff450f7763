// Which policy decides: precedence, merging over `everyone`, tenants, and what a private name at an upstream stands for.
import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import type { Settings } from '../config/snapshot.ts';
import { GatewayError } from '../errors.ts';
import { admitCaller, admitModel } from './admit.ts';
import { ADDRESS, HOME, keyEntry, policyEntry, principalOf, settingsOf, upstreamEntry } from './testing.ts';

const OPUS = 'claude-opus-5-5';
const HAIKU = 'claude-haiku-5-5';
const SONNET = 'claude-sonnet-5-5';

/** Upstreams at which a key may use a model, or the reason and rule of the refusal. */
function outcome(
  settings: Settings,
  key: KeyEntry,
  model: string,
  address = ADDRESS,
  headers: IncomingHttpHeaders = {},
): string {
  try {
    const principal = principalOf(key);
    const access = admitCaller(settings, principal, address, 'Messages', 'write', headers);
    return admitModel(settings, principal, access, model, false)
      .candidates.map(({ entry }) => entry.name)
      .join(' ');
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return error.rule === undefined ? error.reason : `${error.reason} by ${error.rule}`;
  }
}

describe('precedence', () => {
  const key = keyEntry({ owner: { type: 'Team', name: 'build' } });

  test('[AUTHZ-06] the first match decides, whatever later ones would grant', () => {
    const settings = settingsOf({
      policies: [
        policyEntry('narrow', { match: { groups: ['build'] }, allow: [HAIKU] }),
        policyEntry('wide', { match: { groups: ['build'] }, allow: ['claude-*'] }),
      ],
    });
    expect(outcome(settings, key, HAIKU)).toBe('anthropic');
    expect(outcome(settings, key, OPUS)).toBe('denied_model by platform/narrow');
  });

  test('[AUTHZ-06] it merges over everyone: allow lists replace, deny lists unite, the rest is inherited', () => {
    const settings = settingsOf({
      policies: [
        policyEntry('everyone', {
          allow: [HAIKU],
          deny: ['claude-opus-*'],
          network: ['10.0.0.0/8'],
          scopes: ['read', 'write'],
        }),
        policyEntry('build', { match: { groups: ['build'] }, allow: ['claude-*'], deny: [HAIKU] }),
      ],
    });
    expect(outcome(settings, key, SONNET)).toBe('anthropic');
    expect(outcome(settings, key, HAIKU)).toBe('denied_model by platform/build');
    expect(outcome(settings, key, OPUS)).toBe('denied_model by platform/everyone');
    expect(outcome(settings, key, SONNET, '192.0.2.1')).toBe('network by platform/everyone');
    expect(outcome(settings, keyEntry(), SONNET)).toBe('denied_model by platform/everyone');
  });

  test('[AUTHZ-06] everyone stays the base however high its priority', () => {
    const settings = settingsOf({
      policies: [
        policyEntry('everyone', { priority: 1000, allow: [HAIKU] }),
        policyEntry('build', { match: { groups: ['build'] }, allow: [OPUS] }),
      ],
    });
    expect(outcome(settings, key, OPUS)).toBe('anthropic');
  });

  test.each([
    ['Deny', 'no_policy by platform/ci'],
    ['Allow', 'anthropic'],
  ] as const)('[AUTHZ-09] a caller no policy matches, with defaultAccess %s: %s', (defaultAccess, expected) => {
    const policies = [policyEntry('others', { match: { groups: ['other'] }, allow: ['claude-*'] })];
    expect(outcome(settingsOf({ policies, gateway: { defaultAccess } }), key, SONNET)).toBe(expected);
  });

  test('[AUTHZ-09] with defaultAccess Allow a tenant policy still narrows', () => {
    const policies = [policyEntry('own', { namespace: 'team-a', allow: [HAIKU] })];
    const settings = settingsOf({ policies, gateway: { defaultAccess: 'Allow' } });
    expect(outcome(settings, keyEntry({ namespace: 'team-a' }), SONNET)).toBe('denied_model by team-a/own');
    expect(outcome(settings, keyEntry({ namespace: 'team-b' }), SONNET)).toBe('anthropic');
  });
});

describe('matching', () => {
  const cases: [string, Parameters<typeof policyEntry>[1], Partial<KeyEntry>, boolean][] = [
    ['a team by group', { match: { groups: ['build'] } }, { owner: { type: 'Team', name: 'build' } }, true],
    [
      'a user who calls itself like the group',
      { match: { groups: ['b'] } },
      { owner: { type: 'User', name: 'b' } },
      false,
    ],
    ['a service by user name', { match: { users: ['ci'] } }, { owner: { type: 'Service', name: 'ci' } }, false],
    ['a user by name', { match: { users: ['ana'] } }, { owner: { type: 'User', name: 'ana' } }, true],
    ['a user name in another case', { match: { users: ['ana'] } }, { owner: { type: 'User', name: 'Ana' } }, false],
    ['an address in another case', { match: { users: ['a@X.io'] } }, { owner: { type: 'User', name: 'A@x.IO' } }, true],
    [
      'a domain in another case',
      { match: { emailDomains: ['x.io'] } },
      { owner: { type: 'User', name: 'a@X.io' } },
      true,
    ],
    ['a domain below it', { match: { emailDomains: ['x.io'] } }, { owner: { type: 'User', name: 'a@b.x.io' } }, false],
    [
      'a second @ before another domain',
      { match: { emailDomains: ['x.io'] } },
      { owner: { type: 'User', name: 'a@x.io@y.io' } },
      false,
    ],
    [
      'the last @ of two',
      { match: { emailDomains: ['y.io'] } },
      { owner: { type: 'User', name: 'a@x.io@y.io' } },
      true,
    ],
    ['a domain of a team', { match: { emailDomains: ['x.io'] } }, { owner: { type: 'Team', name: 'a@x.io' } }, false],
    [
      'a domain written in a tenant',
      { match: { emailDomains: ['x.io'] } },
      { owner: { type: 'User', name: 'team-a/a@x.io' }, namespace: 'team-a' },
      false,
    ],
    ['labels', { match: { keyLabels: { tier: 'gold' } } }, { labels: { tier: 'gold', more: '1' } }, true],
    ['one label of two', { match: { keyLabels: { tier: 'gold', team: 'a' } } }, { labels: { tier: 'gold' } }, false],
    [
      'labels a tenant wrote on its own key',
      { match: { keyLabels: { tier: 'gold' } } },
      { labels: { tier: 'gold' }, namespace: 'team-a' },
      false,
    ],
    [
      'group and domain, only the group',
      { match: { groups: ['g'], emailDomains: ['x.io'] } },
      { owner: { type: 'Team', name: 'g' } },
      false,
    ],
    [
      'user and labels, both',
      { match: { users: ['ana'], keyLabels: { a: 'b' } } },
      { owner: { type: 'User', name: 'ana' }, labels: { a: 'b' } },
      true,
    ],
  ];

  test.each(cases)('[AUTHZ-08] %s', (_, match, key, matches) => {
    const settings = settingsOf({ policies: [policyEntry('only', match)] });
    expect(outcome(settings, keyEntry(key), SONNET).startsWith('anthropic')).toBe(matches);
  });

  test('[AUTHZ-08] a tenant policy selects keys of its own namespace by label', () => {
    const policies = [
      policyEntry('everyone'),
      policyEntry('own', { namespace: 'team-a', match: { keyLabels: { tier: 'low' } }, allow: [HAIKU] }),
    ];
    const labels = { tier: 'low' };
    const settings = settingsOf({ policies });
    expect(outcome(settings, keyEntry({ namespace: 'team-a', labels }), SONNET)).toBe('denied_model by team-a/own');
    expect(outcome(settings, keyEntry({ namespace: 'team-b', labels }), SONNET)).toBe('anthropic');
    expect(outcome(settings, keyEntry({ labels }), SONNET)).toBe('anthropic');
  });
});

describe('what an upstream really serves under a name', () => {
  const key = keyEntry();
  const house = { id: 'claude-house', displayName: 'House', target: 'smart' };

  test('[AUTHZ-03] a private name of a denied model is denied where it leads there, and only there', () => {
    const settings = settingsOf({
      policies: [policyEntry('everyone', { deny: ['claude-opus-*'] })],
      upstreams: [upstreamEntry('east', { smart: OPUS }), upstreamEntry('west', { smart: SONNET })],
      models: [house],
    });
    for (const name of ['smart', 'SMART', 'claude-house[1m]']) expect(outcome(settings, key, name)).toBe('west');
  });

  test('[AUTHZ-03] an allow list that fits one upstream of a private name opens no other', () => {
    const settings = settingsOf({
      policies: [policyEntry('everyone', { allow: ['claude-haiku-*'] })],
      upstreams: [upstreamEntry('east', { smart: OPUS }), upstreamEntry('west', { smart: HAIKU })],
    });
    expect(outcome(settings, key, 'smart')).toBe('west');
  });

  test('[AUTHZ-03] the limits of a key hold for what a private name leads to as well', () => {
    const settings = settingsOf({
      policies: [policyEntry('everyone')],
      upstreams: [upstreamEntry('east', { smart: OPUS }), upstreamEntry('west', { smart: HAIKU })],
    });
    expect(outcome(settings, keyEntry({ models: ['claude-haiku-*'] }), 'smart')).toBe('west');
    expect(outcome(settings, keyEntry({ models: ['claude-sonnet-*'] }), 'smart')).toBe('denied_model by platform/ci');
  });

  test('[AUTHZ-03] a built-in name that an upstream maps to another model needs both to be allowed', () => {
    const upstreams = [upstreamEntry('east', { [HAIKU]: OPUS }), upstreamEntry('west')];
    const only = (allow: string[]) => settingsOf({ policies: [policyEntry('everyone', { allow })], upstreams });
    expect(outcome(only([HAIKU]), key, HAIKU)).toBe('west');
    expect(outcome(only([HAIKU, OPUS]), key, HAIKU)).toBe('east west');
    expect(outcome(only([OPUS]), key, HAIKU)).toBe('denied_model by platform/everyone');
  });

  test('a deployment name that no catalog knows is taken at its word, and a rule may name it', () => {
    const upstreams = [upstreamEntry('azure', { [OPUS]: 'corp-big' })];
    const allow = settingsOf({ policies: [policyEntry('everyone', { allow: [OPUS] })], upstreams });
    expect(outcome(allow, key, OPUS)).toBe('azure');
    const deny = settingsOf({ policies: [policyEntry('everyone', { deny: ['corp-*'] })], upstreams });
    expect(outcome(deny, key, OPUS)).toBe('denied_model by platform/everyone');
  });

  test('a name granted alone holds at an upstream that writes its model another way', () => {
    const settings = settingsOf({
      policies: [policyEntry('everyone', { allow: ['claude-house'] })],
      upstreams: [upstreamEntry('bedrock', { [OPUS]: 'us.anthropic.claude-opus-5-5' })],
      models: [{ ...house, target: OPUS }],
    });
    expect(outcome(settings, key, 'claude-house')).toBe('bedrock');
    expect(outcome(settings, key, OPUS)).toBe('denied_model by platform/everyone');
  });

  test("what a tenant's upstream calls a model changes nothing for callers who do not use it", () => {
    const tenant = upstreamEntry('own', { [OPUS]: HAIKU, [SONNET]: OPUS }, 'team-a');
    const settings = settingsOf({
      policies: [policyEntry('everyone', { allow: ['claude-haiku-*', 'claude-sonnet-*'], deny: ['claude-opus-*'] })],
      upstreams: [upstreamEntry('anthropic'), tenant],
    });
    expect(outcome(settings, key, OPUS)).toBe('denied_model by platform/everyone');
    expect(outcome(settings, key, SONNET)).toBe('anthropic');
  });
});

test('upstreams: named ones exactly, otherwise those of the home namespace; a tenant only narrows', () => {
  const upstreams = [upstreamEntry('a'), upstreamEntry('b'), upstreamEntry('own', {}, 'team-a')];
  const tenantKey = keyEntry({ namespace: 'team-a' });
  const named = (upstreamNames: string[] | undefined, tenantNames: string[]) =>
    settingsOf({
      upstreams,
      policies: [
        policyEntry('everyone', upstreamNames === undefined ? {} : { upstreams: upstreamNames }),
        policyEntry('own', { namespace: 'team-a', upstreams: tenantNames }),
      ],
    });
  expect(outcome(named(undefined, ['team-a/own', `${HOME}/b`]), tenantKey, OPUS)).toBe('b');
  expect(outcome(named(undefined, ['team-a/own']), tenantKey, OPUS)).toBe('no_upstream by team-a/own');
  expect(outcome(named([`${HOME}/a`, 'team-a/own'], ['team-a/own']), tenantKey, OPUS)).toBe('own');
});

describe('policies that look at headers', () => {
  const at = (headers: IncomingHttpHeaders, settings: Settings, model = OPUS, key = keyEntry()): string =>
    outcome(settings, key, model, ADDRESS, headers);
  const tenantA = { headers: [{ name: 'x-tenant', values: ['a', 'aa'] }] };
  const eu = { headers: [{ name: 'x-route', values: ['eu'] }] };
  const upstreams = [upstreamEntry('eu'), upstreamEntry('us')];

  test('[AUTH-31] one holds for calls with its header and no others, and never grants on its own', () => {
    const policies = [policyEntry('a', { match: { everyone: true, ...tenantA }, allow: [HAIKU] })];
    const wide = settingsOf({ policies: [...policies, policyEntry('everyone', { allow: [HAIKU, OPUS] })] });
    expect(at({}, wide)).toBe('anthropic');
    expect(at({ 'x-tenant': 'b' }, wide)).toBe('anthropic');
    expect(at({ 'x-tenant': 'a' }, wide)).toBe('denied_model by platform/a');
    expect(at({ 'x-tenant': 'aa' }, wide)).toBe('denied_model by platform/a');
    expect(at({ 'x-tenant': 'a' }, wide, HAIKU)).toBe('anthropic');
    expect(at({ 'x-tenant': 'a' }, settingsOf({ policies }), HAIKU)).toBe('no_policy by platform/ci');
    const narrow = settingsOf({ policies: [...policies, policyEntry('everyone', { allow: [SONNET] })] });
    expect(at({ 'x-tenant': 'a' }, narrow, HAIKU)).toBe('denied_model by platform/everyone');
  });

  test('[AUTH-31] it narrows the upstreams, to nothing if need be, and says which policy did', () => {
    const settings = settingsOf({
      upstreams,
      policies: [
        policyEntry('everyone', { upstreams: [`${HOME}/us`, `${HOME}/eu`] }),
        policyEntry('to-eu', { match: { everyone: true, ...eu }, upstreams: [`${HOME}/eu`] }),
        policyEntry('to-us', { match: { everyone: true, ...tenantA }, within: [`${HOME}/us`] }),
      ],
    });
    expect(at({}, settings)).toBe('eu us');
    expect(at({ 'x-route': 'eu' }, settings)).toBe('eu');
    expect(at({ 'x-tenant': 'a' }, settings)).toBe('us');
    expect(at({ 'x-route': 'eu', 'x-tenant': 'a' }, settings)).toBe('no_upstream by platform/to-us');
  });

  test('[AUTH-31] it narrows networks, and the other members of its match count too', () => {
    const settings = settingsOf({
      policies: [
        policyEntry('everyone'),
        policyEntry('build', { match: { groups: ['build'], ...tenantA }, network: ['192.0.2.0/24'] }),
      ],
    });
    const build = keyEntry({ key: `${HOME}/build`, owner: { type: 'Team', name: 'build' } });
    expect(at({ 'x-tenant': 'a' }, settings)).toBe('anthropic');
    expect(at({}, settings, OPUS, build)).toBe('anthropic');
    expect(at({ 'x-tenant': 'a' }, settings, OPUS, build)).toBe('network by platform/build');
  });

  test('[AUTH-31] every header of a policy must be there; a list has all of its members', () => {
    const both = { everyone: true, headers: [...tenantA.headers, ...eu.headers] };
    const settings = settingsOf({
      policies: [policyEntry('everyone'), policyEntry('both', { match: both, deny: [OPUS] })],
    });
    expect(at({ 'x-tenant': 'a' }, settings)).toBe('anthropic');
    expect(at({ 'x-tenant': 'a', 'x-route': 'us' }, settings)).toBe('anthropic');
    expect(at({ 'x-tenant': 'b, a', 'x-route': 'eu' }, settings)).toBe('denied_model by platform/both');
  });

  test("[AUTH-31] a tenant's own holds for its keys alone", () => {
    const settings = settingsOf({
      policies: [
        policyEntry('everyone'),
        policyEntry('own', { namespace: 'team-a', match: { everyone: true, ...tenantA }, deny: [OPUS] }),
      ],
    });
    expect(at({ 'x-tenant': 'a' }, settings)).toBe('anthropic');
    expect(at({ 'x-tenant': 'a' }, settings, OPUS, keyEntry({ namespace: 'team-a' }))).toBe(
      'denied_model by team-a/own',
    );
  });

  test('[AUTH-31] a caller who stays with one provider is not led to another one by a header', () => {
    const compatible = { ...upstreamEntry('other'), provider: 'AnthropicCompatible' as const, priority: 5 };
    const policies = (oneProvider?: true) => [
      policyEntry('everyone', oneProvider ? { oneProvider } : {}),
      policyEntry('to-other', { match: { everyone: true, ...eu }, upstreams: [compatible.key] }),
    ];
    const world = { upstreams: [upstreamEntry('first'), compatible] };
    expect(at({ 'x-route': 'eu' }, settingsOf({ ...world, policies: policies() }))).toBe('other');
    const tied = settingsOf({ ...world, policies: policies(true) });
    expect(at({}, tied)).toBe('first');
    expect(at({ 'x-route': 'eu' }, tied)).toBe('unrouted_model by platform/to-other');
  });
});
