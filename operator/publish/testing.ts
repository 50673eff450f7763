// Test support: an API server in memory with resource versions, conflicts and a hook before each call, a reader as a pod is one, and configurations.
import { createHash } from 'node:crypto';
import pino from 'pino';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import { readIndex } from '#shared/bundle/index-text.ts';
import { decodePart, parseJson, readBundle, readCredentials } from '#shared/bundle/parts.ts';
import { INDEX_KEY, indexName, partName, type BundleIndex } from '#shared/bundle/publication.ts';
import type { CompiledGateway } from '#shared/compile/types.ts';
import { ApiError, type KubeClient, type ListPage, type ListQuery } from '#shared/kube/client.ts';
import { RESOURCE, type KubeMeta, type KubeObject, type ResourceType } from '#shared/kube/object.ts';
import { SecretText } from '#shared/secret-text.ts';
import { partBytes, partType, type GatewayIdentity, type StoredObject } from './objects.ts';
import { createPublisher, type Publisher } from './publisher.ts';

export const GATEWAY: GatewayIdentity = { name: 'claude', namespace: 'platform', uid: 'uid-1' };
export const PEPPER = 'a-pepper-of-thirty-two-characters-or-more';

/** Throw to fail the call before it is done; `lose: true` on the error fails it after. */
export type Hook = (verb: string, name: string) => Promise<void> | void;

export class LostAnswerError extends Error {}

export class MemoryApi {
  readonly objects = new Map<string, StoredObject>();
  /** Called before each call of every client. */
  hook: Hook = () => {};
  /** Called after each call that changed something. */
  written: (name: string) => Promise<void> | void = () => {};
  /** Names in the order in which they were written. */
  readonly log: string[] = [];
  #version = 100;

  client(): KubeClient {
    const unused = (): never => {
      throw new Error('not for this room');
    };
    return {
      get: async <T extends KubeObject>(
        type: ResourceType,
        { namespace, name }: { namespace: string; name: string },
      ) => {
        await this.hook('get', name);
        return copy(this.#at(type, namespace, name)) as KubeObject as T;
      },
      list: async <T extends KubeObject>(type: ResourceType, query: ListQuery): Promise<ListPage<T>> => {
        await this.hook('list', type.kind);
        const items = [...this.objects]
          .filter(([key]) => key.startsWith(`${type.kind} ${query.namespace}/`))
          .map(([, object]) => object)
          .filter(({ metadata }) => matches(metadata, query.labelSelector ?? ''))
          .map(
            (object) => copy(query.metadataOnly === true ? { metadata: object.metadata } : object) as KubeObject as T,
          );
        return { items, resourceVersion: String(this.#version) };
      },
      create: async <T extends KubeObject>(type: ResourceType, object: KubeObject & object) =>
        this.#write('create', type, object.metadata, () => {
          if (this.objects.has(keyOf(type, object.metadata))) throw new ApiError(409, 'AlreadyExists', 'exists');
          return object;
        }) as Promise<KubeObject> as Promise<T>,
      replace: async <T extends KubeObject>(type: ResourceType, object: KubeObject & object) =>
        this.#write('replace', type, object.metadata, () => {
          const before = this.#at(type, object.metadata.namespace, object.metadata.name);
          this.#guard(before.metadata, object.metadata.resourceVersion);
          return object;
        }) as Promise<KubeObject> as Promise<T>,
      patch: async <T extends KubeObject>(type: ResourceType, at: { namespace: string; name: string }, patch: object) =>
        this.#write('patch', type, at, () => {
          const before = this.#at(type, at.namespace, at.name);
          const { metadata } = patch as { metadata: KubeMeta };
          this.#guard(before.metadata, metadata.resourceVersion);
          return { ...before, metadata: { ...before.metadata, ...metadata } };
        }) as Promise<KubeObject> as Promise<T>,
      apply: unused,
      delete: unused,
      watch: unused,
      close: async () => {},
    };
  }

  /** What somebody with kubectl does. */
  edit(type: ResourceType, name: string, change: (object: StoredObject) => StoredObject | undefined): void {
    const key = keyOf(type, { namespace: GATEWAY.namespace, name });
    const object = this.objects.get(key);
    const next = object === undefined ? undefined : change(copy(object));
    if (next === undefined) this.objects.delete(key);
    else this.#store(key, next);
  }

  find(type: ResourceType, name: string): StoredObject | undefined {
    return this.objects.get(keyOf(type, { namespace: GATEWAY.namespace, name }));
  }

  #at(type: ResourceType, namespace: string, name: string): StoredObject {
    const object = this.objects.get(keyOf(type, { namespace, name }));
    if (object === undefined) throw new ApiError(404, 'NotFound', `${name} not found`);
    return object;
  }

  #guard(before: KubeMeta, version: string | undefined): void {
    if (version !== undefined && version !== before.resourceVersion)
      throw new ApiError(409, 'Conflict', 'was modified');
  }

  async #write(
    verb: string,
    type: ResourceType,
    at: { namespace: string; name: string },
    make: () => object,
  ): Promise<StoredObject> {
    let lost: LostAnswerError | undefined;
    try {
      await this.hook(verb, at.name);
    } catch (error) {
      if (!(error instanceof LostAnswerError)) throw error;
      lost = error;
    }
    const stored = this.#store(keyOf(type, at), make() as StoredObject);
    this.log.push(at.name);
    await this.written(at.name);
    if (lost !== undefined) throw lost;
    return copy(stored);
  }

  #store(key: string, object: StoredObject): StoredObject {
    const bytes = Object.values(object.data ?? {}).concat(Object.values(object.binaryData ?? {}));
    if (bytes.join('').length > 1_400_000) throw new ApiError(422, 'Invalid', 'Too long');
    const metadata = { ...object.metadata, resourceVersion: String(++this.#version) };
    const stored = copy({ ...object, metadata });
    this.objects.set(key, stored);
    return stored;
  }
}

