// Files as people write them: variables, Secrets, other people's kinds, duplicates.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadFiles } from './load.ts';
import { manifestFiles } from './manifest-files.ts';
import { documents, GATEWAY, generatedKey, TOKEN, UPSTREAM, workspace, type Workspace } from './testing.ts';

const SEEN = '2026-11-01T00:00:00Z';

let space: Workspace;

beforeEach(() => {
  space = workspace();
});

afterEach(() => space.remove());

function load(text: string, environment: Record<string, string> = {}) {
  return loadFiles([space.write('a.yaml', text)], environment, () => SEEN);
}

function secret(members: string, environment: Record<string, string> = {}) {
  const loaded = load(`apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n${members}\n`, environment);
  const values = loaded.secrets.get('default/s') ?? new Map();
  return { ...loaded, values: Object.fromEntries([...values].map(([name, value]) => [name, value.reveal()])) };
}

describe('variables', () => {
  test('[OPS-20] ${VAR} is substituted in Secret values and nowhere else', () => {
    const { objects, values } = {
      ...load(GATEWAY.replace('http://127.0.0.1:8080', 'http://${HOST}:8080'), { HOST: 'evil.example' }),
      ...secret('stringData: {a: "x${TOKEN}y${TOKEN}", "${TOKEN}": b}', { TOKEN: '1' }),
    };
    expect(objects).toEqual([]);
    expect(values).toEqual({ a: 'x1y1', '${TOKEN}': 'b' });
    const [gateway] = load(GATEWAY.replace('http://127.0.0.1:8080', 'http://${HOST}:8080'), { HOST: 'x' }).objects;
    expect(gateway?.spec).toEqual({ publicUrl: 'http://${HOST}:8080' });
  });

  test('what a variable holds is not substituted again', () => {
    expect(secret('stringData: {a: "${A}"}', { A: '${B}$&$1', B: 'no' }).values).toEqual({ a: '${B}$&$1' });
  });

  test.each(['$VAR', '${}', '${1A}', '$ {A}', '${A-b}', '{A}'])('%s is no variable', (text) => {
    expect(secret(`stringData: {a: '${text}'}`, { A: 'no', VAR: 'no' }).values).toEqual({ a: text });
  });

  test.each([
    ['missing', {}],
    ['empty', { NOT_THERE: '' }],
  ])('[ERR-19] a variable that is %s is named with file, line and column, and the value is left out', (_name, env) => {
    const { notes, values, faults } = secret('stringData:\n  good: yes-it-is\n  bad: a${NOT_THERE}b', env);
    expect(values).toEqual({ good: 'yes-it-is' });
    expect(faults).toEqual([]);
    expect(notes).toEqual([
      { file: space.path('a.yaml'), line: 6, column: 3, message: 'the environment variable NOT_THERE is not set' },
    ]);
  });
});

describe('Secrets', () => {
  test('data is base64, broken lines included; stringData wins', () => {
    const folded = 'data:\n  a: YWJj\n  b: |\n    YW\n    Jj\n  c: eHg=\nstringData:\n  c: clear';
    expect(secret(folded).values).toEqual({ a: 'abc', b: 'abc', c: 'clear' });
  });

  test('${VAR} in data is not base64, and says where it belongs', () => {
    const { faults, values } = secret('data:\n  a: ${TOKEN}', { TOKEN });
    expect(values).toEqual({});
    expect(faults).toEqual([
      expect.objectContaining({ line: 5, message: expect.stringContaining('data.a: must be base64') as string }),
    ]);
  });

  test.each([
    ['a number', 'stringData: {a: 123}'],
    ['a boolean', 'stringData: {a: off}'],
    ['a list', 'stringData: {a: [x]}'],
    ['a number as base64', 'data: {a: 1234}'],
  ])('[SEC-21] %s is refused as an API server would, without repeating it', (_name, members) => {
    const { faults, values } = secret(members);
    expect(values).toEqual({});
    expect(faults.map(({ message }) => message)).toEqual([expect.stringMatching(/^\w+\.a: must be a string/)]);
  });

  test.each(['stringData: text', 'data: [a]', 'data: 5'])('%s is refused', (members) => {
    expect(secret(members).faults).toHaveLength(1);
  });

  test('a member without a value is absent, not the word null', () => {
    expect(secret('stringData:\n  a:\n  b: x').values).toEqual({ b: 'x' });
    expect(secret('data:\nstringData:').values).toEqual({});
  });

  test('[SEC-21] values print as redacted', () => {
    expect(
      JSON.stringify([...secret(`stringData: {a: ${TOKEN}}`).secrets.values()].map((each) => [...each])),
    ).not.toContain(TOKEN);
  });
});

