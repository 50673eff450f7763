import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { LineMemory } from './documents-plain-lines.ts';
import { readPlain } from './documents-plain.ts';
import { readDocuments } from './documents.ts';

/** What the full parser says; a directive keeps the fast reader from the text. */
function readFully(text: string): unknown {
  const { documents, faults } = readDocuments(`%YAML 1.2\n---\n${text}`, 'a.yaml');
  return faults.length > 0 || documents.length !== 1 ? { faults } : documents[0]?.value;
}

const word = fc.oneof(
  fc.constantFrom(
    'claude-*',
    'ci',
    '90s',
    '32Mi',
    '10.0.0.0/8',
    'on',
    'null',
    'y',
    '0',
    '8080',
    '-1',
    '1.0',
    '0x1f',
    '1e3',
    '1_000',
  ),
  fc.constantFrom(
    '2027-01-01',
    'http://localhost:8080',
    'a: b',
    'a:b',
    'a #b',
    '#b',
    '- a',
    '-',
    '<<',
    '~',
    '.inf',
    '"q"',
    "it's",
    '[',
    '{}',
  ),
  fc.string({ maxLength: 8 }),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    word,
    fc.oneof(fc.integer(), fc.boolean(), fc.constant(null), fc.double()),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(word, tie('value'), { maxKeys: 4 }),
  ),
}));
const layout = fc.record({
  collectionStyle: fc.constantFrom('any' as const, 'block' as const, 'flow' as const),
  indentSeq: fc.boolean(),
  indent: fc.integer({ min: 1, max: 4 }),
  defaultStringType: fc.constantFrom('PLAIN' as const, 'QUOTE_DOUBLE' as const, 'QUOTE_SINGLE' as const),
  lineWidth: fc.constantFrom(0, 80),
});

/** One for all texts, as for all documents of a file: what it remembers must not depend on where a line stood. */
const memory = new LineMemory();

describe('the fast reader', () => {
  it('never says anything but what the full parser says, for manifests in any layout', () => {
    fc.assert(
      fc.property(fc.dictionary(word, value, { minKeys: 1, maxKeys: 4 }), layout, (object, options) => {
        const text = stringify(object, { ...options, version: '1.1' });
        const fast = readPlain(text, memory);
        expect(fast ?? readFully(text)).toEqual(readFully(text));
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ...'b| b|b |b  c|b # c|b #|#b|b: c|b:|{c: 1}|{c: 1|[1, 2] |"b" c|"#"|1|0x1|1.5|yes|~||&b c|*b|!b c|- b|? b|@|é|"é|b\tc|\\|b\r'.split(
      '|',
    ),
    '|',
    '>',
    "'b'",
    '"a\u2028b"',
    'b\n   c',
    'b\nsecond: c',
  ])('is not misled by what stood in a place before: %j', (text) => {
    const before = `a:\n  first: x\n  second: {d: 1}\nc: z\n`;
    for (const member of ['first', 'second']) {
      const after = before.replace(new RegExp(`${member}: .*`), () => `${member}: ${text}`);
      const own = new LineMemory();
      expect(readPlain(before, own)).toEqual(readFully(before));
      expect(readPlain(after, own) ?? readFully(after)).toEqual(readFully(after));
      expect(readPlain(before, own)).toEqual(readFully(before));
    }
  });

  it('never says anything but what the full parser says, for lines put together at random', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      'b',
      ': ',
      ':',
      '- ',
      '-',
      '  ',
      '    ',
      ' ',
      '\n',
      '\n',
      '\n',
      '\n  ',
      '{',
      '}',
      '[',
      ']',
      ', ',
      ',',
      '"',
      "'",
      '#',
      ' #',
      '1',
      '01',
      '-1',
      '.5',
      'on',
      '?',
      '? ',
      '&a ',
      '*a',
      '|',
      '>',
      '!',
      '%',
      '@',
      '\t',
      '---',
      '...',
      '<<',
      '\\',
      'é',
      '\u00a0',
      '\u2028',
      '__proto__',
      'x y',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
        const text = `a: ${pieces.join('')}`;
        const fast = readPlain(text, memory);
        expect(fast ?? readFully(text)).toEqual(readFully(text));
      }),
      { numRuns: 20_000 },
    );
  });

  it('reads by itself what manifests usually look like', () => {
    const text = `# Generated
apiVersion: portcullis.dev/v1alpha1
kind: VirtualKey
metadata: {name: ci, labels: {team: build, "app.kubernetes.io/name": 'ci'}}
spec:
  owner:
    type: Service
    name: ci
  list:
  - name: a
    port: 8080
  -
    name: b
  models: {allow: ["claude-*", claude-x]}
  url: http://localhost:8080
  note: two words
  nothing:
  off: false
`;
    const plain = text.replace('  off: false\n', '');
    expect(readPlain(plain)).toEqual(readFully(plain));
    expect(readPlain(plain)).toMatchObject({
      spec: { list: [{ name: 'a', port: 8080 }, { name: 'b' }], nothing: null },
    });
    expect(readPlain(text)).toBeUndefined();
  });
});