const keyOf = (type: ResourceType, { namespace, name }: { namespace: string; name: string }): string =>
  `${type.kind} ${namespace}/${name}`;

const copy = <T>(value: T): T => structuredClone(value);

function matches({ labels }: KubeMeta, selector: string): boolean {
  return selector.split(/,(?![^(]*\))/).every((term) => {
    const among = /^(\S+) in \((.*)\)$/.exec(term);
    if (among !== null) return among[2]!.split(',').includes(labels?.[among[1]!] ?? '');
    const [name = '', value] = term.split('=');
    return labels?.[name] === value;
  });
}

export interface TestPublisherOptions {
  readonly identity?: string;
  readonly now?: () => number;
  readonly log?: pino.Logger;
}

let processes = 0;

/** A publisher of a process of its own. */
export function publisherOn(api: MemoryApi, { identity, now, log }: TestPublisherOptions = {}): Publisher {
  let seed = 0;
  return createPublisher(api.client(), {
    identity: identity ?? `operator-${++processes}`,
    writer: '1.0.0',
    now: now ?? (() => 1_000),
    randomBytes: (count) => Buffer.alloc(count, ++seed),
    log: log ?? pino({ level: 'silent' }),
  });
}

export const hashOf = (value: string): string => createHash('sha256').update(value).digest('hex');

export function entryOf(name: string, parts: Partial<KeyEntry> = {}): KeyEntry {
  return {
    hash: hashOf(name),
    key: `platform/${name}`,
    namespace: 'platform',
    prefix: 'sk-pc-abcd',
    owner: { type: 'Service', name },
    labels: {},
    state: 'Active',
    scopes: ['read', 'write'],
    ...parts,
  };
}

/** A compiled Gateway of which this room only looks at the keys. */
export function compiledOf(
  keys: readonly KeyEntry[],
  {
    pepper = PEPPER,
    bundle = 'one',
    secret = 'sk-upstream',
  }: { pepper?: string; bundle?: string; secret?: string } = {},
): CompiledGateway {
  return {
    bundle: {
      format: 1,
      gateway: { name: bundle },
      models: [],
      policies: [],
      upstreams: [],
    } as object as CompiledGateway['bundle'],
    credentials: { pepper: new SecretText(pepper), values: { upstream: new SecretText(secret) } },
    keys: [...keys].sort((a, b) => (a.hash < b.hash ? -1 : 1)),
  };
}

export const presentOf = (keys: readonly KeyEntry[]): ReadonlySet<string> => new Set(keys.map(({ key }) => key));

/** What a pod has after reading: everything of one publication, and what it must refuse whatever the shards say. */
export interface Reading {
  readonly index: BundleIndex;
  readonly bundle: string;
  readonly pepper: string;
  readonly secret: string;
  readonly keys: readonly KeyEntry[];
}

export function readIndexObject(api: Pick<MemoryApi, 'find'>): BundleIndex | undefined {
  const text = api.find(RESOURCE.ConfigMap, indexName(GATEWAY.name))?.data?.[INDEX_KEY];
  return text === undefined ? undefined : readIndex(text);
}

/** Reads as a pod does. @returns undefined when nothing is published @throws {PartError} for a torn set */
export async function readPublication(
  api: Pick<MemoryApi, 'find'>,
  index: BundleIndex | undefined = readIndexObject(api),
): Promise<Reading | undefined> {
  // Objects are looked up before anything is awaited: one moment of the API server.
  if (index === undefined) return undefined;
  const found = Object.entries(index.parts).map(([part, entry]) => {
    const object = api.find(partType(part), partName(GATEWAY.name, part, entry.slot));
    return { part, entry, bytes: (object && partBytes(part, object)) ?? Buffer.alloc(0) };
  });
  const json = new Map<string, Buffer>();
  for (const { part, entry, bytes } of found) json.set(part, await decodePart(part, bytes, entry));
  const credentials = readCredentials(json.get('credentials')!);
  const keys = [...json].filter(([part]) => part.startsWith('keys-')).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    index,
    bundle: readBundle(json.get('bundle')!).gateway.name,
    pepper: credentials.pepper.reveal(),
    secret: credentials.values['upstream']!.reveal(),
    keys: keys.flatMap(([part, text]) => parseJson(part, text) as KeyEntry[]),
  };
}
