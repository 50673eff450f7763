// What `portcullis run` keeps between starts, in a folder only its owner can read: the pepper, when each object was first seen, the values
// of generated keys, and the tombstones of keys that may never come back. In a cluster the operator keeps all of it in objects.
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SecretText } from '#shared/secret-text.ts';
import { UnusableConfigurationError } from './unusable.ts';

interface Kept {
  version: 1;
  /** Hex, 32 bytes. */
  pepper: string;
  /** First seen, RFC 3339, by `Kind namespace/name`. */
  created: Record<string, string>;
  /** Hash of each live key, by Gateway and then by `namespace/name`: what is gone next time was deleted. */
  live: Record<string, Record<string, string>>;
  /** Hashes that may never come back, by Gateway. */
  tombstones: Record<string, string[]>;
}

export class StateFolder {
  readonly #file: string;
  readonly #kept: Kept;
  readonly folder: string;
  #saved: string;

  /** @throws when the folder cannot be made or its file cannot be read */
  constructor(folder: string) {
    this.folder = folder;
    this.#file = join(folder, 'state.json');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#saved = existsSync(this.#file) ? readFileSync(this.#file, 'utf8') : '';
    this.#kept = this.#saved === '' ? fresh() : parse(this.#saved, this.#file);
  }

  get pepper(): SecretText {
    return new SecretText(this.#kept.pepper);
  }

  /** When an object was first seen; noted now when it is new. */
  createdAt(identity: string, now: () => number): string {
    return (this.#kept.created[identity] ??= new Date(now()).toISOString());
  }

  /** Forgets objects that are gone, so that a name used again starts anew. */
  forgetObjects(present: ReadonlySet<string>): void {
    for (const identity of Object.keys(this.#kept.created))
      if (!present.has(identity)) delete this.#kept.created[identity];
  }

  tombstones(): ReadonlyMap<string, ReadonlySet<string>> {
    return new Map(Object.entries(this.#kept.tombstones).map(([gateway, hashes]) => [gateway, new Set(hashes)]));
  }

  /**
   * Takes over the keys of a configuration in force. A key whose object is gone, and a key that was revoked, leaves a tombstone.
   * @param keys hash and state by `namespace/name`
   * @param objects every VirtualKey that still exists, accepted or not: a typing error must not bury a key
   */
  recordKeys(
    gateway: string,
    keys: ReadonlyMap<string, { hash: string; revoked: boolean }>,
    objects: ReadonlySet<string>,
  ): void {
    const graves = new Set(this.#kept.tombstones[gateway]);
    const live = this.#kept.live[gateway] ?? {};
    const inUse = new Set([...keys.values()].map(({ hash }) => hash));
    for (const [key, hash] of Object.entries(live)) {
      if (!objects.has(key) && !inUse.has(hash)) graves.add(hash);
      if (!objects.has(key)) delete live[key];
    }
    for (const [key, { hash, revoked }] of keys) {
      live[key] = hash;
      if (revoked) graves.add(hash);
    }
    this.#kept.live[gateway] = live;
    this.#kept.tombstones[gateway] = [...graves].sort();
  }

  /** Writes what changed, whole or not at all. */
  save(): void {
    const text = JSON.stringify(this.#kept);
    if (text === this.#saved) return;
    writePrivate(this.#file, text);
    this.#saved = text;
  }
}

/** Writes a file only its owner can read, replacing it in one step. */
export function writePrivate(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: 0o600 });
  chmodSync(temporary, 0o600);
  renameSync(temporary, file);
}

function fresh(): Kept {
  return { version: 1, pepper: randomBytes(32).toString('hex'), created: {}, live: {}, tombstones: {} };
}

function parse(text: string, file: string): Kept {
  try {
    const kept = JSON.parse(text) as Kept;
    if (kept.version === 1 && typeof kept.pepper === 'string') return kept;
  } catch {
    // Falls through: the same advice for both.
  }
  throw new UnusableConfigurationError(
    `${file} is not a state file of this version; move it away to start afresh (generated keys stay valid only with it)`,
  );
}
