// One kind as the operator sees it: a reflector for every namespace in scope, or one for the whole cluster, behind one face.
import type { ListQuery } from '#shared/kube/client.ts';
import type { KubeObject, ResourceType } from '#shared/kube/object.ts';
import { Reflector, type ReflectorOptions } from '#shared/kube/reflector.ts';

/** What changed: `before` is absent for a new object, `after` for one that is gone. */
export interface Change<T extends KubeObject> {
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/** Namespaces the operator works in; the whole cluster when undefined. */
export type Scope = readonly string[] | undefined;

/** What all reflectors of the operator have in common. */
export type ReflectorDefaults = Pick<ReflectorOptions<KubeObject>, 'client' | 'log' | 'now' | 'random' | 'observe'>;

export class Watched<T extends KubeObject> {
  readonly resource: string;
  readonly #reflectors: readonly Reflector<T>[];
  readonly #listeners: ((change: Change<T>) => void)[] = [];

  constructor(
    type: ResourceType,
    scope: Scope,
    defaults: ReflectorDefaults,
    query: Omit<ListQuery, 'namespace'> = {},
    transform?: (object: T) => T,
  ) {
    this.resource = type.plural;
    const queries =
      type.clusterScoped || scope === undefined ? [query] : scope.map((namespace) => ({ ...query, namespace }));
    this.#reflectors = queries.map(
      (each) =>
        new Reflector<T>({
          ...defaults,
          type,
          query: each,
          ...(transform === undefined ? {} : { transform }),
          onChange: (before, after) => {
            for (const listener of this.#listeners) listener({ before, after });
          },
        }),
    );
  }

  start(): void {
    for (const reflector of this.#reflectors) reflector.start();
  }

  async synced(): Promise<void> {
    await Promise.all(this.#reflectors.map(({ synced }) => synced));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }

  onChange(listener: (change: Change<T>) => void): void {
    this.#listeners.push(listener);
  }

  /** @param key `namespace/name` */
  get(key: string): T | undefined {
    for (const reflector of this.#reflectors) {
      const object = reflector.get(key);
      if (object !== undefined) return object;
    }
    return undefined;
  }

  values(): T[] {
    return this.#reflectors.flatMap((reflector) => [...reflector.values()]);
  }

  get size(): number {
    return this.#reflectors.reduce((sum, { size }) => sum + size, 0);
  }
}
