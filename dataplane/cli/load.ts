// Files of manifests → what the compile step takes. `${VAR}` is substituted in Secret values and nowhere else, so that a manifest means
// the same here and in a cluster.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readDocuments, type Document, type Fault } from '#shared/api/documents.ts';
import { GROUP, kindInfo } from '#shared/api/kinds.ts';
import { didYouMean, parseObject } from '#shared/api/parse.ts';
import type { RawObject } from '#shared/compile/types.ts';
import { SecretText } from '#shared/secret-text.ts';
import { manifestFiles } from './manifest-files.ts';

export const DEFAULT_NAMESPACE = 'default';

export interface LoadedFiles {
  /** Content hash of all files. */
  readonly revision: string;
  readonly objects: readonly RawObject[];
  /** The document behind every `Kind namespace/name`, for pointing at lines. */
  readonly documents: ReadonlyMap<string, Document>;
  readonly secrets: ReadonlyMap<string, ReadonlyMap<string, SecretText>>;
  /** Data of ConfigMaps, for catalogs. */
  readonly configMaps: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** What could not be read at all. */
  readonly faults: readonly Fault[];
  /** What was read but is probably not meant, such as a variable that is not set. */
  readonly notes: readonly Fault[];
}

/** Blanks between, as `base64` breaks lines. */
const BASE64 = /^(?:[A-Za-z0-9+/]\s*)*(?:=\s*){0,2}$/;

/**
 * @param environment variables for `${VAR}`
 * @param firstSeen creation time, RFC 3339, of the object with this identity: files know none
 */
export function loadFiles(
  paths: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  firstSeen: (identity: string) => string,
): LoadedFiles {
  const loader = new Loader(environment, firstSeen);
  const revision = createHash('sha256');
  for (const file of manifestFiles(paths)) {
    const text = readFileSync(file, 'utf8');
    revision.update(text);
    const read = readDocuments(text, file);
    loader.faults.push(...read.faults);
    for (const document of read.documents) loader.add(document);
  }
  const { objects, documents, secrets, configMaps, namespaces, faults, notes } = loader;
  return {
    revision: revision.digest('hex').slice(0, 12),
    objects,
    documents,
    secrets,
    configMaps,
    namespaces,
    faults,
    notes,
  };
}

