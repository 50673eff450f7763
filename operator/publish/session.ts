// One Gateway's publication while this process is the one that writes it: what is published, what is known of it, and the order of writes:
//   1. an index that names the keys that died, so that a revocation waits for nothing
//   2. tombstones, before the shards that are the only memory of who was there
//   3. the changed parts, each into the slot that is not in use
//   4. the index
// Stopped anywhere in between, readers have the old publication or the new one, and the next start goes on from what it finds.
import type { Logger } from 'pino';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import type { CatalogOverlay } from '#shared/catalog/overlay.ts';
import { partsOf, revisionOf } from '#shared/bundle/index-text.ts';
import { parseJson, PartError, readBundle, readCredentials } from '#shared/bundle/parts.ts';
import {
  INDEX_FORMAT,
  keyPartName,
  MAX_REVOKED,
  partName,
  type BundleIndex,
  type PartEntry,
  type PartName,
} from '#shared/bundle/publication.ts';
import type { CompiledGateway } from '#shared/compile/types.ts';
import type { SecretText } from '#shared/secret-text.ts';
import { encodeFitting, firstCut, type Content, type KnownShard, type Shard } from './content.ts';
import { diffKeys } from './diff.ts';
import { PublishError } from './errors.ts';
import { securePepper } from './pepper.ts';
import type { GatewayStore } from './store.ts';
import { MAX_TOMBSTONES, Tombstones } from './tombstones.ts';

export interface SessionOptions {
  /** Version of this operator, for the index. */
  readonly writer: string;
  /** Milliseconds since 1970, UTC. */
  readonly now: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly log: Logger;
}

/** Parts written or read at the same time. */
const PARALLEL = 8;

/** Twice as long as an operator goes on that can no longer renew its Lease. */
const TAKE_BACK_AFTER_MS = 30_000;

/** JSON of an empty key shard. */
const EMPTY_SHARD = 2;

export class Session {
  readonly store: GatewayStore;
  readonly tombstones = new Tombstones();
  /** Set by {@link Session.open}. */
  pepper: SecretText | undefined;
  /** Of the published bundle: what stays in force while a Gateway's own cannot be used. */
  catalog: CatalogOverlay | undefined;
  /** For people; each stands as long as its cause. */
  warnings: readonly string[] = [];
  /** Undefined before this process first claimed it. */
  #claim: 'ours' | 'lost' | undefined;
  #lostAt = 0;
  /** Something was altered, or a write ended without an answer: read everything again before the next write. */
  stale = true;
  readonly #options: SessionOptions;
  #shards: (KnownShard | undefined)[] = [];
  /** Parts in use that cannot be read, or that go with a deleted Gateway. */
  #damaged = new Set<PartName>();
  #sequence = 0;
  #published: SecretText | undefined;
  #pepperWarning: string | undefined;

  constructor(store: GatewayStore, options: SessionOptions) {
    this.store = store;
    this.#options = options;
  }

  /**
   * Reads what is published and claims it: at first from anybody, later only when nobody else has claimed it, or when that was long ago. An
   * operator that lost its Lease ends; one that is still here after that is the leader, and it was the other one that claimed too late.
   * @throws {StaleError}, {PublishError}, {ApiError}
   */
  async open(): Promise<void> {
    const { store } = this;
    const { log, randomBytes, now } = this.#options;
    // First, so that what is noticed meanwhile counts.
    this.stale = false;
    const force = this.#claim === undefined || (this.#claim === 'lost' && now() - this.#lostAt >= TAKE_BACK_AFTER_MS);
    try {
      await store.claim(force);
    } catch (error) {
      if (error instanceof PublishError && error.code === 'superseded' && this.#claim !== 'lost') {
        this.#claim = 'lost';
        this.#lostAt = now();
      }
      throw error;
    }
    this.#claim = 'ours';
    const { index, indexFault } = store;
    if (indexFault !== undefined)
      log.error({ error: indexFault.message }, 'the published index cannot be read and is written anew');
    this.#sequence = Math.max(this.#sequence, index?.sequence ?? 0);
    if (index !== undefined) await this.#readParts(index);
    await this.tombstones.load(store, log);
    const keysPublished =
      indexFault !== undefined ||
      Object.entries(index?.parts ?? {}).some(([part, { size }]) => part.startsWith('keys-') && size > EMPTY_SHARD);
    const secured = await securePepper(store, {
      published: this.#published,
      known: this.pepper,
      keysPublished,
      randomBytes,
    });
    this.pepper = secured.pepper;
    this.#pepperWarning = secured.warning;
    if (secured.warning !== undefined) log.error(secured.warning);
  }

