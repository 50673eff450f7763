import { existsSync, globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { structuralSchema } from './crd-schema.ts';
import { schemaNodes } from './crd-walk.ts';
import { readDocuments, type Document } from './documents.ts';
import { API_VERSION, KINDS, kindInfo } from './kinds.ts';

const root = new URL('../../', import.meta.url);
const text = (name: string) => readFileSync(new URL(name, root), 'utf8');

/** YAML in fences of a Markdown file, with the lines above it blanked so that positions hold. */
function fencedYaml(markdown: string): string[] {
  return Array.from(markdown.matchAll(/^```ya?ml[^\n]*\n(.*?)^```/gms), (fence) => {
    const start = fence.index + fence[0].indexOf('\n') + 1;
    return `${markdown.slice(0, start).replaceAll(/[^\n]/g, '')}${fence[1] ?? ''}`;
  });
}

/** `file:line:column path: message` for everything wrong with the objects of this group. */
function faultsOf(file: string, yaml: string): string[] {
  const { documents, faults } = readDocuments(yaml, file);
  const place = (at: { line: number; column: number }) => `${file}:${at.line}:${at.column}`;
  return [
    ...faults.map((fault) => `${place(fault)} ${fault.message}`),
    ...documents.flatMap((document) =>
      issuesOf(document).map(({ path, message }) => `${place(document.locate(path))} ${path.join('.')}: ${message}`),
    ),
  ];
}

function issuesOf({ value }: Document): { path: (string | number)[]; message: string }[] {
  const { apiVersion, kind, spec } = value;
  if (typeof apiVersion !== 'string' || !apiVersion.startsWith('portcullis.dev/')) return [];
  const info = kindInfo(String(kind));
  if (apiVersion !== API_VERSION || info === undefined)
    return [{ path: ['kind'], message: 'is not a kind of this group and version' }];
  const issues = info.spec.safeParse(spec).error?.issues ?? [];
  return issues.map(({ path, message }) => ({
    path: ['spec', ...path.map((step) => (typeof step === 'number' ? step : String(step)))],
    message,
  }));
}

describe('manifests in the repository are good manifests', () => {
  it.each(
    globSync('{crds/samples,charts}/**/*.yaml', { cwd: root.pathname }).filter((file) => !file.includes('templates')),
  )('%s', (file) => {
    expect(faultsOf(file, text(file))).toEqual([]);
  });

  it.skipIf(!existsSync(new URL('README.md', root)))('README.md', () => {
    expect(fencedYaml(text('README.md')).flatMap((yaml) => faultsOf('README.md', yaml))).toEqual([]);
  });

  it('would be told where they are not', () => {
    const readme = `# Use\n\n\`\`\`yaml\napiVersion: ${API_VERSION}\nkind: Gateway\nspec:\n  publicURL: https://a\n\`\`\`\n`;
    const faults = fencedYaml(readme).flatMap((yaml) => faultsOf('README.md', yaml));
    expect(faults).toContainEqual(expect.stringContaining('README.md:6:1 spec.publicUrl: '));
    const broken = fencedYaml('```yaml\na: [\n```\n').flatMap((yaml) => faultsOf('README.md', yaml));
    expect(broken).toHaveLength(1);
  });
});

it('shows every field of the four kinds in complete.yaml and providers.yaml', () => {
  const samples = ['complete.yaml', 'providers.yaml'];
  const documents = samples.flatMap((name) => readDocuments(text(`crds/samples/${name}`), name).documents);
  const used = new Set<string>();
  const visit = (value: unknown, place: string): void => {
    used.add(place);
    if (Array.isArray(value)) for (const item of value) visit(item, `${place}[]`);
    else if (typeof value === 'object' && value !== null)
      for (const [name, member] of Object.entries(value)) visit(member, `${place}.${name}`);
  };
  for (const { value } of documents) visit(value['spec'], String(value['kind']));
  const fields = KINDS.flatMap((info) => schemaNodes(structuralSchema(info.spec), info.kind)).map(({ place }) => place);
  // One selector of namespaces shows them all, and so does one list of peers; what AWS has of credentials is that of Bedrock.
  const alike =
    /allowedNamespaces\.\w+\.selector|networkPolicy\.ingress\.\w+\[\]\.|(bedrockMantle|claudePlatformAWS)\.auth\./;
  const shown = (place: string) => used.has(place) || alike.test(place);
  expect(fields.filter((place) => !place.endsWith('{}') && !shown(place))).toEqual([]);
});
