// Content of Secrets and ConfigMaps that custom resources name. Their caches hold metadata only; content is read by name when its resource
// version is another than the one read before, and forgotten when nothing names it any more.
import type { Logger } from 'pino';
import { isApiError, type KubeClient } from '#shared/kube/client.ts';
import { RESOURCE, type KubeObject, type ResourceType } from '#shared/kube/object.ts';
import { SecretText } from '#shared/secret-text.ts';

interface DataObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

interface Held<V> {
  readonly resourceVersion: string | undefined;
  readonly values: ReadonlyMap<string, V>;
}

/** Objects read at the same time. */
const PARALLEL = 16;

export class NamedValues<V> {
  readonly #client: KubeClient;
  readonly #log: Logger;
  readonly #type: ResourceType;
  readonly #decode: (value: string) => V;
  #held = new Map<string, Held<V>>();

  /** @param decode one value as the API server gives it */
  constructor(client: KubeClient, log: Logger, type: ResourceType, decode: (value: string) => V) {
    this.#client = client;
    this.#log = log;
    this.#type = type;
    this.#decode = decode;
  }

  /**
   * Content of the objects named, by `namespace/name` and key. One that cannot be read just now keeps its last content, so that a hiccup of the
   * API server never takes a provider away.
   * @param version resource version by `namespace/name` as the cache has it; undefined for an object that does not exist
   * @returns whether everything asked for is up to date, and the values; the very same map of an object for as long as it does not change
   */
  async read(
    names: ReadonlySet<string>,
    version: (name: string) => string | undefined,
  ): Promise<{ complete: boolean; values: ReadonlyMap<string, ReadonlyMap<string, V>> }> {
    const next = new Map<string, Held<V>>();
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
          this.#log.warn(
            { kind: this.#type.kind, object: name, err: error },
            'an object cannot be read; its last content is kept',
          );
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, stale.length) }, worker));
    this.#held = next;
    return { complete, values: new Map(Array.from(next, ([name, { values }]) => [name, values])) };
  }

  /** What was last read of an object, `namespace/name`; undefined when nothing was. */
  get(name: string): ReadonlyMap<string, V> | undefined {
    return this.#held.get(name)?.values;
  }

  async #get(name: string): Promise<Held<V> | undefined> {
    const slash = name.indexOf('/');
    try {
      const { metadata, data } = await this.#client.get<DataObject>(this.#type, {
        namespace: name.slice(0, slash),
        name: name.slice(slash + 1),
      });
      const values = Object.entries(data ?? {}).map(([key, value]) => [key, this.#decode(value)] as const);
      return { resourceVersion: metadata.resourceVersion, values: new Map(values) };
    } catch (error) {
      if (isApiError(error, 404)) return undefined;
      throw error;
    }
  }
}

export function secretValues(client: KubeClient, log: Logger): NamedValues<SecretText> {
  return new NamedValues(
    client,
    log,
    RESOURCE.Secret,
    (value) => new SecretText(Buffer.from(value, 'base64').toString()),
  );
}

export function configMapValues(client: KubeClient, log: Logger): NamedValues<string> {
  return new NamedValues(client, log, RESOURCE.ConfigMap, (value) => value);
}
