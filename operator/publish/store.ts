// What one Gateway has in the API server, and the only way to change it. Two operators may believe to be the leader at the same time; what
// keeps them from a torn publication, and an old one from overwriting a newer, is this order, and no clock:
//
// 1. Taking over reads the resource versions of all slots, then writes its name into an annotation of the index (the claim), guarded by the index's
//    resource version. From then on no index write of anybody who claimed earlier succeeds.
// 2. A slot is written only under the resource version that was read before the latest claim or index write of ours, and only while the index
//    as we last wrote it does not name that slot.
// 3. The index is written under the resource version of our own latest write of it.
//
// Say W wrote slot b and then the index that names b. Whoever overwrites b afterwards has read b's version after W wrote b, so it claimed after
// that. Had it claimed before W's index write, that write would have failed; so it claimed after it, and knew that b is in use. Nobody
// overwrites a slot in use. An operator that finds another one's name on the index stops (`superseded`): whoever claims does so on becoming the
// leader, so the later claim has the later caches.
import { readIndex, writeIndex } from '#shared/bundle/index-text.ts';
import { decodePart, PartError, type EncodedPart } from '#shared/bundle/parts.ts';
import {
  INDEX_KEY,
  indexName,
  partName,
  type BundleIndex,
  type PartEntry,
  type PartName,
  type Slot,
} from '#shared/bundle/publication.ts';
import { isApiError, type KubeClient } from '#shared/kube/client.ts';
import { GATEWAY_LABEL, ROLE_LABEL } from '#shared/kube/labels.ts';
import { RESOURCE, type KubeMeta, type KubeObject, type ResourceType } from '#shared/kube/object.ts';
import { PublishError } from './errors.ts';
import {
  assertOurs,
  ownedBy,
  labelled,
  ownedMeta,
  partBytes,
  partObject,
  partType,
  PUBLISHER_ANNOTATION,
  ROLES,
  type GatewayIdentity,
  type Role,
  type StoredObject,
} from './objects.ts';

/** The objects are not as we left them: read them again and start over. */
export class StaleError extends Error {}

/** Resource versions kept to tell our own writes when the watch reports them late. */
const REMEMBERED = 512;
const PAGE = 500;

export class GatewayStore {
  readonly gateway: GatewayIdentity;
  /** As readers see it: undefined while nothing is published, or nothing that can be read. */
  index: BundleIndex | undefined;
  /** Set when the index held something that is not an index of a format we know. */
  indexFault: PartError | undefined;
  /** Calls that changed something, since this object was made. */
  writes = 0;
  readonly #client: KubeClient;
  readonly #identity: string;
  /** Resource version by name, of every object of ours. */
  #versions = new Map<string, string>();
  /** Digest of the part in an object, by name, and the version in which it was seen there. */
  readonly #contents = new Map<string, { readonly version: string; readonly sha256: string }>();
  #orphans = new Set<string>();
  readonly #written = new Set<string>();
  readonly #writing = new Set<string>();
  #publisher = '';

  /** @param identity of this process, never used again by another */
  constructor(client: KubeClient, gateway: GatewayIdentity, identity: string) {
    this.#client = client;
    this.gateway = gateway;
    this.#identity = identity;
  }

