// Specs that keep or break a rule, as data: the unit tests run them through zod, a test against an API server can post the same ones
// and must be answered the same.
import { DEPLOYMENT_ROWS, TOKEN_ROWS } from './deployment.cases.ts';
import { PROVIDER_ROWS, UPSTREAM_ROWS } from './upstream.cases.ts';
import { bounds, cases, changed, labelNames, networks, row, values, type Row, type RuleCase } from './rule-case.ts';

const attachment = (member: string): Row[] => [
  row(
    'Gateway',
    ['allowedNamespaces', member],
    'selector is needed with from: Selector, and only then',
    [{}, { from: 'All' }, { from: 'Selector', selector: { matchLabels: { a: 'b' } } }].map((value) => ({
      [`allowedNamespaces.${member}`]: value,
    })),
    [
      { from: 'Selector' },
      { selector: { matchLabels: { a: 'b' } } },
      { from: 'All', selector: { matchLabels: { a: 'b' } } },
    ].map((value) => ({ [`allowedNamespaces.${member}`]: value })),
  ),
  labelNames('Gateway', `allowedNamespaces.${member}.selector.matchLabels`, {
    [`allowedNamespaces.${member}.from`]: 'Selector',
  }),
];

const ref = { name: 's', key: 'k' };

const RULES: readonly Row[] = [
  values(
    'Gateway',
    'publicUrl',
    'must be an https URL, or http on localhost, 127.0.0.1 or [::1]',
    [
      'https://claude.corp.internal',
      'https://claude:8443/',
      'http://localhost:8080',
      'http://127.0.0.1',
      'http://[::1]:80/',
    ],
    ['http://claude.corp.internal', 'http://localhost.evil.com', 'http://10.127.0.0.1'],
  ),
  values(
    'Gateway',
    'publicUrl',
    'must have no path, query, fragment or user',
    ['https://claude.corp.internal', 'https://claude.corp.internal/'],
    ['https://claude/v1', 'https://claude/?a=b', 'https://claude?a=b', 'https://claude/#a', 'https://me@claude'],
  ),
  ...attachment('virtualKeys'),
  ...attachment('policies'),
  ...attachment('upstreams'),
  networks('Gateway', 'listen.trustedProxies'),
  networks('Gateway', 'listen.access.allow'),
  networks('Gateway', 'listen.access.deny'),
  bounds('Gateway', 'listen.limits.maxBodyBytes', ['1023', '1Ki', '256Mi', '257Mi']),
  bounds('Gateway', 'listen.limits.maxHeaderBytes', ['4k', '4Ki', '1Mi', '2Mi']),
  bounds('Gateway', 'listen.limits.maxUrlBytes', ['255', '256', '64Ki', '65Ki']),
  bounds('Gateway', 'listen.timeouts.body', ['99ms', '100ms', '1h', '1h1s']),
  bounds('Gateway', 'listen.timeouts.queue', ['0s', '100ms', '1h', '61m']),
  bounds('Gateway', 'listen.timeouts.connect', ['0.09s', '100ms', '5m', '301s']),
  bounds('Gateway', 'listen.timeouts.reconnect', ['999ms', '1s', '24h', '25h']),
  bounds('Gateway', 'listen.timeouts.firstByte', ['99ms', '100ms', '1h', '2h']),
  bounds('Gateway', 'listen.timeouts.streamIdle', ['99ms', '100ms', '24h', '25h']),
  bounds('Gateway', 'listen.timeouts.ping', ['99ms', '100ms', '1h', '2h']),
  bounds('Gateway', 'listen.timeouts.keepAlive', ['999ms', '1s', '1h', '2h']),
  bounds('Gateway', 'listen.timeouts.drain', [null, '0s', '24h', '25h']),
  ...DEPLOYMENT_ROWS,
  ...UPSTREAM_ROWS,
  values(
    'Upstream',
    'baseUrl',
    'must be an http or https URL without query, fragment or user',
    ['https://api.anthropic.com', 'http://10.0.0.1:8080/anthropic/'],
    ['https://host/?a=b', 'https://host/#a', 'https://me:x@host/'],
  ),
  row(
    'Upstream',
    ['headers', 0, 'name'],
    'must not be a header that belongs to the connection',
    [{ headers: [{ name: 'x-tenant', valueFrom: ref }] }, { headers: [{ name: 'authorization', valueFrom: ref }] }],
    [{ headers: [{ name: 'host', valueFrom: ref }] }, { headers: [{ name: 'content-length', valueFrom: ref }] }],
  ),
  bounds('Upstream', 'timeouts.firstByte', ['99ms', '100ms', '1h', '2h']),
  bounds('Upstream', 'breaker.openFor', ['99ms', '100ms', '1h', '2h']),
  row(
    'Gateway',
    ['pathPrefixes', 0],
    'must not be the beginning of a path that clients call by themselves',
    [{ pathPrefixes: ['/claude', '/team-a'] }],
    [{ pathPrefixes: ['/v1'] }, { pathPrefixes: ['/model'] }],
  ),
  row(
    'Policy',
    ['match', 'headers', 0, 'name'],
    'must not be a header that carries a credential: its value would stand in the manifest',
    [{ 'match.headers': [{ name: 'x-tenant', values: ['search', 'ads'] }] }],
    ['authorization', 'x-api-key', 'api-key', 'cookie'].map((name) => ({ 'match.headers': [{ name, values: ['v'] }] })),
  ),
  values(
    'Policy',
    'match',
    'must be everyone: {} alone, or at least one of groups, emailDomains, users and keySelector',
    [
      { everyone: {} },
      { groups: ['a'] },
      { users: ['a'], keySelector: { matchLabels: {} } },
      { everyone: {}, headers: [{ name: 'x-tenant', values: ['a'] }] },
      { groups: ['a'], headers: [{ name: 'x-tenant', values: ['a'] }] },
    ],
    [
      {},
      { headers: [{ name: 'x-tenant', values: ['a'] }] },
      { everyone: {}, groups: ['a'] },
      { everyone: {}, keySelector: { matchLabels: {} } },
    ],
  ),
  labelNames('Policy', 'match.keySelector.matchLabels', { 'match.everyone': undefined }),
  labelNames('Policy', 'upstreams.selector.matchLabels'),
  networks('Policy', 'network.allow'),
  values(
    'VirtualKey',
    'credential',
    'exactly the member named by type must be set: generated for Generated, imported for Imported',
    [
      { type: 'Generated', generated: { secretName: 's' } },
      { type: 'Imported', imported: { secretRef: ref } },
    ],
    [
      { type: 'Generated' },
      { type: 'Imported', generated: { secretName: 's' } },
      { type: 'Imported', generated: { secretName: 's' }, imported: { secretRef: ref } },
    ],
  ),
  networks('VirtualKey', 'network.allow'),
  bounds('VirtualKey', 'ttl', ['0s', '1s', '87600h', '87601h']),
  row(
    'VirtualKey',
    ['rotation', 'every'],
    'must be between 10m and 87600h',
    ['10m', '87600h'].map((every) => ({ rotation: { every, grace: '0s' } })),
    ['9m', '87601h'].map((every) => ({ rotation: { every, grace: '0s' } })),
  ),
  bounds('VirtualKey', 'rotation.grace', [null, '0s', '720h', '721h']),
  values(
    'VirtualKey',
    'rotation',
    'automatic needs every',
    [{}, { every: '48h' }, { every: '48h', automatic: true }, { automatic: false }],
    [{ automatic: true }],
  ),
  values(
    'VirtualKey',
    'rotation',
    'grace (24h when left out) must be shorter than every',
    [{ every: '25h' }, { every: '10m', grace: '9m' }, { every: '1h', grace: '0s' }],
    [{ every: '24h' }, { every: '10m', grace: '10m' }],
  ),
  row(
    'VirtualKey',
    [],
    'rotation needs credential type Generated: an imported value is replaced where it comes from',
    [{ rotation: {} }],
    [{ rotation: {}, credential: { type: 'Imported', imported: { secretRef: ref } } }],
  ),
  row(
    'VirtualKey',
    [],
    'expiresAt and ttl exclude each other',
    [{ expiresAt: '2027-01-01T00:00:00Z' }, { ttl: '24h' }],
    [{ expiresAt: '2027-01-01T00:00:00Z', ttl: '24h' }],
  ),
];

