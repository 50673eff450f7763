// The one way `credential` and `previous` get into a status: server-side apply under a manager of their own, and only onto the state they were
// worked out from. Two leaders that overlap, or a cache that lags, cannot overwrite a value that the other has made.
import { API_VERSION } from '#shared/api/kinds.ts';
import { canonicalJson } from '#shared/canonical-json.ts';
import { isApiError, type KubeClient } from '#shared/kube/client.ts';
import { KEYS_MANAGER } from '#shared/kube/labels.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import { storedKey, type KeyView, type StoredKey, type VirtualKeyObject } from './view.ts';

/** The state a write was worked out from is no longer the one in force; the caches will tell. */
export class StaleError extends Error {
  constructor(key: string) {
    super(`VirtualKey ${key} has changed meanwhile`);
    this.name = 'StaleError';
  }
}

/** Others write conditions into the same object all the time. */
const TRIES = 5;

/**
 * @param from what the write was worked out from
 * @throws {StaleError} when that is not in force any more, or the object is another one
 */
export async function writeStored(client: KubeClient, view: KeyView, from: StoredKey, to: StoredKey): Promise<void> {
  const { namespace, name } = view.meta;
  let resourceVersion = view.meta.resourceVersion;
  for (let attempt = 1; ; attempt++) {
    try {
      const metadata = { namespace, name, uid: view.uid, resourceVersion };
      const body = { apiVersion: API_VERSION, kind: 'VirtualKey', metadata, status: to };
      await client.apply(RESOURCE.VirtualKey, body, { fieldManager: KEYS_MANAGER, subresource: 'status' });
      return;
    } catch (error) {
      if (!isApiError(error, 409) || attempt === TRIES) throw error;
      const live = await readLive(client, view);
      // Our own write, whose answer was lost.
      if (isSame(live.stored, to)) return;
      if (!isSame(live.stored, from)) throw new StaleError(view.id);
      resourceVersion = live.resourceVersion;
    }
  }
}

async function readLive(client: KubeClient, view: KeyView) {
  const { namespace, name } = view.meta;
  const { metadata, status } = await client.get<VirtualKeyObject>(RESOURCE.VirtualKey, { namespace, name });
  const { uid, deletionTimestamp, resourceVersion } = metadata;
  if (uid !== view.uid || deletionTimestamp !== undefined) throw new StaleError(view.id);
  return { stored: storedKey(status), resourceVersion };
}

function isSame(a: StoredKey, b: StoredKey): boolean {
  return canonicalJson(a) === canonicalJson(b);
}
