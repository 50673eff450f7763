// JSON schemas for kubeconform, from the OpenAPI document of an API server: of the version that is run, our own kinds included, and without
// a download.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

type Node = Readonly<Record<string, unknown>>;

interface OpenApi {
  readonly definitions: Readonly<Record<string, Node>>;
}

interface Identity {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const KINDS = 'x-kubernetes-group-version-kind';

/**
 * Writes one file for each kind, named as kubeconform asks by `{{ .ResourceKind }}{{ .KindSuffix }}.json`.
 * @returns the number of files
 */
export async function writeSchemas({ definitions: raw }: OpenApi, folder: string): Promise<number> {
  await mkdir(folder, { recursive: true });
  const definitions: Record<string, unknown> = Object.fromEntries(
    Object.entries(raw).map(([name, node]) => [name, closed(node)]),
  );
  // A quantity may be written as a number.
  definitions[QUANTITY] = { oneOf: [{ type: 'string' }, { type: 'number' }] };
  const files = Object.entries(raw).flatMap(([name, node]) =>
    node['properties'] !== undefined && 'metadata' in (node['properties'] as Node)
      ? ((node[KINDS] ?? []) as Identity[]).map((identity) => ({ name, file: fileName(identity) }))
      : [],
  );
  for (const { name, file } of files) {
    const used = Object.fromEntries([...reached(definitions, name)].map((each) => [each, definitions[each]]));
    await writeFile(join(folder, file), JSON.stringify({ ...(definitions[name] as object), definitions: used }));
  }
  return files.length;
}

function fileName({ group, version, kind }: Identity): string {
  const short = group.split('.')[0] ?? '';
  return `${[kind, short, version]
    .filter((part) => part !== '')
    .join('-')
    .toLowerCase()}.json`;
}

/** Plain JSON schema in which an unknown member is a fault. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (!isNode(node)) return node;
  if (node['format'] === 'int-or-string' || node['x-kubernetes-int-or-string'] === true)
    return { oneOf: [{ type: 'string' }, { type: 'integer' }] };
  const copy = Object.fromEntries(
    Object.entries(node)
      .filter(([key]) => !key.startsWith('x-') && key !== 'description')
      // Below `properties` stand names, whatever they look like: a definition has members called description and x-….
      .map(([key, value]) => [key, key === 'properties' && isNode(value) ? closedEach(value) : closed(value)]),
  );
  const open = node['x-kubernetes-preserve-unknown-fields'] === true || copy['additionalProperties'] !== undefined;
  return isNode(copy['properties']) && !open ? { ...copy, additionalProperties: false } : copy;
}

const closedEach = (members: Node): Node =>
  Object.fromEntries(Object.entries(members).map(([name, member]) => [name, closed(member)]));

/** Names of every definition that one leads to, itself included. */
function reached(definitions: Readonly<Record<string, unknown>>, start: string): Set<string> {
  const seen = new Set([start]);
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(visit);
    if (!isNode(node)) return;
    for (const value of Object.values(node)) visit(value);
    const name = typeof node['$ref'] === 'string' ? node['$ref'].split('/').pop() : undefined;
    if (name === undefined || seen.has(name)) return;
    seen.add(name);
    visit(definitions[name]);
  };
  visit(definitions[start]);
  return seen;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