/** Addresses that are none: the pattern refuses them, and an API server then evaluates no rule. */
const ADDRESSES: readonly Row[] = [
  values(
    'Gateway',
    'publicUrl',
    undefined,
    [],
    ['ftp://claude', 'https://', 'https:///x', 'claude:8443', 'https://a b'],
  ),
  values('Upstream', 'baseUrl', undefined, [], ['ftp://host/', '//host/v1', 'https:host/v1', 'https://host\\v1']),
];

/** Matchers that say nothing or can never match are refused by the schema itself. */
const MATCHERS: readonly Row[] = [
  values('Gateway', 'routing.hintHeader', undefined, ['x-org-route'], ['authorization', 'X-Org', 'x-', 'x-a,x-b']),
  values('Policy', 'upstreams.crossProvider', undefined, ['Allow', 'Forbid'], ['forbid']),
  row(
    'Policy',
    ['upstreams', 'regions'],
    undefined,
    [{ 'upstreams.regions': ['us-east-1', 'eu-*', '*'] }],
    [{ 'upstreams.regions': [] }],
  ),
  row(
    'Policy',
    ['upstreams', 'regions', 0],
    undefined,
    [],
    [{ 'upstreams.regions': ['EU'] }, { 'upstreams.regions': ['eu,us'] }],
  ),
  values(
    'Gateway',
    'dialects',
    undefined,
    [['Bedrock', 'Vertex', 'Foundry', 'ClaudePlatformAWS'], ['Anthropic']],
    [[]],
  ),
  row('Gateway', ['dialects', 0], undefined, [], [{ dialects: ['OpenAI'] }]),
  row(
    'Gateway',
    ['pathPrefixes', 0],
    undefined,
    [],
    ['claude', '/', '/a/b', '/claude/', '/Claude', '/a?b', '/..'].map((prefix) => ({ pathPrefixes: [prefix] })),
  ),
  row('Policy', ['match', 'headers', 0, 'values'], undefined, [], [{ 'match.headers': [{ name: 'x-a', values: [] }] }]),
  row(
    'Policy',
    ['match', 'headers', 0, 'name'],
    undefined,
    [],
    [{ 'match.headers': [{ name: 'X-A', values: ['a'] }] }],
  ),
  values('Upstream', 'region', undefined, ['us-east-1', 'eu'], ['US', 'us-*', '']),
  values('Upstream', 'maxConcurrent', undefined, [1, 100_000], [0, 100_001]),
  values('Policy', 'match', undefined, [{ groups: ['engineering'] }, { emailDomains: ['corp.com', '@corp.org'] }], []),
  ...(['groups', 'users', 'emailDomains'] as const).flatMap((member) => [
    row('Policy', ['match', member], undefined, [], [{ match: { [member]: [] } }]),
    row(
      'Policy',
      ['match', member, 1],
      undefined,
      [],
      [{ match: { [member]: ['a', ''] } }, { match: { [member]: ['a', ' '] } }],
    ),
  ]),
  row(
    'Policy',
    ['match', 'emailDomains', 0],
    undefined,
    [],
    ['me@corp.com', '@@corp.com', 'corp .com', 'corp.com,corp.org', '@'].map((domain) => ({
      match: { emailDomains: [domain] },
    })),
  ),
];

export const RULE_CASES: readonly RuleCase[] = cases(RULES);
export const ADDRESS_CASES: readonly RuleCase[] = cases(ADDRESSES);
export const PROVIDER_CASES: readonly RuleCase[] = cases(PROVIDER_ROWS);
export const MATCHER_CASES: readonly RuleCase[] = cases(MATCHERS);
export const TOKEN_CASES: readonly RuleCase[] = cases(TOKEN_ROWS);

const revokedForGood = 'a revoked key stays revoked; create a new VirtualKey';
const key = (state?: string) => changed('VirtualKey', { state });

export const TRANSITION_CASES: readonly RuleCase[] = [
  { title: 'a key is revoked', kind: 'VirtualKey', old: key('Active'), spec: key('Revoked') },
  { title: 'a disabled key comes back', kind: 'VirtualKey', old: key('Disabled'), spec: key('Active') },
  ...['Active', 'Disabled', undefined].map((state) => ({
    title: `a revoked key does not become ${state ?? 'one without state'}`,
    kind: 'VirtualKey' as const,
    old: key('Revoked'),
    spec: key(state),
    refused: { path: [], message: revokedForGood },
  })),
];