/** `Kind namespace/name`. */
export function identity({ kind, metadata }: RawObject): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`;
}

class Loader {
  readonly objects: RawObject[] = [];
  readonly documents = new Map<string, Document>();
  readonly secrets = new Map<string, ReadonlyMap<string, SecretText>>();
  readonly configMaps = new Map<string, ReadonlyMap<string, string>>();
  readonly namespaces = new Map<string, Readonly<Record<string, string>>>();
  readonly faults: Fault[] = [];
  readonly notes: Fault[] = [];
  readonly #environment: Readonly<Record<string, string | undefined>>;

  readonly #firstSeen: (identity: string) => string;

  constructor(environment: Readonly<Record<string, string | undefined>>, firstSeen: (identity: string) => string) {
    this.#environment = environment;
    this.#firstSeen = firstSeen;
  }

  add(document: Document): void {
    const { kind } = document.value;
    if (kind === 'Secret') this.#addSecret(document);
    else if (kind === 'ConfigMap' && document.value['apiVersion'] === 'v1') this.#addConfigMap(document);
    else if (kind === 'Namespace') this.#addNamespace(document);
    else if (!isForeign(document)) this.#addObject(document);
  }

  #addObject(document: Document): void {
    const parsed = parseObject(document.value, DEFAULT_NAMESPACE);
    if (!parsed.ok) {
      for (const { path, message } of parsed.issues) this.faults.push({ ...document.locate(path), message });
      return;
    }
    const { value } = parsed;
    const id = identity(value);
    if (!this.#isFirst(id, document)) return;
    const creationTimestamp = value.metadata.creationTimestamp ?? this.#firstSeen(id);
    this.objects.push({ ...value, metadata: { ...value.metadata, creationTimestamp } });
  }

  #addSecret(document: Document): void {
    const key = keyOf(document);
    if (!this.#isFirst(`Secret ${key}`, document)) return;
    const values = new Map<string, SecretText>();
    for (const [name, value] of this.#texts('data', document)) {
      if (BASE64.test(value)) values.set(name, new SecretText(Buffer.from(value, 'base64').toString()));
      else this.#fault(document, ['data', name], 'must be base64; clear text and ${VAR} belong in stringData');
    }
    for (const [name, value] of this.#texts('stringData', document)) {
      const clear = this.#substitute(value, document, name);
      if (clear !== undefined) values.set(name, new SecretText(clear));
    }
    this.secrets.set(key, values);
  }

  #addConfigMap(document: Document): void {
    const key = keyOf(document);
    if (this.#isFirst(`ConfigMap ${key}`, document)) this.configMaps.set(key, new Map(this.#texts('data', document)));
  }

  /** The members of `data` or `stringData`, as strict about types as an API server: a bare 0123 would lose its zero unseen. */
  #texts(member: 'data' | 'stringData', document: Document): [name: string, value: string][] {
    const values = document.value[member] ?? {};
    if (typeof values !== 'object' || Array.isArray(values)) {
      this.#fault(document, [member], 'must be an object of strings');
      return [];
    }
    return Object.entries(values).flatMap(([name, value]: [string, unknown]) => {
      if (typeof value === 'string') return [[name, value]];
      // A member without a value is as good as absent.
      if (value !== null) this.#fault(document, [member, name], 'must be a string: put it in quotes');
      return [];
    });
  }

  /** Never says what the value is. */
  #fault(document: Document, path: readonly string[], message: string): void {
    this.faults.push({ ...document.locate(path), message: `${path.join('.')}: ${message}` });
  }

  #addNamespace({ value }: Document): void {
    const metadata = value['metadata'] as { name?: unknown; labels?: Record<string, string> } | undefined;
    const name = text(metadata?.name);
    if (name !== undefined) this.namespaces.set(name, { ...metadata?.labels });
  }

  /** A value with a variable that is not set is left out: a reference to it then says so by name. */
  #substitute(value: string, document: Document, name: string): string | undefined {
    let complete = true;
    const clear = value.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_all, variable: string) => {
      const found = this.#environment[variable];
      if (found !== undefined && found !== '') return found;
      complete = false;
      this.notes.push({
        ...document.locate(['stringData', name]),
        message: `the environment variable ${variable} is not set`,
      });
      return '';
    });
    return complete ? clear : undefined;
  }

  #isFirst(identity: string, document: Document): boolean {
    if (this.documents.has(identity)) {
      this.faults.push({ ...document.locate(['metadata', 'name']), message: `${identity} is there twice` });
      return false;
    }
    this.documents.set(identity, document);
    return true;
  }
}

/**
 * A GitOps folder holds other people's kinds too; what names another group is theirs. A group that is nearly ours is a typing error: to
 * pass over it in silence would delete the object.
 */
function isForeign({ value: { apiVersion, kind } }: Document): boolean {
  if (typeof apiVersion !== 'string') return false;
  const slash = apiVersion.indexOf('/');
  if (slash < 0) return apiVersion === 'v1' && kindInfo(String(kind)) === undefined;
  // Nearly every document is ours: the distance of words is only measured for the others.
  const group = apiVersion.slice(0, slash);
  return group !== GROUP && didYouMean(group, [GROUP]) === undefined;
}

function keyOf({ value }: Document): string {
  const metadata = value['metadata'] as Record<string, unknown> | null | undefined;
  return `${text(metadata?.['namespace']) ?? DEFAULT_NAMESPACE}/${text(metadata?.['name']) ?? ''}`;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
