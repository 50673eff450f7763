// The definitions on a real API server: it keeps every keyword, fills in the very defaults our own reader fills in, refuses what is unknown
// and what could be a secret, has CEL budget to spare, and takes every manifest of the repository.
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { customResourceDefinition } from '#shared/api/crd.ts';
import { structuralSchema, type StructuralSchema } from '#shared/api/crd-schema.ts';
import { schemaNodes } from '#shared/api/crd-walk.ts';
import { API_VERSION, KINDS, type KindInfo } from '#shared/api/kinds.ts';
import { parseSpec } from '#shared/api/parse.ts';
import { BASE_SPECS } from '#shared/api/rule-case.ts';
import { replaced } from '#shared/api/schema-faults.ts';
import { ApiError } from '#shared/kube/client.ts';
import { sharedControlPlane, testNamespace } from '../harness/kubernetes/shared-control-plane.ts';
import { tryCreate } from './manifest-door.ts';

const plane = await sharedControlPlane();
const namespace = await testNamespace('definition');
const root = new URL('../../', import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, root), 'utf8');

interface Definition {
  readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: StructuralSchema } }[] };
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

describe.each([...KINDS])('the definition of $kind', (info) => {
  const file = `crds/${info.plural}.yaml`;

  test('applies by server-side apply under strict validation, as often as one likes', async () => {
    const args = ['apply', '--server-side', '--validate=strict', '--dry-run=server', '-f', '-'];
    const fresh = read(file).replaceAll('portcullis.dev', 'portcullis.example');
    expect(await plane.kubectl(args, fresh)).toEqual({
      code: 0,
      stdout: `customresourcedefinition.apiextensions.k8s.io/${info.plural}.portcullis.example serverside-applied (server dry run)\n`,
      stderr: '',
    });
    expect(await plane.kubectl(args, read(file))).toMatchObject({ code: 0, stderr: '' });
  });

  test('is served whole: no keyword is dropped or changed on the way', async () => {
    const stored = (await plane.raw.send('GET', `${DEFINITIONS}/${info.plural}.portcullis.dev`)) as Definition;
    expect(stored.spec.versions).toEqual(customResourceDefinition(info).spec.versions);
    const conditions = Object.fromEntries(stored.status.conditions.map(({ type, status }) => [type, status]));
    expect(conditions).toMatchObject({ NamesAccepted: 'True', Established: 'True' });
    expect(conditions).not.toHaveProperty('NonStructuralSchema');
  });

  test('fills in the defaults that our own reader fills in', async () => {
    const { stored, said } = await tryCreate(plane, namespace, info.kind, BASE_SPECS[info.kind]);
    expect(said).toBe('');
    expect(parseSpec(info.kind, BASE_SPECS[info.kind])).toEqual({ ok: true, value: stored?.spec });
  });

  test('stays under a tenth of the CEL budget: ten times the bounds still apply', async () => {
    expect(await tryDefinition(info, 10)).toBe('');
  });
});

test('the CEL budget is watched: bounds without measure are refused by name', async () => {
  const said = await Promise.all(KINDS.map((info) => tryDefinition(info, 1_000_000)));
  expect(said.join('\n')).toMatch(/estimated rule cost exceeds budget by factor of/);
});

/** What the server says to the definition with every bound raised. Nothing is stored. */
async function tryDefinition(info: KindInfo, factor: number): Promise<string> {
  const crd = structuredClone(customResourceDefinition(info));
  for (const { schema } of schemaNodes(crd.spec.versions[0]?.schema.openAPIV3Schema ?? {}))
    for (const bound of ['maxLength', 'maxItems', 'maxProperties'])
      if (typeof schema[bound] === 'number') schema[bound] *= factor;
  const group = 'portcullis.example';
  const { metadata, spec } = crd;
  const body = { ...crd, metadata: { ...metadata, name: `${info.plural}.${group}` }, spec: { ...spec, group } };
  try {
    await plane.raw.send('POST', `${DEFINITIONS}?dryRun=All&fieldValidation=Strict`, body);
    return '';
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
}

describe('[PROV-15] a secret has no place in a manifest', () => {
  const SECRET = 'sk-ant-api03-very-secret';
  const isReference = ({ properties = {} }: StructuralSchema): boolean =>
    ['name', 'key'].every((member) => member in properties) && Object.keys(properties).length === 2;
  const references = KINDS.flatMap(({ kind, spec }) =>
    schemaNodes(structuralSchema(spec))
      .filter(({ schema }) => isReference(schema))
      .map(({ place }) => [kind, place] as const),
  );

  test('where one is needed, a reference is', () => {
    expect(references).toEqual(
      expect.arrayContaining([
        ['Upstream', 'anthropic.auth.apiKey'],
        ['Upstream', 'anthropic.auth.bearerToken'],
        ['Upstream', 'headers[].valueFrom'],
        ['VirtualKey', 'credential.imported.secretRef'],
      ]),
    );
  });

  test.each(references)(
    '%s %s takes neither a value nor one beside the reference, and repeats none',
    async (kind, place) => {
      const path = place.split('.').flatMap((part) => (part.endsWith('[]') ? [part.slice(0, -2), 0] : [part]));
      for (const inline of [SECRET, { value: SECRET }, { name: 's', key: 'k', value: SECRET }]) {
        const spec = replaced(BASE_SPECS[kind], path, inline);
        const { said } = await tryCreate(plane, namespace, kind, spec);
        expect(said).toMatch(/unknown field|must be of type object/);
        const parsed = parseSpec(kind, spec);
        expect(parsed.ok).toBe(false);
        expect(`${said} ${JSON.stringify(parsed)}`).not.toContain(SECRET);
      }
    },
  );
});

describe('every manifest of the repository goes in as it stands', () => {
  const fences = Array.from(read('README.md').matchAll(/^```ya?ml[^\n]*\n(.*?)^```/gms), ([, yaml = '']) => yaml);
  const manifests: [string, string][] = [
    ...globSync('crds/samples/*.yaml', { cwd: root.pathname }).map((file): [string, string] => [file, read(file)]),
    ...fences
      .map((yaml, index): [string, string] => [`README.md, example ${index + 1}`, yaml])
      .filter(([, yaml]) => yaml.includes(API_VERSION)),
  ];

  test.each(manifests)('%s', async (_, yaml) => {
    const objects = parseAllDocuments(yaml).map((document) => document.toJS() as Named | null);
    for (const name of new Set(objects.map((object) => object?.metadata.namespace ?? namespace)))
      await plane.kubectl(['create', 'namespace', name]);
    const args = ['apply', '--server-side', '--validate=strict', '--dry-run=server', '-f', '-'];
    // Objects without a namespace go where the tests may write.
    const placed = objects
      .filter((object) => object !== null)
      .map((object) => ({ ...object, metadata: { namespace, ...object.metadata } }));
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: placed });
    const { code, stdout, stderr } = await plane.kubectl(args, list);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.trim().split('\n')).toHaveLength(placed.length);
  });

  test('and would be told where it does not', async () => {
    const yaml = read('crds/samples/quickstart.yaml').replace('publicUrl:', 'publicURL:');
    const { code, stderr } = await plane.kubectl(['apply', '-n', namespace, '--dry-run=server', '-f', '-'], yaml);
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('unknown field "spec.publicURL"'),
    });
  });
});

interface Named {
  readonly metadata: { readonly name: string; readonly namespace?: string };
}
