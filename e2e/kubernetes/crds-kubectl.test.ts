// What people see of the four kinds in a terminal: columns, filters, explanations and waiting, asserted on what kubectl prints.
import { beforeAll, describe, expect, test } from 'vitest';
import { structuralSchema, type StructuralSchema } from '#shared/api/crd-schema.ts';
import { schemaNodes } from '#shared/api/crd-walk.ts';
import { KINDS, type Kind } from '#shared/api/kinds.ts';
import { BASE_SPECS, changed } from '#shared/api/rule-case.ts';
import { STATUS } from '#shared/api/status.ts';
import { sharedControlPlane, testNamespace } from '../harness/kubernetes/shared-control-plane.ts';
import { collection, create, manifest, type Stored } from './manifest-door.ts';

const plane = await sharedControlPlane();
const namespace = await testNamespace('kubectl');

/** Each line as its cells, which are at least two spaces apart. */
async function get(...args: string[]): Promise<string[][]> {
  const { code, stdout, stderr } = await plane.kubectl(['get', '-n', namespace, ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/).map((cell) => cell.trim()));
}

/** First cells of the lines below the head. */
const names = (lines: readonly string[][]): (string | undefined)[] => lines.slice(1).map(([name]) => name);

const conditions = (status: 'True' | 'False', ...types: string[]) =>
  types.map((type) => ({
    type,
    status,
    reason: 'Tested',
    message: 'Set by a test.',
    lastTransitionTime: '2026-11-01T00:00:00Z',
    observedGeneration: 1,
  }));

async function report(kind: Kind, name: string, status: object, { metadata, spec }: Stored): Promise<void> {
  const at = `${collection(kind, namespace)}/${name}/status`;
  await plane.raw.send('PUT', at, { ...manifest(kind, name, spec), metadata, status });
}

const AGE = expect.stringMatching(/^\d+s$/);

beforeAll(async () => {
  const made = async (kind: Kind, name: string, changes: Record<string, unknown>, status: object): Promise<void> =>
    report(kind, name, status, await create(plane, namespace, kind, name, changed(kind, changes)));
  const sound = conditions('True', 'Accepted', 'Programmed', 'Ready');
  await made(
    'Gateway',
    'claude',
    {},
    {
      conditions: sound,
      revision: '12-ab',
      replicas: { ready: 3, current: 3 },
      address: 'http://claude.kubectl.svc:8080',
      attached: { upstreams: 1, policies: 1, virtualKeys: 3 },
    },
  );
  await made(
    'Upstream',
    'account',
    { baseUrl: 'https://api.example.com' },
    {
      conditions: [...sound, ...conditions('True', 'CredentialsValid', 'Reachable')],
      lastProbeTime: new Date().toISOString(),
    },
  );
  await made(
    'Policy',
    'people',
    { match: { groups: ['staff'] }, models: { allow: ['claude-*'] } },
    {
      conditions: [...sound.slice(0, 2), ...conditions('False', 'Ready'), ...conditions('True', 'Overridden')],
    },
  );
  const owner = (type: string, name: string) => ({ owner: { type, name } });
  await made('VirtualKey', 'ci', owner('Service', 'ci'), {
    conditions: sound,
    phase: 'Active',
    prefix: 'sk-pc-abcd',
    expiresAt: '2027-06-01T00:00:00Z',
  });
  await made('VirtualKey', 'ada', { ...owner('User', 'ada'), 'gatewayRef.name': 'other' }, { phase: 'Pending' });
  await made(
    'VirtualKey',
    'old',
    { ...owner('Team', 'ci'), state: 'Disabled' },
    {
      phase: 'Disabled',
      expiresAt: '2027-01-01T00:00:00Z',
    },
  );
  await plane.kubectl(['label', '-n', namespace, 'pvk/ci', 'pvk/old', 'team=build']);
});

describe('[OPS-23] kubectl get', () => {
  test('a Gateway: address, state, replicas; more when asked', async () => {
    const narrow = ['NAME', 'URL', 'ACCEPTED', 'PROGRAMMED', 'READY', 'REPLICAS', 'AGE'];
    const url = 'https://claude.corp.internal';
    expect(await get('pgw')).toEqual([narrow, ['claude', url, 'True', 'True', 'True', '3', AGE]]);
    expect(await get('pgw', '-o', 'wide')).toEqual([
      [...narrow.slice(0, -1), 'UPSTREAMS', 'POLICIES', 'KEYS', 'PORT', 'ADDRESS', 'REVISION', 'AGE'],
      [
        'claude',
        url,
        'True',
        'True',
        'True',
        '3',
        '1',
        '1',
        '3',
        '8080',
        'http://claude.kubectl.svc:8080',
        '12-ab',
        AGE,
      ],
    ]);
  });

  test('[OPS-23] an Upstream: provider, priority, state, credentials and when they were last tried', async () => {
    const CALLED = ['NAME', 'GATEWAY', 'PROVIDER', 'PRIORITY', 'ACCEPTED', 'PROGRAMMED', 'READY'];
    const URL_OF_ACCOUNT = 'https://api.example.com';
    expect(await get('pup', '-o', 'wide')).toEqual([
      [...CALLED, 'CREDENTIALS', 'LAST PROBE', 'REACHABLE', 'WEIGHT', 'BASE URL', 'AGE'],
      ['account', 'claude', 'Anthropic', '10', 'True', 'True', 'True', 'True', AGE, 'True', '1', URL_OF_ACCOUNT, AGE],
    ]);
  });

  test('a Policy: precedence, state, whom it is for', async () => {
    expect(await get('ppol', '-o', 'wide')).toEqual([
      ['NAME', 'GATEWAY', 'PRIORITY', 'ACCEPTED', 'PROGRAMMED', 'READY', 'GROUPS', 'MODELS', 'OVERRIDDEN', 'AGE'],
      ['people', 'claude', '0', 'True', 'True', 'False', '["staff"]', '["claude-*"]', 'True', AGE],
    ]);
  });

  test('[ADMIN-20] a VirtualKey: owner, team, phase, prefix, expiry', async () => {
    expect(await get('pvk')).toEqual([
      ['NAME', 'GATEWAY', 'OWNER', 'TEAM', 'PHASE', 'PREFIX', 'EXPIRES', 'READY', 'AGE'],
      ['ada', 'other', 'ada', 'Pending', AGE],
      ['ci', 'claude', 'ci', 'build', 'Active', 'sk-pc-abcd', '2027-06-01T00:00:00Z', 'True', AGE],
      ['old', 'claude', 'ci', 'build', 'Disabled', '2027-01-01T00:00:00Z', AGE],
    ]);
  });

  test('all of them by category', async () => {
    const lines = await get('portcullis', '-o', 'name');
    expect(lines.flat()).toEqual([
      'gateway.portcullis.dev/claude',
      'policy.portcullis.dev/people',
      'upstream.portcullis.dev/account',
      ...['ada', 'ci', 'old'].map((name) => `virtualkey.portcullis.dev/${name}`),
    ]);
  });
});

