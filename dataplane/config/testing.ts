// A cluster for tests of the source: objects as the operator writes them, and every way in which reading them can go wrong.
import { bundleJson, credentialsJson, encodePart } from '#shared/bundle/parts.ts';
import { keyHash } from '#shared/bundle/key-hash.ts';
import { partsOf, revisionOf, writeIndex } from '#shared/bundle/index-text.ts';
import {
  INDEX_FORMAT,
  INDEX_KEY,
  indexName,
  keyPartName,
  PART_KEY,
  partName,
  type BundleIndex,
  type PartEntry,
  type PartName,
} from '#shared/bundle/publication.ts';
import { shardOf } from '#shared/bundle/shards.ts';
import { ApiError, type KubeClient } from '#shared/kube/client.ts';
import type { KubeObject, ResourceType } from '#shared/kube/object.ts';
import { SecretText } from '#shared/secret-text.ts';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import { bundleOf, HOME, keyEntry, upstreamEntry } from '../admit/testing.ts';
import { outgoing } from '../credentials/testing.ts';
import type { IndexListener } from './cluster-index.ts';
import type { DataObject, Place } from './cluster-place.ts';
import { shownBy } from './cluster-watch.ts';
import type { Snapshot } from './snapshot.ts';

export const GATEWAY = 'claude';
export const PEPPER = 'pepper'.repeat(8);
const INDEX = indexName(GATEWAY);
const KEY_PARTS = 2;

/** What a publication says, in numbers that can be found again in what is served. */
export interface Content {
  readonly bundle: number;
  readonly credentials: number;
  /** Version of each key by name; absent keys are not served. */
  readonly keys: Readonly<Record<string, number>>;
}

/** Content and what is refused on top of it. */
export interface Publication {
  readonly content: Content;
  readonly index: BundleIndex;
}

export class FakeCluster {
  /** By name: index and parts, as an API server holds them. */
  readonly objects = new Map<string, DataObject>();
  /** The same, as kubelet last mounted them. */
  mounted = new Map<string, DataObject>();
  readonly published: Publication[] = [];
  readonly leases: KubeObject[] = [];
  /** Called before each call to the API server; what it throws is the answer. */
  hinder: (name: string) => Promise<void> = async () => undefined;
  reads = 0;
  listener: IndexListener = () => undefined;
  #current: BundleIndex | undefined;

  /**
   * Writes a publication the way the operator does: parts in their inactive slots, then the index.
   * @param stopAfter number of writes after which the writer dies; the index is the last one
   */
  async publish(
    content: Content,
    revoked: readonly string[] = [],
    stopAfter = Infinity,
  ): Promise<Publication | undefined> {
    const parts: Record<PartName, PartEntry> = {};
    const writes: DataObject[] = [];
    for (const part of partsOf(KEY_PARTS)) {
      const { sha256, size, bytes } = await encodePart(part, partJson(part, content));
      const before = this.#current?.parts[part];
      const slot =
        before === undefined ? 'a' : before.sha256 === sha256 ? before.slot : before.slot === 'a' ? 'b' : 'a';
      parts[part] = { slot, sha256, size };
      if (before?.sha256 !== sha256) writes.push(partObject(partName(GATEWAY, part, slot), bytes));
    }
    const index: BundleIndex = {
      format: INDEX_FORMAT,
      writer: '0.0.0-test',
      revision: revisionOf(parts),
      sequence: (this.#current?.sequence ?? 0) + 1,
      keyParts: KEY_PARTS,
      parts,
      revoked: revoked.map(hashOf),
    };
    for (const object of writes.slice(0, stopAfter)) this.objects.set(object.metadata.name, object);
    if (writes.length >= stopAfter) return undefined;
    this.objects.set(INDEX, indexObject(writeIndex(index)));
    this.#current = index;
    const publication = { content, index };
    this.published.push(publication);
    return publication;
  }

  /** Writes the last publication once more, whatever became of its objects. */
  async repair(): Promise<void> {
    const { content, index } = this.published.at(-1)!;
    for (const part of partsOf(KEY_PARTS)) {
      const { bytes } = await encodePart(part, partJson(part, content));
      const object = partObject(partName(GATEWAY, part, index.parts[part]!.slot), bytes);
      this.objects.set(object.metadata.name, object);
    }
    this.objects.set(INDEX, indexObject(writeIndex(index)));
  }

  /** The writer forgets everything and begins at a sequence of its choice. */
  restartAt(sequence: number): void {
    this.#current = { ...this.published.at(-1)!.index, sequence: sequence - 1, parts: {} };
  }

  /** A watch tells what the index is now, or was. */
  tell(shown = shownBy(this.objects.get(INDEX), INDEX)): void {
    this.listener(shown);
  }

  /** kubelet syncs, all or a part of it. */
  mount(names: Iterable<string> = this.objects.keys()): void {
    const next = new Map(this.mounted);
    for (const name of names) {
      const object = this.objects.get(name);
      if (object !== undefined) next.set(name, object);
    }
    this.mounted = next;
  }

  readonly client = {
    get: async (_type: ResourceType, { name }: { readonly name: string }) => {
      this.reads++;
      await this.hinder(name);
      const object = this.objects.get(name);
      if (object === undefined) throw new ApiError(404, 'NotFound', `${name} not found`);
      return object;
    },
    apply: async (_type: ResourceType, object: KubeObject) => {
      await this.hinder(object.metadata.name);
      this.leases.push(object);
      return object;
    },
  } as unknown as KubeClient;

  readonly mountPlace: Place = {
    name: 'mount',
    index: async () => this.#mounted(INDEX).data![INDEX_KEY]!,
    part: async (part, slot) => {
      const { data, binaryData } = this.#mounted(partName(GATEWAY, part, slot));
      return Buffer.from((data ?? binaryData)![PART_KEY]!, 'base64');
    },
  };

  #mounted(name: string): DataObject {
    const object = this.mounted.get(name);
    if (object === undefined) throw new Error(`no such file: ${name}`);
    return object;
  }
}