describe("other people's kinds", () => {
  test.each([
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {}\n',
    'apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: a}\nspec: {gatewayClassName: x}\n',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n',
    'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n',
  ])('are passed over', (text) => {
    const { objects, faults, notes } = load(text);
    expect({ objects, faults, notes }).toEqual({ objects: [], faults: [], notes: [] });
  });

  test.each([
    ['group', GATEWAY.replace('portcullis.dev/', 'portculis.dev/'), /apiVersion: must be/],
    ['group, other case', GATEWAY.replace('portcullis.dev/', 'Portcullis.dev/'), /apiVersion: must be/],
    ['version', GATEWAY.replace('v1alpha1', 'v1'), /apiVersion: must be/],
    ['version missing', GATEWAY.replace('portcullis.dev/v1alpha1', 'v1'), /apiVersion: must be/],
    ['version left out', GATEWAY.replace(/^apiVersion.*\n/, ''), /apiVersion: is required/],
    ['kind', GATEWAY.replace('kind: Gateway', 'kind: Gatway'), /did you mean Gateway/],
    ['top level', `${GATEWAY}sepc: {}\n`, /unknown field sepc; did you mean spec/],
    ['name', GATEWAY.replace('name: claude', 'name: Claude_'), /metadata\.name/],
  ])('[OPS-07] a typing error in the %s of ours is a fault, not somebody else', (_name, text, message) => {
    const { objects, faults } = load(text);
    expect(objects).toEqual([]);
    expect(faults[0]?.message).toMatch(message);
  });

  test('[OPS-07] a Gateway name that leaves no room for its Service is refused', () => {
    const named = (length: number) => load(GATEWAY.replace('claude', 'c'.repeat(length)));
    expect(named(50).faults).toEqual([]);
    expect(named(51).faults).toEqual([
      {
        file: space.path('a.yaml'),
        line: 3,
        column: 12,
        message: 'metadata.name: must have at most 50 characters for a Gateway',
      },
    ]);
    const key = generatedKey('k'.repeat(51)).replace(/secretName: \S+-key/, 'secretName: x');
    expect(load(key).faults, 'other kinds have their own limit').toEqual([]);
  });
});

describe('several documents and files', () => {
  test('an object that is there twice is a fault at the second place', () => {
    const first = space.write('dir/a.yaml', GATEWAY);
    const second = space.write('dir/b.yaml', documents(UPSTREAM, UPSTREAM, GATEWAY));
    const { faults, objects } = loadFiles([first, second], {}, () => SEEN);
    expect(objects.map(({ kind }) => kind)).toEqual(['Gateway', 'Upstream']);
    expect(faults.map(({ file, line, message }) => [file, line, message])).toEqual([
      [second, 16, 'Secret default/anthropic is there twice'],
      [second, 21, 'Upstream default/anthropic is there twice'],
      [second, 29, 'Gateway default/claude is there twice'],
    ]);
  });

  test('the same name in another namespace is another object', () => {
    const text = documents(GATEWAY, GATEWAY.replace('{name: claude}', '{name: claude, namespace: b}'));
    expect(load(text).objects.map(({ metadata }) => metadata.namespace)).toEqual(['default', 'b']);
  });

  test('a folder stands for its manifests in order of name', () => {
    for (const name of ['b.yml', 'a.yaml', 'c.json', 'README.md', '.a.yaml.swp', 'sub/d.yaml'])
      space.write(`f/${name}`, '');
    expect(manifestFiles([space.path('f')])).toEqual(
      ['a.yaml', 'b.yml', 'c.json'].map((name) => space.path(`f/${name}`)),
    );
  });

  test('a file that is not there is an error, never an empty configuration', () => {
    expect(() => loadFiles([space.path('nowhere.yaml')], {}, () => SEEN)).toThrow(
      expect.objectContaining({ code: 'ENOENT' }) as Error,
    );
  });

  test('one broken document leaves the others readable and is placed', () => {
    const { objects, faults } = load(documents('a: [1,\n', GATEWAY));
    expect(objects).toHaveLength(1);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ file: space.path('a.yaml'), line: expect.any(Number) as number });
  });

  test('the revision is that of the content', () => {
    expect(load(GATEWAY).revision).toBe(load(GATEWAY).revision);
    expect(load(GATEWAY).revision).not.toBe(load(`${GATEWAY} `).revision);
  });

  test('namespaces come with their labels', () => {
    const { namespaces } = load('apiVersion: v1\nkind: Namespace\nmetadata: {name: team, labels: {a: b}}\n');
    expect([...namespaces]).toEqual([['team', { a: 'b' }]]);
  });
});

describe('ConfigMaps', () => {
  test("data is text as it stands, without variables; other members are nobody's here", () => {
    const { configMaps, faults } = load(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '${TOKEN}'}\nbinaryData: {b: AA==}\n",
      { TOKEN: '1' },
    );
    expect(faults).toEqual([]);
    expect(configMaps).toEqual(new Map([['default/c', new Map([['a', '${TOKEN}']])]]));
  });
});