describe('[ADMIN-20] the server filters keys', () => {
  test.each([
    ['Gateway', 'spec.gatewayRef.name=other', ['ada']],
    ['owner', 'spec.owner.name=ci', ['ci', 'old']],
    ['owner and its type', 'spec.owner.name=ci,spec.owner.type=Team', ['old']],
    ['state', 'spec.state=Disabled', ['old']],
    ['state by default', 'spec.state=Active', ['ada', 'ci']],
    ['phase', 'status.phase!=Active', ['ada', 'old']],
  ])('by %s', async (_, selector, expected) => {
    expect(names(await get('pvk', '--field-selector', selector))).toEqual(expected);
  });

  test('by team, and sorts them by expiry', async () => {
    const lines = await get('pvk', '-l', 'team=build', '--sort-by', '.status.expiresAt');
    expect(names(lines)).toEqual(['old', 'ci']);
  });

  test('and says which fields it knows', async () => {
    const { code, stderr } = await plane.kubectl(['get', 'pvk', '-n', namespace, '--field-selector', 'spec.ttl=1h']);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('field label not supported') });
  });
});

describe('kubectl wait', () => {
  const wait = (...args: string[]) => plane.kubectl(['wait', '-n', namespace, ...args]);

  test('sees a condition that holds', async () => {
    expect(await wait('pgw/claude', '--for=condition=Ready', '--timeout=5s')).toEqual({
      code: 0,
      stdout: 'gateway.portcullis.dev/claude condition met\n',
      stderr: '',
    });
  });

  test('is not fooled by a report on an earlier generation, and ends when the new one is reported on', async () => {
    const first = await create(plane, namespace, 'Policy', 'edited', BASE_SPECS.Policy);
    await report('Policy', 'edited', { conditions: conditions('True', 'Ready') }, first);
    await plane.kubectl(['patch', 'ppol/edited', '-n', namespace, '--type=merge', '-p', '{"spec":{"priority":7}}']);
    expect(await wait('ppol/edited', '--for=condition=Ready', '--timeout=1s')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('timed out waiting for the condition on policies/edited'),
    });
    const waiting = wait('ppol/edited', '--for=condition=Ready', '--timeout=20s');
    const at = `${collection('Policy', namespace)}/edited`;
    const second = (await plane.raw.send('GET', at)) as Stored;
    const [ready] = conditions('True', 'Ready');
    await report('Policy', 'edited', { conditions: [{ ...ready, observedGeneration: 2 }] }, second);
    expect(await waiting).toMatchObject({ code: 0, stdout: 'policy.portcullis.dev/edited condition met\n' });
  });
});

describe('kubectl explain', () => {
  /** Text without the breaks of lines. */
  const flat = (text: string): string => text.replaceAll(/\s+/g, ' ');

  const objects = KINDS.flatMap(({ kind, plural, spec }) =>
    [...schemaNodes(structuralSchema(spec), 'spec'), ...schemaNodes(structuralSchema(STATUS[kind]), 'status')].flatMap(
      ({ place, schema }): [string, StructuralSchema][] =>
        schema.properties === undefined ? [] : [[`${plural}.${place.replaceAll(/\[\]|\{\}/g, '')}`, schema]],
    ),
  );

  test.concurrent.each(objects)('%s names and describes every field', async (path, schema) => {
    const { code, stdout } = await plane.kubectl(['explain', path]);
    expect(code).toBe(0);
    const said = flat(stdout);
    const missing = Object.entries(schema.properties ?? {}).filter(([name, member]) => {
      const required = schema.required?.includes(name) === true;
      const field = new RegExp(` ${name} <[^>]+>${required ? ' -required-' : ''} (enum: [^<]*)?`);
      return !field.test(said) || !said.includes(flat(member.description ?? 'no description'));
    });
    expect(missing.map(([name]) => name)).toEqual([]);
  });
});
