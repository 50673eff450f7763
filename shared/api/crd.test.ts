import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { customResourceDefinition } from './crd.ts';
import { structuralSchema, type StructuralSchema } from './crd-schema.ts';
import { schemaNodes, type SchemaNode } from './crd-walk.ts';
import { chartTemplates, crdFiles } from './crd-yaml.ts';
import { KINDS, type KindInfo } from './kinds.ts';
import { withRules } from './rules.ts';

function version(info: KindInfo) {
  const [only] = customResourceDefinition(info).spec.versions;
  if (only === undefined) throw new Error(`${info.kind} has no version`);
  return only;
}

/** Nodes below spec and status: what this project decides. */
function nodes(info: KindInfo): SchemaNode[] {
  const { properties = {} } = version(info).schema.openAPIV3Schema;
  return ['spec', 'status'].flatMap((member) => schemaNodes(properties[member] ?? {}, member));
}

/** Places of nodes that break an expectation, so that a failure names all of them. */
const offenders = (info: KindInfo, offends: (node: SchemaNode) => boolean) =>
  nodes(info)
    .filter(offends)
    .map(({ place }) => place);

describe.each([
  { place: 'crds/', files: crdFiles() },
  { place: 'charts/portcullis-crds/templates/', files: chartTemplates() },
])('$place', ({ place, files }) => {
  it('holds what make crds would write, and nothing else', () => {
    const folder = new URL(`../../${place}`, import.meta.url);
    const found = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
    expect(found.sort()).toEqual(files.map(({ name }) => name).sort());
    // Run `make crds` when this names a file.
    const stale = files.filter(({ name, text }) => readFileSync(new URL(name, folder), 'utf8') !== text);
    expect(stale.map(({ name }) => name)).toEqual([]);
  });
});

describe('the definitions', () => {
  it.each(crdFiles())('$name means the same to a YAML 1.1 and a YAML 1.2 reader', ({ text }) => {
    expect(parse(text, { version: '1.1' })).toEqual(parse(text, { version: '1.2' }));
  });
});

describe.each([...KINDS])('the definition of $kind', (info) => {
  const known = new Set(
    'description type format nullable default enum pattern minLength maxLength minimum maximum minItems maxItems minProperties maxProperties properties required items additionalProperties x-kubernetes-validations x-kubernetes-list-type x-kubernetes-list-map-keys'.split(
      ' ',
    ),
  );

  it('uses no keyword that an API server refuses or ignores', () => {
    expect(offenders(info, ({ schema }) => Object.keys(schema).some((keyword) => !known.has(keyword)))).toEqual([]);
    expect(offenders(info, ({ schema }) => typeof schema.type !== 'string')).toEqual([]);
    expect(offenders(info, ({ schema }) => typeof schema['additionalProperties'] === 'boolean')).toEqual([]);
    expect(
      offenders(info, ({ schema }) => schema.additionalProperties !== undefined && schema.properties !== undefined),
    ).toEqual([]);
  });

  it('bounds every string, list and map, because CEL is priced by the largest value', () => {
    expect(
      offenders(
        info,
        ({ schema }) => schema.type === 'string' && schema.enum === undefined && schema['maxLength'] === undefined,
      ),
    ).toEqual([]);
    expect(offenders(info, ({ schema }) => schema.type === 'array' && schema['maxItems'] === undefined)).toEqual([]);
    expect(
      offenders(
        info,
        ({ schema }) => schema.additionalProperties !== undefined && schema['maxProperties'] === undefined,
      ),
    ).toEqual([]);
  });

  it('describes every field and says how every list merges', () => {
    const isField = (place: string) => !/(\[\]|\{\})$/.test(place);
    expect(offenders(info, ({ place, schema }) => isField(place) && (schema.description ?? '').length < 8)).toEqual([]);
    expect(
      offenders(info, ({ schema }) => schema.type === 'array' && schema['x-kubernetes-list-type'] === undefined),
    ).toEqual([]);
    const keyless = ({ schema }: SchemaNode) =>
      ((schema['x-kubernetes-list-map-keys'] ?? []) as string[]).some((key) => !schema.items?.required?.includes(key));
    expect(offenders(info, keyless)).toEqual([]);
  });

  it('applies through nested {} the very defaults that zod applies', () => {
    const { properties = {} } = structuralSchema(info.spec);
    const members = Object.entries(properties).filter(([name]) => !(name in REQUIRED));
    const defaulted = members.map(([name, member]) => [name, applied(member)] as const);
    const known = defaulted.filter(([, value]) => value !== undefined);
    expect(Object.fromEntries(known)).toEqual(zodDefaults(info.spec));
  });

  it('is namespaced, has status, requires spec and restricts nothing of metadata but the name', () => {
    const crd = customResourceDefinition(info);
    const { openAPIV3Schema: root } = version(info).schema;
    expect(crd.metadata.name).toBe(`${info.plural}.portcullis.dev`);
    expect(crd.spec).toMatchObject({ group: 'portcullis.dev', scope: 'Namespaced' });
    expect(crd.spec.names).toMatchObject({ categories: ['portcullis'], shortNames: [info.shortName] });
    expect(version(info)).toMatchObject({
      name: 'v1alpha1',
      served: true,
      storage: true,
      subresources: { status: {} },
    });
    expect(root.required).toEqual(['spec']);
    expect(Object.keys(root.properties?.['metadata']?.properties ?? {}).filter((name) => name !== 'name')).toEqual([]);
  });

  it('can be filtered by the Gateway it attaches to, and a key by owner and state too [ADMIN-20]', () => {
    const fields = (version(info).selectableFields ?? []).map(({ jsonPath }) => jsonPath);
    const ofKeys = ['.spec.owner.type', '.spec.owner.name', '.spec.state', '.status.phase'];
    const attached = info.kind === 'VirtualKey' ? ['.spec.gatewayRef.name', ...ofKeys] : ['.spec.gatewayRef.name'];
    expect(fields).toEqual(info.kind === 'Gateway' ? [] : attached);
    const places = new Set(nodes(info).map(({ place }) => `.${place}`));
    expect(fields.filter((field) => !places.has(field))).toEqual([]);
  });

  it('prints readiness and age, from fields that exist', () => {
    const columns = version(info).additionalPrinterColumns;
    expect(columns.map(({ name }) => name)).toContain('Ready');
    expect(columns.at(-1)).toMatchObject({ name: 'Age', type: 'date' });
    const places = new Set(nodes(info).map(({ place }) => `.${place}`));
    const sources = columns.map(({ jsonPath }) => jsonPath.replace(/\[\?.*$/, ''));
    expect(sources.filter((source) => !places.has(source) && !source.startsWith('.metadata.'))).toEqual([]);
  });
});

/** Values for the members that have no default, for every kind. */
const REQUIRED: Readonly<Record<string, unknown>> = {
  publicUrl: 'https://claude',
  gatewayRef: { name: 'claude' },
  provider: 'Anthropic',
  anthropic: { auth: { type: 'APIKey', apiKey: { name: 'a', key: 'b' } } },
  match: { everyone: {} },
  owner: { type: 'Service', name: 'ci' },
  credential: { type: 'Generated', generated: { secretName: 's' } },
};

function zodDefaults(schema: z.ZodType): unknown {
  const members = Object.keys(structuralSchema(schema).properties ?? {});
  const given = Object.fromEntries(Object.entries(REQUIRED).filter(([name]) => members.includes(name)));
  const filled = schema.parse(given) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(filled).filter(([name]) => !(name in REQUIRED)));
}

