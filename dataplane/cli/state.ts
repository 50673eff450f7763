// What `portcullis run` keeps between starts, in a folder only its owner can read: the pepper, when each object was first seen, the values
// of generated keys, and the tombstones of keys that may never come back. In a cluster the operator keeps all of it in objects.
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { SecretText } from '#shared/secret-text.ts';
import { UnusableConfigurationError } from './unusable.ts';

const keptSchema = z.strictObject({
  version: z.literal(1),
  /** Hex, 32 bytes. */
  pepper: z.string().regex(/^[0-9a-f]{64}$/),
  /** First seen, RFC 3339, by `Kind namespace/name`. */
  created: z.record(z.string(), z.string()),
  /** Hash of each live key, by Gateway and then by `namespace/name`: what is gone next time was deleted. */
  live: z.record(z.string(), z.record(z.string(), z.string())),
  /** Hashes that may never come back, by Gateway. */
  tombstones: z.record(z.string(), z.array(z.string())),
});

type Kept = z.output<typeof keptSchema>;

/** What became of a VirtualKey. */
export interface KeyState {
  /** Undefined when the value is not known any more, such as for a revoked key whose Secret is gone. */
  readonly hash: string | undefined;
  readonly revoked: boolean;
}

export class StateFolder {
  readonly #file: string;
  readonly #kept: Kept;
  readonly folder: string;
  #saved: string;

  /** @throws {UnusableConfigurationError}, or a system error when the folder cannot be made or read */
  constructor(folder: string) {
    this.folder = folder;
    this.#file = join(folder, 'state.json');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const exists = existsSync(this.#file);
    this.#saved = exists ? readFileSync(this.#file, 'utf8') : '';
    // An empty file is a broken one: a fresh pepper would end every key.
    this.#kept = exists ? parse(this.#saved, this.#file) : fresh();
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
   * @param keys by `namespace/name`
   * @param objects every VirtualKey that still exists, accepted or not: a typing error must not bury a key
   */
  recordKeys(gateway: string, keys: ReadonlyMap<string, KeyState>, objects: ReadonlySet<string>): void {
    const graves = new Set(this.#kept.tombstones[gateway]);
    const live = this.#kept.live[gateway] ?? {};
    const inUse = new Set([...keys.values()].map(({ hash }) => hash));
    for (const [key, hash] of Object.entries(live)) {
      if (!objects.has(key) && !inUse.has(hash)) graves.add(hash);
      if (!objects.has(key)) delete live[key];
    }
    for (const [key, { hash = live[key], revoked }] of keys) {
      if (hash === undefined) continue;
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
  const parsed = keptSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new UnusableConfigurationError(
    `${file} is not a state file of this version. Restore it from a backup, or move it away to start afresh: ` +
      'generated keys keep their values, but what was deleted or revoked is forgotten',
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
