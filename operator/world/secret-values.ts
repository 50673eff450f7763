// Values of the Secrets that custom resources name. The cache of Secrets holds metadata only; a value is read by name when its resource version
// is another than the one read before, and forgotten when nothing names it any more.
import type { Logger } from 'pino';
import { isApiError, type KubeClient } from '#shared/kube/client.ts';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import { SecretText } from '#shared/secret-text.ts';

interface SecretObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

interface Held {
  readonly resourceVersion: string | undefined;
  readonly values: ReadonlyMap<string, SecretText>;
}

/** Secrets read at the same time. */
const PARALLEL = 16;

export class SecretValues {
  readonly #client: KubeClient;
  readonly #log: Logger;
  #held = new Map<string, Held>();

  constructor(client: KubeClient, log: Logger) {
    this.#client = client;
    this.#log = log;
  }

  /**
   * Values of the Secrets named, by `namespace/name` and key. One that cannot be read just now keeps its last value, so that a hiccup of the
   * API server never takes a provider away.
   * @param version resource version by `namespace/name` as the cache has it; undefined for a Secret that does not exist
   * @returns whether everything asked for is up to date, and the values
   */
  async read(
    names: ReadonlySet<string>,
    version: (name: string) => string | undefined,
  ): Promise<{ complete: boolean; secrets: ReadonlyMap<string, ReadonlyMap<string, SecretText>> }> {
    const next = new Map<string, Held>();
    const stale: string[] = [];
    for (const name of names) {
      const resourceVersion = version(name);
      if (resourceVersion === undefined) continue;
      const held = this.#held.get(name);
      if (held !== undefined) next.set(name, held);
      if (held?.resourceVersion !== resourceVersion) stale.push(name);
    }
    let complete = true;
    const queue = stale.values();
    const worker = async (): Promise<void> => {
      for (const name of queue) {
        try {
          const held = await this.#get(name);
          if (held === undefined) next.delete(name);
          else next.set(name, held);
        } catch (error) {
          complete = false;
          this.#log.warn({ secret: name, err: error }, 'a Secret cannot be read; its last value is kept');
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, stale.length) }, worker));
    this.#held = next;
    return { complete, secrets: new Map(Array.from(next, ([name, { values }]) => [name, values])) };
  }

  async #get(name: string): Promise<Held | undefined> {
    const slash = name.indexOf('/');
    try {
      const { metadata, data } = await this.#client.get<SecretObject>(RESOURCE.Secret, {
        namespace: name.slice(0, slash),
        name: name.slice(slash + 1),
      });
      const values = Object.entries(data ?? {}).map(
        ([key, value]) => [key, new SecretText(Buffer.from(value, 'base64').toString())] as const,
      );
      return { resourceVersion: metadata.resourceVersion, values: new Map(values) };
    } catch (error) {
      if (isApiError(error, 404)) return undefined;
      throw error;
    }
  }
}