/** What an API server makes of a member that is left out: its default, and within that the defaults of its members. */
function applied({ default: value, properties }: StructuralSchema): unknown {
  if (properties === undefined || value === undefined) return value;
  const inner = Object.entries(properties).map(([name, member]) => [name, applied(member)] as const);
  return { ...Object.fromEntries(inner.filter(([, member]) => member !== undefined)), ...value };
}

describe('from zod to a structural schema', () => {
  const refused: [string, z.ZodType, string][] = [
    ['a union', z.object({ a: z.union([z.string(), z.number()]) }), 'a: a CRD cannot hold "anyOf"'],
    ['a look-around', z.object({ a: z.string().regex(/(?=b)/) }), 'look-around'],
    [
      'a flag',
      z.object({ a: z.object({ b: z.string().regex(/b/i) }) }),
      'properties.a.properties.b: pattern b: flag i',
    ],
    ['two patterns', z.object({ a: z.string().regex(/a/).regex(/b/) }), 'a: a CRD cannot hold "allOf"'],
    ['an exclusive bound', z.object({ a: z.int32().positive() }), 'exclusiveMinimum'],
    ['a tuple', z.object({ a: z.array(z.tuple([z.string()])) }), 'a[]'],
  ];
  it.each(refused)('refuses %s by name', (_, schema, message) => {
    expect(() => structuralSchema(schema)).toThrow(message);
  });

  it('keeps descriptions and rules through optional, default and prefault', () => {
    const rule = { cel: 'true', holds: () => true, message: 'm' };
    const text = withRules(z.string().max(3).meta({ description: 'Words.', 'x-kubernetes-map-type': 'atomic' }), [
      rule,
    ]);
    const object = withRules(z.strictObject({ a: text.default('x') }).describe('Things.'), [rule]);
    const { properties = {} } = structuralSchema(
      z.object({ o: text.optional(), d: text.default('x'), p: object.prefault({}) }),
    );
    const expected = {
      description: 'Words.',
      'x-kubernetes-map-type': 'atomic',
      'x-kubernetes-validations': [{ rule: 'true', message: 'm' }],
    };
    expect(properties['o']).toMatchObject(expected);
    expect(properties['d']).toMatchObject({ ...expected, default: 'x' });
    expect(properties['p']).toMatchObject({
      description: 'Things.',
      default: {},
      'x-kubernetes-validations': [{ rule: 'true', message: 'm' }],
    });
  });

  it('keeps the rules of both when a schema is given rules twice', () => {
    const rule = (message: string) => ({ cel: 'true', holds: () => true, message });
    const twice = withRules(withRules(z.string(), [rule('a')]), [rule('b')]);
    expect(structuralSchema(z.object({ twice })).properties?.['twice']?.['x-kubernetes-validations']).toHaveLength(2);
  });

  it('writes integer ranges as formats', () => {
    const { properties } = structuralSchema(z.object({ a: z.int32(), b: z.int().min(0), c: z.int32().min(1).max(9) }));
    expect(properties).toEqual({
      a: { type: 'integer', format: 'int32' },
      b: { type: 'integer', format: 'int64', minimum: 0 },
      c: { type: 'integer', format: 'int32', minimum: 1, maximum: 9 },
    });
  });
});
