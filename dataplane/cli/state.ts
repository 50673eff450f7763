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
  /** `<first seen, RFC 3339> Kind namespace/name`. Lines, because 100,000 members make a slow object. */
  created: z.array(z.string()),
  /** `<hash> namespace/name` of each live key, by Gateway: what is gone next time was deleted. */
  live: z.record(z.string(), z.array(z.string())),
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
  readonly #created: Map<string, string>;
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
    this.#created = readLines(this.#kept.created);
  }

  get pepper(): SecretText {
    return new SecretText(this.#kept.pepper);
  }

  /** When an object was first seen; noted as `now`, RFC 3339, when it is new. */
  createdAt(identity: string, now: string): string {
    const known = this.#created.get(identity);
    if (known === undefined) this.#created.set(identity, now);
    return known ?? now;
  }

  /** Forgets objects that are gone, so that a name used again starts anew. */
  forgetObjects(present: { has(identity: string): boolean }): void {
    for (const identity of this.#created.keys()) if (!present.has(identity)) this.#created.delete(identity);
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
    const live = readLines(this.#kept.live[gateway] ?? []);
    const inUse = new Set([...keys.values()].map(({ hash }) => hash));
    for (const [key, hash] of live) {
      if (objects.has(key)) continue;
      if (!inUse.has(hash)) graves.add(hash);
      live.delete(key);
    }
    for (const [key, { hash = live.get(key), revoked }] of keys) {
      if (hash === undefined) continue;
      live.set(key, hash);
      if (revoked) graves.add(hash);
    }
    this.#kept.live[gateway] = writeLines(live);
    this.#kept.tombstones[gateway] = [...graves].sort();
  }

  /** Writes what changed, whole or not at all. */
  save(): void {
    const text = JSON.stringify({ ...this.#kept, created: writeLines(this.#created) });
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
  return { version: 1, pepper: randomBytes(32).toString('hex'), created: [], live: {}, tombstones: {} };
}

function parse(text: string, file: string): Kept {
  const parsed = keptSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new UnusableConfigurationError(
    `${file} is not a state file of this version. Restore it from a backup, or move it away to start afresh: ` +
      'generated keys keep their values, but what was deleted or revoked is forgotten',
  );
}

/** `value key` lines as a map from key to value. */
function readLines(lines: readonly string[]): Map<string, string> {
  return new Map(
    lines.map((line) => {
      const space = line.indexOf(' ');
      return [line.slice(space + 1), line.slice(0, space)];
    }),
  );
}

function writeLines(map: ReadonlyMap<string, string>): string[] {
  return Array.from(map, ([key, value]) => `${value} ${key}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