  /**
   * Reads what is there and claims it. Where there is no index yet, the claim is one without content.
   * @param force take over from another operator; otherwise only what was ours before, or nobody's
   * @throws {StaleError} when somebody was faster; {PublishError} superseded, foreign_object
   */
  async claim(force: boolean): Promise<void> {
    const versions = new Map<string, string>();
    const orphans = new Set<string>();
    for (const meta of await this.#listAll()) {
      assertOurs(this.gateway, meta);
      versions.set(meta.name, meta.resourceVersion!);
      if (!ownedBy(this.gateway, meta)) orphans.add(meta.name);
    }
    const name = indexName(this.gateway.name);
    const found = await this.read(RESOURCE.ConfigMap, name);
    if (found !== undefined) assertOurs(this.gateway, found.metadata);
    const [, holder = '', term = '0'] =
      /^(.*) (\d{1,15})$/.exec(found?.metadata.annotations?.[PUBLISHER_ANNOTATION] ?? '') ?? [];
    if (!force && holder !== '' && holder !== this.#identity) {
      throw new PublishError('superseded', `${holder} has taken over the publication of Gateway ${this.gateway.name}`);
    }
    this.#versions = versions;
    this.#orphans = orphans;
    if (found === undefined) versions.delete(name);
    else versions.set(name, found.metadata.resourceVersion!);
    this.#publisher = `${this.#identity} ${Number(term) + 1}`;
    const text = found?.data?.[INDEX_KEY];
    await this.write(RESOURCE.ConfigMap, this.#indexObject(text));
    this.#read(text);
  }

  /** @returns undefined when there is no such object */
  async read(type: ResourceType, name: string): Promise<StoredObject | undefined> {
    try {
      return await this.#client.get<StoredObject>(type, { namespace: this.gateway.namespace, name });
    } catch (error) {
      if (isApiError(error, 404)) return undefined;
      throw error;
    }
  }

  /**
   * The JSON of a part that the index names, checked.
   * @returns `held` when the object is as it was when its content was last seen to be this
   * @throws {PartError} missing, corrupt, digest_mismatch; {ApiError}
   */
  async readPart(part: PartName, entry: PartEntry): Promise<Buffer | 'held'> {
    const name = partName(this.gateway.name, part, entry.slot);
    const content = this.#contents.get(name);
    if (content?.sha256 === entry.sha256 && content.version === this.#versions.get(name)) return 'held';
    const object = await this.read(partType(part), name);
    const bytes = object === undefined ? undefined : partBytes(part, object);
    if (bytes === undefined) throw new PartError('missing', part, `${partType(part).kind} ${name} does not hold it`);
    const json = await decodePart(part, bytes, entry);
    this.#contents.set(name, { version: object!.metadata.resourceVersion!, sha256: entry.sha256 });
    return json;
  }

  /** Whether {@link claim} found it left behind by a deleted Gateway of the same name: it goes with that one unless it is written again. */
  orphaned(name: string): boolean {
    return this.#orphans.has(name);
  }

  versionOf(name: string): string | undefined {
    return this.#versions.get(name);
  }

  /** Whether an object is as we wrote or read it, or is none of ours. @param gone whether it was deleted */
  knows({ name, resourceVersion = '', labels }: KubeMeta, gone: boolean): boolean {
    const version = this.#versions.get(name);
    const role = labels?.[ROLE_LABEL] ?? '';
    if (version === undefined && ![...ROLES.ConfigMap, ...ROLES.Secret].some((each) => each === role)) return true;
    // Our own write may be reported before it is answered, and late.
    if (this.#writing.has(name)) return true;
    if (gone) return version === undefined;
    return version === resourceVersion || this.#written.has(resourceVersion);
  }

  /** Whether all objects are as we left them. */
  async intact(): Promise<boolean> {
    const listed = await this.#listAll();
    const same = listed.every(({ name, resourceVersion }) => this.#versions.get(name) === resourceVersion);
    return same && listed.length === this.#versions.size;
  }

  /**
   * Writes a part into the slot that the index does not name.
   * @returns the entry to put into the next index
   * @throws {StaleError}, {PublishError} foreign_object, {ApiError}
   */
  async writePart(part: PartName, { sha256, size, bytes }: EncodedPart): Promise<PartEntry> {
    const slot: Slot = this.index?.parts[part]?.slot === 'a' ? 'b' : 'a';
    const name = partName(this.gateway.name, part, slot);
    await this.write(partType(part), partObject(this.gateway, part, slot, bytes, this.#versions.get(name)));
    this.#contents.set(name, { version: this.#versions.get(name)!, sha256 });
    return { slot, sha256, size };
  }

  /** @throws {StaleError}, {PublishError}, {ApiError} */
  async writeIndex(index: BundleIndex): Promise<void> {
    await this.write(RESOURCE.ConfigMap, this.#indexObject(writeIndex(index)));
    this.index = index;
    this.indexFault = undefined;
  }

  /** Creates, or replaces under the version that we know. Metadata is {@link ownedMeta}. */
  async write(type: ResourceType, object: StoredObject): Promise<void> {
    const { name, resourceVersion } = object.metadata;
    this.#writing.add(name);
    try {
      this.writes += 1;
      const { metadata } =
        resourceVersion === undefined
          ? await this.#client.create<KubeObject>(type, object)
          : await this.#client.replace<KubeObject>(type, object);
      this.#versions.set(name, metadata.resourceVersion!);
      this.#remember(metadata.resourceVersion!);
    } catch (error) {
      if (resourceVersion === undefined && isApiError(error, 409)) await this.#adopt(type, object.metadata, name);
      if (isApiError(error, 409) || isApiError(error, 404)) throw new StaleError((error as Error).message);
      throw error;
    } finally {
      this.#writing.delete(name);
    }
  }

  /** An object that was not listed and yet exists: made meanwhile, or ours without its labels, or somebody else's. */
  async #adopt(type: ResourceType, { labels }: KubeMeta, name: string): Promise<void> {
    const found = await this.read(type, name);
    if (found === undefined) return;
    assertOurs(this.gateway, found.metadata);
    if (labelled(this.gateway, found.metadata) && found.metadata.labels?.[ROLE_LABEL] === labels?.[ROLE_LABEL]) return;
    const { namespace, resourceVersion } = found.metadata;
    await this.#client.patch(type, { namespace, name }, { metadata: { labels, resourceVersion } });
  }

  #indexObject(text: string | undefined): StoredObject {
    const name = indexName(this.gateway.name);
    const meta = ownedMeta(this.gateway, 'index', name, this.#versions.get(name));
    return {
      metadata: { ...meta, annotations: { [PUBLISHER_ANNOTATION]: this.#publisher } },
      ...(text === undefined ? {} : { data: { [INDEX_KEY]: text } }),
    };
  }

  #read(text: string | undefined): void {
    this.index = undefined;
    this.indexFault = undefined;
    if (text === undefined) return;
    try {
      this.index = readIndex(text);
    } catch (error) {
      if (!(error instanceof PartError)) throw error;
      this.indexFault = error;
    }
  }

  /** Metadata of all objects, from the server's own storage and not from a cache that may lag. */
  async #listAll(): Promise<KubeMeta[]> {
    const { ConfigMap, Secret } = RESOURCE;
    return (await Promise.all([this.#list(ConfigMap, ROLES.ConfigMap), this.#list(Secret, ROLES.Secret)])).flat();
  }

  async #list(type: ResourceType, roles: readonly Role[]): Promise<KubeMeta[]> {
    const query = {
      namespace: this.gateway.namespace,
      labelSelector: `${GATEWAY_LABEL}=${this.gateway.name},${ROLE_LABEL} in (${roles.join(',')})`,
      metadataOnly: true,
    };
    const found: KubeMeta[] = [];
    let next: string | undefined;
    do {
      const after = next === undefined ? {} : { continue: next };
      const page = await this.#client.list<KubeObject>(type, query, { limit: PAGE, ...after });
      found.push(...page.items.map(({ metadata }) => metadata));
      next = page.continue;
    } while (next !== undefined && next !== '');
    return found;
  }

  #remember(resourceVersion: string): void {
    this.#written.add(resourceVersion);
    if (this.#written.size > REMEMBERED) this.#written.delete(this.#written.values().next().value!);
  }
}
