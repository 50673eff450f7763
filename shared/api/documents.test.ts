import { describe, expect, it } from 'vitest';
import { readDocuments } from './documents.ts';

const read = (text: string) => readDocuments(text, 'a.yaml');
const values = (text: string) => read(text).documents.map((document) => document.value);
const places = (text: string) => read(text).faults.map(({ line, column, message }) => `${line}:${column} ${message}`);

describe('reading documents', () => {
  const cases: [string, string, unknown[]][] = [
    ['several documents', 'kind: A\n---\nkind: B\n', [{ kind: 'A' }, { kind: 'B' }]],
    ['skips empty ones and comments', '---\n---\n# nothing\n---\nkind: A\n---\n', [{ kind: 'A' }]],
    ['an empty file', '', []],
    ['Windows line ends and a byte order mark', '\uFEFFkind: A\r\n---\r\nkind: B\r\n', [{ kind: 'A' }, { kind: 'B' }]],
    ['directives and document ends', '%YAML 1.2\n---\nkind: A\n...\n---\nkind: B\n', [{ kind: 'A' }, { kind: 'B' }]],
    ['JSON', '{\n\t"kind": "A",\n\t"n": [1, 2]\n}\n', [{ kind: 'A', n: [1, 2] }]],
    [
      'a List, by its items',
      'kind: List\nitems:\n- kind: A\n- kind: List\n  items: [{kind: B}]\n',
      [{ kind: 'A' }, { kind: 'B' }],
    ],
    ['anchors and merge keys', 'a: &a {x: 1}\nb: {<<: *a, z: 2}\n', [{ a: { x: 1 }, b: { x: 1, z: 2 } }]],
    ['times as the text they are', 'at: 2027-01-01T00:00:00Z\n', [{ at: '2027-01-01T00:00:00Z' }]],
    ['bare words as a cluster reads them', 'a: off\nb: yes\nc: "off"\n', [{ a: false, b: true, c: 'off' }]],
    ['bare words in full documents too', 'a: off # c\nb: [yes]\n', [{ a: false, b: [true] }]],
    ['a marker with content behind it', '--- {kind: A}\n', [{ kind: 'A' }]],
  ];
  it.each(cases)('reads %s', (_, text, expected) => {
    expect(read(text).faults).toEqual([]);
    expect(values(text)).toEqual(expected);
  });
});

