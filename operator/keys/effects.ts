// What an action does to the cluster, and what is to be remembered of it. The order of writes is what keeps keys safe: the status knows a hash
// before a pod does, pods know it before the Secret holds the value, and the old value gets its end only after that.
import { displayPrefix } from '#shared/compile/key-value.ts';
import { parseDuration } from '#shared/duration.ts';
import { keyHash } from '#shared/bundle/key-hash.ts';
import type { KubeClient } from '#shared/kube/client.ts';
import { SecretText } from '#shared/secret-text.ts';
import type { KeyAction } from './judge.ts';
import type { KeyRecord } from './memory.ts';
import { HASH_ANNOTATION, isOwned, isOurs, readToken, target } from './output-secret.ts';
import { deliverValue, readOutput, repairSecret, valueIn, type Found } from './secret-write.ts';
import { writeStored } from './stored-write.ts';
import type { KeyView, StoredKey } from './view.ts';

export interface EffectOptions {
  readonly client: KubeClient;
  /** Milliseconds since 1970, UTC. */
  readonly now: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
}

type Action<K extends KeyAction['kind']> = Extract<KeyAction, { kind: K }>;

/** 256 bits. */
const KEY_BYTES = 32;
const DEFAULT_GRACE = '24h';
/** Until the cache surely shows a note, in milliseconds. */
const NOTE_PAUSE = 5_000;

/** What is remembered from then on; members that are named replace those known before. */
export function perform(action: KeyAction, record: KeyRecord, options: EffectOptions): Promise<KeyRecord> {
  switch (action.kind) {
    case 'mint':
      return mint(action, options);
    case 'deliver':
      return deliver(action, record, options);
    case 'repair':
      return repair(action, options);
    case 'note':
      return note(action, options);
  }
}

/** The hash goes into the status; the value stays here until the pods know it. */
async function mint(action: Action<'mint'>, options: EffectOptions): Promise<KeyRecord> {
  const taken = await takeOver(action, options);
  if (taken !== undefined) return taken;
  const { key, stored, gateway, reason } = action;
  const { credential: last } = stored;
  const value = new SecretText(`${gateway.prefix}${Buffer.from(options.randomBytes(KEY_BYTES)).toString('base64url')}`);
  const rotates = reason === 'Annotation' || reason === 'Schedule';
  const previous = rotates && last ? { serial: last.serial, hash: last.hash, prefix: last.prefix } : stored.previous;
  const next: StoredKey = {
    credential: {
      serial: (last?.serial ?? 0) + 1,
      hash: keyHash(gateway.pepper.reveal(), value.reveal()),
      prefix: displayPrefix(value.reveal(), gateway.prefix),
      pepper: gateway.pepperId,
      delivered: false,
      mintedAt: new Date(options.now()).toISOString(),
      ...(key.rotate === undefined ? {} : { rotate: key.rotate }),
    },
    // A hash under another pepper is worth nothing.
    ...(previous === undefined || reason === 'Pepper' ? {} : { previous }),
  };
  await writeStored(options.client, key, stored, next);
  return { stored: next, value, gateway: gateway.key, published: undefined, fault: undefined };
}

/** The Secret may hold a value that the status does not know: written by a leader before us, or hashed under another pepper. */
async function takeOver(action: Action<'mint'>, options: EffectOptions): Promise<KeyRecord | undefined> {
  const { key, stored, gateway, secret, reason } = action;
  if (reason === 'Annotation' || reason === 'Schedule') return undefined;
  if (secret === undefined || !isOurs(secret, key.uid)) return undefined;
  const live = await readOutput(options.client, key);
  if (live === undefined || !isOwned(live, key.uid)) return undefined;
  const { credential } = stored;
  if (reason === 'Pepper') {
    const token = readToken(live, gateway);
    const was = live.metadata.annotations?.[HASH_ANNOTATION];
    if (token === undefined || !credential?.delivered || was !== credential.hash) return undefined;
    const next = { ...credential, hash: token.hash, pepper: gateway.pepperId, serial: credential.serial + 1 };
    await writeStored(options.client, key, stored, { credential: next });
    return { stored: { credential: next }, value: undefined };
  }
  const found = valueIn(live, gateway);
  if (found === undefined || found.serial <= (stored.previous?.serial ?? 0)) return undefined;
  return adopt(key, stored, found, gateway.pepperId, options);
}

/** Makes a value that somebody may have already the one in force. */
async function adopt(
  key: KeyView,
  stored: StoredKey,
  { serial, hash, prefix }: Found,
  pepper: string,
  options: EffectOptions,
): Promise<KeyRecord> {
  const credential = {
    serial: hash === stored.credential?.hash ? serial : Math.max(serial, (stored.credential?.serial ?? 0) + 1),
    hash,
    prefix,
    pepper,
    delivered: true,
    mintedAt: stored.credential?.mintedAt ?? new Date(options.now()).toISOString(),
    ...(key.rotate === undefined ? {} : { rotate: key.rotate }),
  };
  const next = { credential, ...ending(key, stored, options.now()) };
  await writeStored(options.client, key, stored, next);
  return { stored: next, value: undefined };
}

async function deliver(action: Action<'deliver'>, record: KeyRecord, options: EffectOptions): Promise<KeyRecord> {
  const { key, stored, gateway, secret } = action;
  const { value } = record;
  const { credential, previous } = stored;
  if (value === undefined || credential === undefined || credential.hash !== record.stored?.credential?.hash) return {};
  const { serial, hash } = credential;
  const written = { serial, hash, value };
  const { version, found } = await deliverValue(options.client, key, gateway, secret, written, previous?.serial ?? 0);
  const at = options.now();
  if (found !== undefined) return adopt(key, stored, found, gateway.pepperId, options);
  const next = { credential: { ...credential, delivered: true }, ...ending(key, stored, at) };
  await writeStored(options.client, key, stored, next);
  return { stored: next, value: undefined, published: undefined, fault: undefined, written: { hash, version, at } };
}

/** Clients can have the new value now, so from now on the old one has an end. */

function ending({ spec }: KeyView, { previous }: StoredKey, now: number): Pick<StoredKey, 'previous'> {
  const grace = parseDuration(spec.rotation?.grace ?? DEFAULT_GRACE);
  if (previous === undefined || grace === 0) return {};
  return { previous: { ...previous, until: previous.until ?? new Date(now + grace).toISOString() } };
}

async function repair({ key, stored, gateway }: Action<'repair'>, { client }: EffectOptions): Promise<KeyRecord> {
  const outcome = await repairSecret(client, key, gateway, stored);
  if (outcome !== 'altered') return { suspect: undefined, fault: undefined };
  const message =
    `Secret ${target(key).name} no longer holds the value of this key, which is still good and kept nowhere else; ` +
    'put the value back, or make a new one with annotation portcullis.dev/rotate';
  return { suspect: undefined, fault: { reason: 'SecretAltered', message } };
}

async function note({ key, stored, previous }: Action<'note'>, { client, now }: EffectOptions): Promise<KeyRecord> {
  const { previous: _, ...rest } = stored;
  await writeStored(client, key, stored, { ...rest, ...(previous === undefined ? {} : { previous }) });
  return { notBefore: now() + NOTE_PAUSE };
}