  /**
   * @param present `namespace/name` of every VirtualKey there is
   * @returns parts that were written
   * @throws {PartError} too_large; {StaleError}, {PublishError}, {ApiError}
   */
  async publish(compiled: CompiledGateway, present: ReadonlySet<string>): Promise<readonly PartName[]> {
    const { store } = this;
    if (compiled.credentials.pepper.reveal() !== this.pepper?.reveal()) {
      throw new PublishError('pepper_changed', 'the pepper has changed since this was compiled: compile it again');
    }
    const known = this.#shards;
    const shards = firstCut(compiled.keys, known, store.index?.keyParts ?? Math.max(1, known.length));
    const warnings = this.#pepperWarning === undefined ? [] : [this.#pepperWarning];
    await this.#bury(compiled.keys, shards, present, warnings);
    this.warnings = warnings;

    const content = await encodeFitting(compiled, known, shards, (part, sha256) => this.#has(part, sha256));
    const written = new Map<PartName, PartEntry>();
    await forEach(content.changed, async ([part, encoded]) => {
      written.set(part, await store.writePart(part, encoded));
    });
    await this.#commit(content, written);
    this.#shards = [...content.shards];
    this.#published = compiled.credentials.pepper;
    this.catalog = compiled.bundle.catalog;
    for (const part of written.keys()) this.#damaged.delete(part);
    return [...written.keys()].sort();
  }

  /** Names hashes in the index, whatever the shards say. @throws {StaleError}, {ApiError} */
  async revoke(hashes: readonly string[]): Promise<void> {
    const { index } = this.store;
    const named = new Set(index?.revoked);
    const news = hashes.filter((hash) => !named.has(hash));
    if (index === undefined || news.length === 0) return;
    const revoked = [...new Set(news), ...named];
    if (revoked.length > MAX_REVOKED) {
      this.#options.log.warn(
        { hashes: revoked.length },
        'more keys were revoked at once than the index names; the others wait for their shards',
      );
    }
    await this.#writeIndex({ ...index, revoked: revoked.slice(0, MAX_REVOKED).sort() });
  }

  async #bury(
    keys: readonly KeyEntry[],
    shards: readonly Shard[],
    present: ReadonlySet<string>,
    warnings: string[],
  ): Promise<void> {
    const recut = this.#shards.length !== shards.length;
    const before = this.#shards.flatMap((shard, at) =>
      recut || shards[at]?.known === undefined ? (shard?.entries ?? []) : [],
    );
    const after = shards.flatMap(({ entries, known }) => (known === undefined ? entries : []));
    const { dead, buried } = diffKeys(before, after, present, this.#options.now());
    await this.revoke(dead);
    this.tombstones.add(buried);
    this.tombstones.add(keys.filter(({ state }) => state === 'Revoked').map(({ hash }) => hash));
    const homeless = await this.tombstones.save(this.store);
    if (homeless === 0) return;
    warnings.push(
      `${homeless} deleted or revoked keys are beyond the ${MAX_TOMBSTONES} that can be remembered: after a restart of the operator ` +
        `their values could be imported again. Move keys to a new Gateway`,
    );
    this.#options.log.error(warnings.at(-1));
  }

  #has(part: PartName, sha256: string): boolean {
    return this.store.index?.parts[part]?.sha256 === sha256 && !this.#damaged.has(part);
  }

  async #commit({ digests }: Content, written: ReadonlyMap<PartName, PartEntry>): Promise<void> {
    const { index } = this.store;
    const names = Object.keys(digests);
    const parts = Object.fromEntries(names.map((part) => [part, written.get(part) ?? index!.parts[part]!]));
    const same =
      index !== undefined &&
      written.size === 0 &&
      Object.keys(index.parts).length === names.length &&
      index.revision === revisionOf(parts) &&
      index.revoked.length === 0 &&
      index.sequence >= this.#sequence;
    if (same) return;
    const keyParts = names.length - partsOf(0).length;
    await this.#writeIndex({ revision: revisionOf(parts), keyParts, parts, revoked: [] });
  }

  async #writeIndex(content: Omit<BundleIndex, 'format' | 'writer' | 'sequence'>): Promise<void> {
    const { writer, now } = this.#options;
    // A clock that never goes back, so that an index made anew never counts from below what a pod has loaded: whoever lost the index, lost the count.
    const sequence = Math.max(this.#sequence + 1, now());
    await this.store.writeIndex({ ...content, format: INDEX_FORMAT, writer, sequence });
    this.#sequence = sequence;
  }

  async #readParts(index: BundleIndex): Promise<void> {
    const { store } = this;
    this.#damaged = new Set();
    if (this.#shards.length !== index.keyParts) this.#shards = Array.from({ length: index.keyParts }, () => undefined);
    const shards = new Map(this.#shards.map((shard, at) => [keyPartName(at), { at, shard }]));
    await forEach(Object.entries(index.parts), async ([part, entry]) => {
      const name = partName(store.gateway.name, part, entry.slot);
      if (store.orphaned(name)) this.#damaged.add(part);
      const slot = shards.get(part);
      const json = await this.#readPart(part, entry);
      if (json === undefined) this.#damaged.add(part);
      else if (json === 'held') return;
      else if (part === 'bundle') this.catalog = this.#catalogIn(json);
      else if (part === 'credentials') this.#published = readCredentials(json).pepper;
      else if (slot !== undefined && slot.shard?.sha256 !== entry.sha256) {
        this.#shards[slot.at] = { ...entry, entries: parseJson(part, json) as KeyEntry[] };
      }
    });
  }

  /** Another release may have written another format; then the built-in tables hold until the Gateway's own can be used. */
  #catalogIn(json: Buffer): CatalogOverlay | undefined {
    try {
      return readBundle(json).catalog;
    } catch (error) {
      if (!(error instanceof PartError)) throw error;
      this.#options.log.warn({ error: error.message }, 'the published catalog cannot be read');
      return undefined;
    }
  }

  /** @returns undefined for a part that is not what the index names: it will be written again */
  async #readPart(part: PartName, entry: PartEntry): Promise<Buffer | 'held' | undefined> {
    try {
      return await this.store.readPart(part, entry);
    } catch (error) {
      if (!(error instanceof PartError)) throw error;
      this.#options.log.error({ part, error: error.message }, 'a published part is damaged and is written anew');
      return undefined;
    }
  }
}

/** Works on a few at a time. Waits for all of them also when one fails, so that no call is under way when the next attempt starts. */
async function forEach<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items].values();
  let failed: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      if (failed !== undefined) return;
      try {
        await work(item);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  if (failed !== undefined) throw failed.error;
}