describe('faults', () => {
  const cases: [string, string, string[]][] = [
    ['a repeated key', 'kind: A\n---\nspec:\n  a: 1\n  b: 2\n  a: 3\n', ['6:3 repeats the key a']],
    ['a repeated key in JSON', '{"kind": "A",\n "kind": "B"}', ['2:2 repeats the key kind']],
    [
      'a document that is a list',
      'kind: A\n---\n- a\n',
      ['3:1 must be an object with apiVersion, kind, metadata and spec'],
    ],
    [
      'a document that is text',
      'kind: A\n---\nwords\n',
      ['3:1 must be an object with apiVersion, kind, metadata and spec'],
    ],
    [
      'an item of a List that is no object',
      'kind: List\nitems:\n- kind: A\n- 7\n',
      ['4:3 must be an object with apiVersion, kind, metadata and spec'],
    ],
  ];
  it.each(cases)('places %s', (_, text, expected) => {
    expect(places(text)).toEqual(expected);
  });

  it('places a syntax error, once, and still reads the other documents', () => {
    const { documents, faults } = read('kind: A\n---\nspec:\n  a: [1, 2\n  b: 3\n---\nkind: C\n');
    expect(documents.map((document) => document.value['kind'])).toEqual(['A', 'C']);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ file: 'a.yaml', line: 5 });
  });

  const leaky = ['a: |s3cret\n  x\n', 'a: *s3cret\n', 'a: "x"\ns3cret\n', 'a: [s3cret\n', '}s3cret'];
  it.each(leaky)('never repeats a value, because it may be a secret: %j [SEC-21]', (text) => {
    const { faults } = read(text);
    expect(faults).not.toEqual([]);
    expect(JSON.stringify(faults)).not.toContain('s3cret');
  });

  it('names every repeated key of a document', () => {
    expect(places('a: 1\na: 2\nb: 1\nb: 2\n')).toEqual(['2:1 repeats the key a', '4:1 repeats the key b']);
  });

  it('refuses anchors that multiply', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (const [name, before] of ['ba', 'cb', 'dc', 'ed', 'fe'])
      bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`);
    expect(places(bomb.join('\n'))).toEqual(['1:1 uses anchors more than 100 times or without a definition']);
  });

  it('refuses nesting beyond reason instead of falling over', () => {
    expect(places(`a: ${'['.repeat(50_000)}`)).toHaveLength(1);
  });
});

describe('positions', () => {
  const text = [
    'kind: A', // 1
    '---', // 2
    '# a comment', // 3
    'kind: Policy', // 4
    'spec:', // 5
    '  models:', // 6
    '    allow:', // 7
    '      - claude-*', // 8
    '      - "x y"', // 9
    '    alow: [a,  b]', // 10
  ].join('\n');
  const cases: [string, (string | number)[], string][] = [
    ['a key', ['spec', 'models'], '6:3'],
    ['an item of a list', ['spec', 'models', 'allow', 1], '9:9'],
    ['an item of a list on one line', ['spec', 'models', 'alow', 1], '10:16'],
    ['an unknown key', ['spec', 'models', 'alow'], '10:5'],
    ['the parent of what is missing', ['spec', 'models', 'deny', 3], '6:3'],
    ['the list of an item that is missing', ['spec', 'models', 'allow', 7], '7:5'],
    ['the document', [], '4:1'],
    ['the document for a missing member', ['metadata', 'name'], '4:1'],
  ];
  it.each(cases)('finds %s', (_, path, expected) => {
    const { line, column, file } = read(text).documents[1]?.locate(path) ?? { line: 0, column: 0, file: '' };
    expect(`${file} ${line}:${column}`).toBe(`a.yaml ${expected}`);
  });

  it('finds members of the items of a List, of JSON, and through anchors', () => {
    const list = read('kind: List\nitems:\n- kind: A\n- kind: B\n  spec: {x: 1}\n').documents[1];
    expect(list?.locate(['spec', 'x'])).toMatchObject({ line: 5, column: 10 });
    expect(list?.locate([])).toMatchObject({ line: 4, column: 3 });
    const json = read('{"spec":\n {"x": [1,\n 2]}}').documents[0];
    expect(json?.locate(['spec', 'x', 1])).toMatchObject({ line: 3, column: 2 });
    const anchored = read('a: &a\n  x: 1\nb: *a\n').documents[0];
    expect(anchored?.locate(['b', 'x'])).toMatchObject({ line: 2, column: 3 });
  });
});

it('reads 100,000 documents in seconds', { timeout: 60_000 }, () => {
  const text = Array.from(
    { length: 100_000 },
    (_, i) => `apiVersion: portcullis.dev/v1alpha1
kind: VirtualKey
metadata: {name: key-${i}, namespace: team-${i % 50}, labels: {team: build}}
spec:
  gatewayRef: {name: claude}
  owner: {type: Service, name: ci-${i}}
  credential:
    type: Imported
    imported: {secretRef: {name: keys, key: k${i}}}
  models:
    allow: ["claude-*"]
  expiresAt: "2027-01-01T00:00:00Z"
`,
  ).join('---\n');
  const before = process.threadCpuUsage();
  const { documents, faults } = read(text);
  const { user, system } = process.threadCpuUsage(before);
  expect(documents).toHaveLength(100_000);
  expect(faults).toEqual([]);
  expect(documents[99_999]?.locate(['spec', 'owner', 'name']).line).toBe(99_999 * 13 + 6);
  // Some 2 s of CPU, where the full parser takes 15; wall time would also measure who else is on the machine.
  expect((user + system) / 1e6).toBeLessThan(8);
});
