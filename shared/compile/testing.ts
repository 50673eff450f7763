// Test support: manifests as YAML in, what the compile step makes of them out, both in a form people can read and compare.
import { readFileSync } from 'node:fs';
import { parseAllDocuments, stringify } from 'yaml';
import { kindInfo } from '#shared/api/kinds.ts';
import { keyHash } from '#shared/bundle/key-hash.ts';
import { canonicalJson } from '#shared/canonical-json.ts';
import { SecretText } from '#shared/secret-text.ts';
import { displayPrefix } from './key-value.ts';
import type { CompileInput, CompileOutput, KeyCredential, ObjectStatus, RawObject } from './types.ts';

export const PEPPER = 'the fixed pepper of the golden files, 32 bytes or more';

const root = new URL('./golden/', import.meta.url);

/** The input of one case of the golden files. */
export const golden = (name: string): CompileInput =>
  readInput(readFileSync(new URL(`${name}/input.yaml`, root), 'utf8'));

interface Document {
  readonly kind: string;
  readonly apiVersion?: string;
  readonly metadata: RawObject['metadata'];
  readonly spec?: unknown;
  readonly stringData?: Readonly<Record<string, string>>;
  /** Of the kind Tombstones, which exists here only. */
  readonly gateway?: string;
  readonly values?: readonly string[];
  /** Of the kind KeyCredential, which exists here only: the VirtualKey is the one of its name. */
  readonly value?: string;
  readonly previous?: { readonly value: string; readonly until?: string };
}

/** Reads a case. Objects without namespace are in `default`; every Gateway has the same pepper. */
export function readInput(yaml: string): CompileInput {
  const objects: RawObject[] = [];
  const secrets = new Map<string, ReadonlyMap<string, SecretText>>();
  const namespaces = new Map<string, Readonly<Record<string, string>>>();
  const peppers = new Map<string, SecretText>();
  const tombstones = new Map<string, ReadonlySet<string>>();
  const credentials = new Map<string, KeyCredential>();
  for (const document of parseAllDocuments(yaml)) {
    if (document.errors.length > 0) throw document.errors[0];
    const read = document.toJS() as Document;
    const metadata = { ...read.metadata, namespace: read.metadata?.namespace ?? 'default' };
    const key = `${metadata.namespace}/${metadata.name}`;
    if (kindInfo(read.kind) !== undefined) objects.push({ ...read, metadata });
    if (read.kind === 'Gateway') peppers.set(key, new SecretText(PEPPER));
    if (read.kind === 'Namespace') namespaces.set(metadata.name, metadata.labels ?? {});
    if (read.kind === 'Secret') {
      const values = Object.entries(read.stringData ?? {}).map(
        ([name, value]) => [name, new SecretText(value)] as const,
      );
      secrets.set(key, new Map(values));
    }
    if (read.kind === 'Tombstones') {
      const hashes = (read.values ?? []).map((value) => keyHash(PEPPER, value));
      tombstones.set(read.gateway ?? '', new Set(hashes));
    }
    if (read.kind === 'KeyCredential') credentials.set(key, keyCredential(read));
  }
  return {
    objects,
    secrets,
    namespaces,
    peppers,
    tombstones,
    ...(credentials.size === 0 ? {} : { credentials }),
  };
}

function keyCredential({ value = '', previous }: Document): KeyCredential {
  const until = previous?.until === undefined ? {} : { until: Date.parse(previous.until) };
  return { ...hashed(value), ...(previous === undefined ? {} : { previous: { ...hashed(previous.value), ...until } }) };
}

const hashed = (value: string) => ({
  hash: keyHash(PEPPER, value),
  prefix: displayPrefix(value, 'sk-pc-'),
});

/** One text for one output: keys sorted, secrets redacted. */
export function canonicalOutput(output: CompileOutput): string {
  return canonicalJson({ gateways: Object.fromEntries(output.gateways), statuses: output.statuses });
}

export function outputYaml(output: CompileOutput): string {
  return stringify(JSON.parse(canonicalOutput(output)), { lineWidth: 0, aliasDuplicateObjects: false });
}

/** An input of objects and secrets made in a test; every Gateway has the same pepper. */
export function inputOf(
  objects: readonly RawObject[],
  secrets: Record<string, Record<string, string>> = {},
): CompileInput {
  const gateways = objects.filter(({ kind }) => kind === 'Gateway');
  return {
    objects,
    secrets: new Map(
      Object.entries(secrets).map(([name, values]) => [
        name,
        new Map(Object.entries(values).map(([key, value]) => [key, new SecretText(value)])),
      ]),
    ),
    namespaces: new Map(),
    peppers: new Map(
      gateways.map(({ metadata }) => [`${metadata.namespace}/${metadata.name}`, new SecretText(PEPPER)]),
    ),
    tombstones: new Map(),
  };
}

export const object = (kind: string, key: string, spec: unknown, metadata: object = {}): RawObject => {
  const [namespace = '', name = ''] = key.split('/');
  return { apiVersion: 'portcullis.dev/v1alpha1', kind, metadata: { namespace, name, ...metadata }, spec };
};

export function statusOf(output: CompileOutput, kind: string, key: string): ObjectStatus {
  const found = output.statuses.find((status) => status.kind === kind && `${status.namespace}/${status.name}` === key);
  if (found === undefined) throw new Error(`no status of ${kind} ${key}`);
  return found;
}

export const condition = (output: CompileOutput, kind: string, key: string, type: string) =>
  statusOf(output, kind, key).conditions.find((condition) => condition.type === type);

export const keysOf = (output: CompileOutput, gateway = 'default/claude') => output.gateways.get(gateway)?.keys ?? [];

export const gateway = (spec: object = {}): RawObject =>
  object('Gateway', 'p/gw', { publicUrl: 'https://gw.corp', ...spec });
