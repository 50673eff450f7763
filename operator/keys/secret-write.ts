// Writing output Secrets: created when absent, patched when ours and only onto the version that was looked at, never touched otherwise.
import { displayPrefix } from '#shared/compile/key-value.ts';
import { isApiError, type KubeClient } from '#shared/kube/client.ts';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import type { GatewayFacts } from './gateways.ts';
import {
  HASH_ANNOTATION,
  isIntact,
  isMarked,
  isOwned,
  newSecret,
  readToken,
  secretPatch,
  SERIAL_ANNOTATION,
  target,
  type SecretObject,
  type WrittenValue,
} from './output-secret.ts';
import type { KeyView, StoredKey } from './view.ts';

/** A Secret of that name is there and was not made for this key. */
export class ForeignSecretError extends Error {
  constructor(view: KeyView) {
    super(`Secret ${target(view).name} exists and was not made for VirtualKey ${view.id}`);
    this.name = 'ForeignSecretError';
  }
}

/** A value found in a Secret instead of one that was to be written. */
export interface Found {
  readonly serial: number;
  readonly hash: string;
  readonly prefix: string;
}

/** Either the Secret holds our value, in this version; or another leader was faster, and `found` is the value it has handed out. */
export type Delivery = { readonly version: string | undefined; readonly found?: Found };

const TRIES = 5;

/**
 * Writes a value into the output Secret.
 * @param cached metadata of the Secret as last seen
 * @param previous serial of the value that may be overwritten: whoever has it knows that it ends
 * @throws {ForeignSecretError}
 */
export async function deliverValue(
  client: KubeClient,
  view: KeyView,
  gateway: GatewayFacts,
  cached: KubeObject | undefined,
  value: WrittenValue,
  previous: number,
): Promise<Delivery> {
  // The cache knows the owners of Secrets with our labels only.
  let secret =
    cached !== undefined && cached.metadata.ownerReferences === undefined ? await readOutput(client, view) : cached;
  for (let attempt = 1; ; attempt++) {
    if (secret !== undefined && !isOwned(secret, view.uid)) throw new ForeignSecretError(view);
    try {
      const { metadata } = await write(client, view, gateway, secret, value);
      return { version: metadata.resourceVersion };
    } catch (error) {
      const raced = isApiError(error, 409) || isApiError(error, 404);
      if (!raced || attempt === TRIES) throw error;
    }
    const live = await readOutput(client, view);
    if (live !== undefined && isOwned(live, view.uid)) {
      const { resourceVersion: version } = live.metadata;
      const found = valueIn(live, gateway);
      if (found?.hash === value.hash) return { version };
      if (found !== undefined && found.serial > previous) return { version, found };
    }
    secret = live;
  }
}

function write(
  client: KubeClient,
  view: KeyView,
  gateway: GatewayFacts,
  secret: KubeObject | undefined,
  value: WrittenValue,
): Promise<KubeObject> {
  if (secret === undefined) return client.create(RESOURCE.Secret, newSecret(view, gateway, value));
  return client.patch(RESOURCE.Secret, target(view), secretPatch(secret, view, gateway, value));
}

/** The output Secret as it is now; undefined when there is none. */
export async function readOutput(client: KubeClient, view: KeyView): Promise<SecretObject | undefined> {
  try {
    return await client.get<SecretObject>(RESOURCE.Secret, target(view));
  } catch (error) {
    if (isApiError(error, 404)) return undefined;
    throw error;
  }
}

/** The value in a Secret that the operator wrote: only who holds the pepper could have written hash and value that belong together. */
export function valueIn(secret: SecretObject, gateway: GatewayFacts): Found | undefined {
  const token = readToken(secret, gateway);
  const { annotations } = secret.metadata;
  const serial = Number(annotations?.[SERIAL_ANNOTATION]);
  if (token === undefined || token.hash !== annotations?.[HASH_ANNOTATION] || !Number.isSafeInteger(serial))
    return undefined;
  return { serial, hash: token.hash, prefix: displayPrefix(token.value.reveal(), gateway.prefix) };
}

/** What a look at a Secret that changed came to. `altered`: it holds another value than the key's, which is kept nowhere else. */
export type Repair = 'intact' | 'repaired' | 'altered' | 'gone';

/** Puts the lines of a Secret right, as long as the value itself is still there. */
export async function repairSecret(
  client: KubeClient,
  view: KeyView,
  gateway: GatewayFacts,
  { credential }: StoredKey,
): Promise<Repair> {
  const secret = await readOutput(client, view);
  if (secret === undefined || credential === undefined) return 'gone';
  if (!isOwned(secret, view.uid)) throw new ForeignSecretError(view);
  const token = readToken(secret, gateway);
  if (token === undefined || token.hash !== credential.hash) return 'altered';
  if (isMarked(secret, view, gateway, credential) && isIntact(secret, view, gateway, token.value)) return 'intact';
  const { serial, hash } = credential;
  const patch = secretPatch(secret, view, gateway, { serial, hash, value: token.value });
  await client.patch(RESOURCE.Secret, target(view), patch);
  return 'repaired';
}
