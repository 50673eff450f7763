// The charts as Helm makes them of several values, judged by Helm, by schemas of the API server, and by the API server itself.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { crdFiles } from '#shared/api/crd-yaml.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { binary } from '../harness/kubernetes/binaries.ts';
import { sharedControlPlane, testNamespace } from '../harness/kubernetes/shared-control-plane.ts';
import { CHARTS, helm, HELMS, namesOf, objectsOf, render, type Chart } from './helm.ts';
import { installManifest } from './install-manifest.ts';
import { writeSchemas } from './schemas.ts';

const UPDATE = process.env['UPDATE_GOLDEN'] === '1';
const golden = new URL('golden/', import.meta.url);
const cases = readdirSync(golden);
const valuesOf = (name: string): string[] => ['--values', new URL(`${name}/values.yaml`, golden).pathname];
const plane = await sharedControlPlane();
const folder = mkdtempSync(join(tmpdir(), 'portcullis-schemas-'));

beforeAll(async () => {
  const openApi = (await plane.raw.send('GET', '/openapi/v2')) as Parameters<typeof writeSchemas>[0];
  expect(await writeSchemas(openApi, folder)).toBeGreaterThan(100);
});

afterAll(() => rmSync(folder, { recursive: true }));

/** What kubeconform has against a manifest: every fault, and every kind it has no schema for. */
function faultsOf(manifest: string): Promise<string> {
  const location = join(folder, '{{ .ResourceKind }}{{ .KindSuffix }}.json');
  return new Promise((resolve) => {
    const child = execFile(
      binary('kubeconform'),
      ['-strict', '-schema-location', location, '-'],
      { maxBuffer: 16 * 1024 ** 2 },
      (_, stdout, stderr) => resolve(stdout + stderr),
    );
    child.stdin?.end(manifest);
  });
}

/** Compares with a file, or rewrites it on `make manifests`. */
function expectFile(place: URL | string, text: string): void {
  if (UPDATE) writeFileSync(place, text);
  expect(existsSync(place) ? readFileSync(place, 'utf8') : '').toBe(text);
}

describe.each(HELMS)('%s', (which) => {
  test.each<Chart>(['portcullis', 'portcullis-crds'])('[OPS-01] finds nothing wrong with %s', async (chart) => {
    const said = await helm(['lint', '--strict', `${CHARTS}${chart}`], which);
    expect(said).toContain('0 chart(s) failed');
    expect(said).not.toMatch(/WARNING|ERROR/);
  });

  test.each(cases)('[OPS-01] renders golden/%s', async (name) => {
    const text = await render('portcullis', valuesOf(name), which);
    // The majors differ in blank lines and in the order of objects that may come in any.
    if (which === 'helm') expectFile(new URL(`${name}/rendered.yaml`, golden), text);
    const committed = readFileSync(new URL(`${name}/rendered.yaml`, golden), 'utf8');
    const sorted = (manifest: string) =>
      objectsOf(manifest)
        .map((object) => JSON.stringify(object))
        .sort();
    expect(sorted(text)).toEqual(sorted(committed));
  });
});