/** Clear value of a key by name; versions of a key share it. */
export const valueOf = (name: string): string => `sk-pc-${name}`;

export const hashOf = (name: string): string => keyHash(PEPPER, valueOf(name));

/** What a snapshot serves, in the numbers of {@link Content}. */
export function served({ settings, keys }: Snapshot, names: readonly string[]): Content {
  const headers: string[] = [];
  void settings.upstreams[0]!.credential.authorize(outgoing({ headers }), 'me');
  const entries = names.flatMap((name) => {
    const entry = keys.find(valueOf(name));
    return entry === undefined ? [] : [[name, Number(entry.prefix)] as const];
  });
  return {
    bundle: Number(settings.gateway.environment),
    credentials: Number(headers[1]),
    keys: Object.fromEntries(entries),
  };
}

/** @param version shows in the prefix, which nothing depends on */
export function entryOf(name: string, version: number, parts: Partial<KeyEntry> = {}): KeyEntry {
  return keyEntry({ hash: hashOf(name), key: `${HOME}/${name}`, prefix: String(version), ...parts });
}

function partJson(part: PartName, { bundle, credentials, keys }: Content): Uint8Array {
  if (part === 'bundle') {
    const upstream = {
      ...upstreamEntry('anthropic'),
      credential: { type: 'Fixed', header: 'x-api-key', credential: 'anthropic' },
    } as const;
    return bundleJson(bundleOf({ gateway: { environment: String(bundle) }, upstreams: [upstream] }));
  }
  if (part === 'credentials') {
    const values = { anthropic: new SecretText(String(credentials)) };
    return credentialsJson({ pepper: new SecretText(PEPPER), values });
  }
  const entries = Object.entries(keys)
    .map(([name, version]) => entryOf(name, version))
    .filter(({ hash }) => keyPartName(shardOf(hash, KEY_PARTS)) === part)
    .sort((a, b) => (a.hash < b.hash ? -1 : 1));
  return Buffer.from(JSON.stringify(entries));
}

function partObject(name: string, bytes: Uint8Array): DataObject {
  const member = name.includes('-bundle-') ? 'binaryData' : 'data';
  return { metadata: { name, namespace: HOME }, [member]: { [PART_KEY]: Buffer.from(bytes).toString('base64') } };
}

export function indexObject(text: string): DataObject {
  return { metadata: { name: INDEX, namespace: HOME }, data: { [INDEX_KEY]: text } };
}
