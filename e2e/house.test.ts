// The rules of the house: who may import whom, what stands at the top level, how long a file may get.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = new URL('..', import.meta.url).pathname;
const TOP_LEVEL = [
  'Makefile',
  'README.md',
  'charts',
  'crds',
  'dataplane',
  'e2e',
  'operator',
  'package-lock.json',
  'package.json',
  'shared',
  'tsconfig.json',
];
const MAX_LINES = 300;

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(ROOT, file)));
const sources = files.filter((file) => /^(shared|operator|dataplane|e2e)\/.*\.ts$/.test(file));
const isTest = (file: string): boolean => /\.(test|cases)\.ts$|\/testing\.ts$/.test(file);

/** Modules a file imports: `#shared/…` and relative ones as paths from the root, packages by name. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map(([, name = '']) => {
    if (name.startsWith('#')) return name.slice(1);
    return name.startsWith('.') ? relative(ROOT, join(ROOT, dirname(file), name)) : name;
  });
}

function offenders(from: RegExp, forbidden: RegExp): string[] {
  return sources
    .filter((file) => from.test(file) && !isTest(file))
    .flatMap((file) =>
      importsOf(file)
        .filter((name) => forbidden.test(name))
        .map((name) => `${file} imports ${name}`),
    );
}

test('shared imports nothing of operator and dataplane', () => {
  expect(offenders(/^shared\//, /^(operator|dataplane|e2e)\//)).toEqual([]);
});

test('operator and dataplane never import each other', () => {
  expect(offenders(/^operator\//, /^(dataplane|e2e)\//)).toEqual([]);
  expect(offenders(/^dataplane\//, /^(operator|e2e)\//)).toEqual([]);
});

test('only shared/kube imports the Kubernetes client, and only operator, dataplane/config/cluster* and tests use shared/kube', () => {
  expect(offenders(/^(?!shared\/kube\/)/, /^@kubernetes\//)).toEqual([]);
  expect(
    offenders(/^(?!shared\/kube\/|operator\/|dataplane\/config\/cluster|dataplane\/main\.ts|e2e\/)/, /^shared\/kube\//),
  ).toEqual([]);
});

test('the compile step is pure: no I/O, no clock, no randomness', () => {
  expect(offenders(/^shared\/compile\//, /^node:(?!crypto)/)).toEqual([]);
  const impure = sources
    .filter((file) => file.startsWith('shared/compile/') && !isTest(file))
    .filter((file) =>
      /\b(await|Date\.now|new Date\(\)|Math\.random|randomBytes|process\.)\b/.test(
        readFileSync(join(ROOT, file), 'utf8'),
      ),
    );
  expect(impure).toEqual([]);
});

test('nothing but composition roots looks at the process, the clock or randomness', () => {
  const roots =
    /^dataplane\/(main|data-plane|cli\/\w[\w-]*)\.ts$|^shared\/api\/generate-crds\.ts$|^operator\/main\.ts$/;
  const offending = sources
    .filter((file) => /^(shared|operator|dataplane)\//.test(file) && !isTest(file) && !roots.test(file))
    .filter((file) =>
      /\b(process\.(env|argv|exit)|Date\.now\(|Math\.random\()/.test(readFileSync(join(ROOT, file), 'utf8')),
    );
  expect(offending).toEqual([]);
});

test('the top level holds what it should and nothing else', () => {
  const top = new Set(files.map((file) => file.split('/')[0]!).filter((name) => !name.startsWith('.')));
  expect([...top].filter((name) => !TOP_LEVEL.includes(name))).toEqual([]);
});

test(`no source file passes ${MAX_LINES} lines`, () => {
  const long = sources
    .filter((file) => !isTest(file))
    .map((file) => [file, readFileSync(join(ROOT, file), 'utf8').split('\n').length - 1] as const)
    .filter(([, lines]) => lines > MAX_LINES);
  expect(long).toEqual([]);
});

test('every folder of sources says at its files what they are for', () => {
  const silent = sources.filter(
    (file) => !isTest(file) && !/^(\/\/|\/\*\*|#!)/.test(readFileSync(join(ROOT, file), 'utf8')),
  );
  expect(silent).toEqual([]);
});

test('every proven row names tests that exist, and a test names the row', () => {
  const tests = files.filter((file) => file.endsWith('.test.ts'));
  const titles = tests.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n');
  const rows = readFileSync(join(ROOT, 'e2e/requirements.md'), 'utf8').matchAll(/^\| ([A-Z]+-\d+) \| (.*) \|$/gm);
  const unproven = [...rows].flatMap(([, id = '', proof = '']) => {
    const missing = [...proof.matchAll(/[\w./-]+\.test\.ts/g)].filter(
      ([name]) => !tests.some((file) => file.endsWith(name)),
    );
    return [...(titles.includes(id) ? [] : [`${id}: no test`]), ...missing.map(([name]) => `${id}: no ${name}`)];
  });
  expect(unproven).toEqual([]);
});
