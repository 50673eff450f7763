// The pepper of a Gateway: what key hashes are keyed with. Lost, every generated key is void; so it is made once and never replaced while keys
// are published. The published credentials hold a second copy, which decides:
//   Secret gone,              published copy there      the Secret is written again with the published value
//   Secret altered by hand,   published copy there      the published value stays in use; a warning says so until the Secret agrees or is deleted
//   Secret gone or unusable,  no copy, keys published   error: restore it, or delete the index to start afresh
//   Secret gone,              no keys published         a new one is made
import { indexName } from '#shared/bundle/publication.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import { SecretText } from '#shared/secret-text.ts';
import { PublishError } from './errors.ts';
import { ownedMeta, type StoredObject } from './objects.ts';
import type { GatewayStore } from './store.ts';

const KEY = 'pepper';
const BYTES = 32;
/** Printable ASCII, as long as 32 random bytes are in the shortest spelling that is usual. */
const USABLE = /^[\x21-\x7e]{32,}$/;

export const pepperName = (gateway: string): string => `${gateway}-pepper`;

export interface PepperFacts {
  /** As the published credentials have it; undefined when there are none, or none that can be read. */
  readonly published: SecretText | undefined;
  /** What this process has been using. */
  readonly known: SecretText | undefined;
  /** Whether any key is published, readable or not. */
  readonly keysPublished: boolean;
  /** Cryptographically strong. */
  readonly randomBytes: (count: number) => Uint8Array;
}

/**
 * The pepper to use, stored by the time it is returned.
 * @returns with a warning for people where the Secret is not as it should be
 * @throws {PublishError} pepper_lost, pepper_invalid; {StaleError}, {ApiError}
 */
export async function securePepper(
  store: GatewayStore,
  { published, known, keysPublished, randomBytes }: PepperFacts,
): Promise<{ pepper: SecretText; warning?: string }> {
  const name = pepperName(store.gateway.name);
  const object = store.versionOf(name) === undefined ? undefined : await store.read(RESOURCE.Secret, name);
  const inForce = keysPublished ? published : undefined;
  if (object === undefined) {
    const kept = inForce ?? known;
    if (keysPublished && kept === undefined) throw lost(store);
    const pepper = kept ?? new SecretText(Buffer.from(randomBytes(BYTES)).toString('hex'));
    await store.write(RESOURCE.Secret, pepperObject(store, pepper));
    return { pepper };
  }
  const text = Buffer.from(object.data?.[KEY] ?? '', 'base64').toString();
  if (inForce !== undefined && inForce.reveal() !== text) {
    return {
      pepper: inForce,
      warning:
        `Secret ${name} was altered and no longer holds the pepper of the published keys; theirs stays in use. ` +
        `Delete the Secret to have it written again`,
    };
  }
  if (!USABLE.test(text)) {
    throw new PublishError(
      'pepper_invalid',
      `Secret ${name} does not hold a pepper of 32 or more printable characters under "${KEY}"; restore it from a backup, or delete it to have a new one made`,
    );
  }
  const pepper = new SecretText(text);
  if (store.orphaned(name)) await store.write(RESOURCE.Secret, pepperObject(store, pepper));
  return { pepper };
}

function pepperObject(store: GatewayStore, pepper: SecretText): StoredObject & { readonly immutable: true } {
  const name = pepperName(store.gateway.name);
  return {
    metadata: ownedMeta(store.gateway, 'pepper', name, store.versionOf(name)),
    data: { [KEY]: Buffer.from(pepper.reveal()).toString('base64') },
    // The API server refuses edits: only a deletion can take it away.
    immutable: true,
  };
}

function lost({ gateway }: GatewayStore): PublishError {
  const name = pepperName(gateway.name);
  return new PublishError(
    'pepper_lost',
    `Secret ${name} is gone and keys are published that are void without it. Restore it from a backup; or delete ConfigMap ` +
      `${indexName(gateway.name)} to have a new pepper made: imported keys keep their values, generated keys get new ones`,
  );
}