describe('what is rendered', () => {
  test.each(cases)('golden/%s holds no member that the API server does not know', async (name) => {
    expect(await faultsOf(await render('portcullis', valuesOf(name)))).toBe('');
  });

  test('kubeconform would tell', async () => {
    const manifest = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: { prots: [] } };
    expect(await faultsOf(JSON.stringify(manifest))).toContain('prots');
    expect(await faultsOf(JSON.stringify({ ...manifest, kind: 'Nothing' }))).toContain('Nothing');
  });

  test('[OPS-01] the definitions are those of crds/, and stay when the chart goes unless told otherwise', async () => {
    const kept = objectsOf(await render('portcullis-crds'));
    const policy = { 'helm.sh/resource-policy': 'keep' };
    expect(kept.map(({ metadata }) => metadata.annotations)).toEqual(kept.map(() => policy));
    const plain = objectsOf(await render('portcullis-crds', ['--set', 'keep=false']));
    const own = crdFiles().flatMap(({ text }) => objectsOf(text));
    const byName = (objects: typeof own) => new Map(objects.map((object) => [object.metadata.name, object]));
    expect(byName(plain)).toEqual(byName(own));
    expect(await faultsOf(await render('portcullis-crds'))).toBe('');
  });

  test('[SEC-22] with namespaces to watch, nothing of the cluster as a whole is made', async () => {
    expect(namesOf(await render('portcullis', valuesOf('namespaced')))).toEqual([
      'Deployment portcullis-system/portcullis',
      'Role ai-platform/portcullis',
      'Role ai-staging/portcullis',
      'Role portcullis-system/portcullis-leader',
      'RoleBinding ai-platform/portcullis',
      'RoleBinding ai-staging/portcullis',
      'RoleBinding portcullis-system/portcullis-leader',
      'ServiceAccount portcullis-system/portcullis',
    ]);
  });

  test('the rights of both modes are the same but for namespaces', async () => {
    const rulesOf = async (name: string, kind: string) => {
      const objects = objectsOf(await render('portcullis', valuesOf(name)));
      const found = objects.find((object) => object.kind === kind && object.metadata.name === 'portcullis');
      return (found as unknown as { rules: { resources: string[] }[] }).rules;
    };
    const cluster = await rulesOf('default', 'ClusterRole');
    expect(cluster.at(-1)).toEqual({ apiGroups: [''], resources: ['namespaces'], verbs: ['get', 'list', 'watch'] });
    expect(await rulesOf('namespaced', 'Role')).toEqual(cluster.slice(0, -1));
    expect(JSON.stringify(cluster)).not.toMatch(/"\*"|escalate|bind"/);
  });

  test('is the same at every rendering: Argo CD would see a change in anything else', async () => {
    expect(await render('portcullis')).toBe(await render('portcullis'));
  });
});

test.each([
  ['replica=2', 'replica'],
  ['image.pullPolicy=Sometimes', 'pullPolicy'],
  ['replicas=0', 'replicas'],
  ['watchNamespaces[0]=Bad_Name', 'watchNamespaces'],
  ['image.digest=abc', 'digest'],
])('values that do not exist or make no sense are refused: %s', async (set, named) => {
  await expect(render('portcullis', ['--set', set])).rejects.toThrow(named);
});

test('every value has an effect or is looked at', () => {
  const templates = readdirSync(`${CHARTS}portcullis/templates`)
    .map((name) => readFileSync(`${CHARTS}portcullis/templates/${name}`, 'utf8'))
    .join('\n');
  const { properties } = JSON.parse(readFileSync(`${CHARTS}portcullis/values.schema.json`, 'utf8')) as {
    properties: Record<string, unknown>;
  };
  const values = objectsOf(readFileSync(`${CHARTS}portcullis/values.yaml`, 'utf8'))[0]!;
  expect(
    Object.keys(properties)
      .filter((name) => name !== 'global')
      .sort(),
  ).toEqual(Object.keys(values).sort());
  expect(Object.keys(values).filter((name) => !templates.includes(`.Values.${name}`))).toEqual([]);
});

test('charts have the version of the program', () => {
  for (const chart of ['portcullis', 'portcullis-crds']) {
    const text = readFileSync(`${CHARTS}${chart}/Chart.yaml`, 'utf8');
    expect(text).toContain(`\nversion: ${packageJson.version}\n`);
    expect(text).toContain(`\nappVersion: ${packageJson.version}\n`);
  }
});

describe('charts/install.yaml', () => {
  const place = `${CHARTS}install.yaml`;

  test('[OPS-01] is what make manifests writes', async () => {
    expectFile(place, await installManifest());
  });

  test('[OPS-01] is good, and holds no more and no less than the two charts and a namespace', async () => {
    const text = readFileSync(place, 'utf8');
    expect(await faultsOf(text)).toBe('');
    expect(text).not.toContain('Helm');
    const charts = [...namesOf(await render('portcullis')), ...namesOf(await render('portcullis-crds'))];
    expect(namesOf(text)).toEqual([...charts, 'Namespace /portcullis-system'].sort());
  });

  test('[SEC-22] the API server takes it where pods are restricted, with strict checks and without a warning', async () => {
    const namespace = await testNamespace('install', { 'pod-security.kubernetes.io/enforce': 'restricted' });
    const text = readFileSync(place, 'utf8').replaceAll('portcullis-system', namespace);
    const args = ['apply', '--server-side', '--dry-run=server', '--validate=strict', '--force-conflicts', '-f', '-'];
    const { stdout, stderr, code } = await plane.kubectl(args, text);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.trim().split('\n')).toHaveLength(objectsOf(text).length);
  });
});
