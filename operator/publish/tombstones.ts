// Hashes of keys that were deleted or revoked: none of them may ever come back, whoever imports the value. Kept in Secrets of the Gateway, 32 bytes
// a hash, appended to the last one, so that a burial writes one object. The set only grows: writers that race end with the union.
import type { Logger } from 'pino';
import { RESOURCE } from '#shared/kube/object.ts';
import { ownedMeta } from './objects.ts';
import type { GatewayStore } from './store.ts';

const KEY = 'hashes.bin';
const HASH_BYTES = 32;
/** 960,000 bytes of the 1 MiB that a Secret holds. */
const BOUNDS = { perObject: 30_000, objects: 32 };

/** Hashes that one Gateway can remember. */
export const MAX_TOMBSTONES = BOUNDS.perObject * BOUNDS.objects;

export function tombstonesName(gateway: string, page: number): string {
  return page === 0 ? `${gateway}-tombstones` : `${gateway}-tombstones-${String(page).padStart(2, '0')}`;
}

export class Tombstones {
  /** Hex, everything that is stored or was asked to be. */
  readonly hashes = new Set<string>();
  /** Bytes by object; what is in {@link hashes} and not here is still to be written. */
  #pages: Buffer[] = [];
  readonly #unsaved = new Set<string>();
  readonly #orphans = new Set<number>();
  readonly #bounds: typeof BOUNDS;

  constructor(bounds = BOUNDS) {
    this.#bounds = bounds;
  }

  /**
   * Takes over what is stored. What was known before and is stored no more, because somebody deleted it, is written again by the next {@link save}.
   * @throws {ApiError}
   */
  async load(store: GatewayStore, log: Logger): Promise<void> {
    const pages: Buffer[] = [];
    const stored = new Set<string>();
    this.#orphans.clear();
    for (let page = 0; page < this.#bounds.objects; page++) {
      const name = tombstonesName(store.gateway.name, page);
      const object = store.versionOf(name) === undefined ? undefined : await store.read(RESOURCE.Secret, name);
      const bytes = Buffer.from(object?.data?.[KEY] ?? '', 'base64');
      const torn = bytes.length % HASH_BYTES;
      if (torn !== 0) log.error({ secret: name }, 'tombstones were altered: what cannot be read may be imported again');
      pages.push(bytes.subarray(0, bytes.length - torn));
      for (const hash of hashesIn(pages[page]!)) stored.add(hash);
      if (store.orphaned(name)) this.#orphans.add(page);
    }
    this.#pages = pages;
    for (const hash of this.hashes) if (!stored.has(hash)) this.#unsaved.add(hash);
    for (const hash of stored) this.hashes.add(hash);
  }

  /** @param hashes hex */
  add(hashes: Iterable<string>): void {
    for (const hash of hashes) {
      if (this.hashes.has(hash)) continue;
      this.hashes.add(hash);
      this.#unsaved.add(hash);
    }
  }

  /**
   * Writes what is not stored yet. They hold in this process even if there is no more room; the caller tells of it.
   * @returns hashes for which there is no room
   * @throws {StaleError}, {PublishError} foreign_object, {ApiError}
   */
  async save(store: GatewayStore): Promise<number> {
    for (let page = 0; page < this.#bounds.objects && (this.#unsaved.size > 0 || this.#orphans.size > 0); page++) {
      const before = this.#pages[page] ?? Buffer.alloc(0);
      const room = this.#bounds.perObject - before.length / HASH_BYTES;
      const hashes = [...this.#unsaved].slice(0, Math.max(0, room));
      if (hashes.length === 0 && !this.#orphans.has(page)) continue;
      const name = tombstonesName(store.gateway.name, page);
      const bytes = Buffer.concat([before, Buffer.from(hashes.join(''), 'hex')]);
      const metadata = ownedMeta(store.gateway, 'tombstones', name, store.versionOf(name));
      await store.write(RESOURCE.Secret, { metadata, data: { [KEY]: bytes.toString('base64') } });
      this.#pages[page] = bytes;
      this.#orphans.delete(page);
      for (const hash of hashes) this.#unsaved.delete(hash);
    }
    return this.#unsaved.size;
  }
}

function* hashesIn(bytes: Buffer): Generator<string> {
  for (let at = 0; at < bytes.length; at += HASH_BYTES) yield bytes.toString('hex', at, at + HASH_BYTES);
}
