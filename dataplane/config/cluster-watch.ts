// The one watch of a pod: the index, by name, so that the pod's Role need not let it see more.
import type { Logger } from 'pino';
import { RESOURCE } from '#shared/kube/object.ts';
import type { KubeClient, Reference } from '#shared/kube/client.ts';
import { Reflector } from '#shared/kube/reflector.ts';
import type { LoadFault } from './cluster-fault.ts';
import type { IndexListener } from './cluster-index.ts';
import { indexText, noIndex, type DataObject } from './cluster-place.ts';

export interface IndexWatchOptions {
  readonly client: KubeClient;
  /** The ConfigMap of the index. */
  readonly at: Reference;
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** @returns ends the watch */
export function watchIndex({ client, at, log, now, random }: IndexWatchOptions, listener: IndexListener): () => void {
  const reflector = new Reflector<DataObject>({
    client,
    type: RESOURCE.ConfigMap,
    query: { namespace: at.namespace, fieldSelector: `metadata.name=${at.name}` },
    onChange: (_before, after) => listener(shownBy(after, at.name)),
    log,
    now,
    random,
  });
  reflector.start();
  return () => void reflector.stop();
}

/** @param object as it is now, undefined when it is gone */
export function shownBy(object: DataObject | undefined, name: string): string | LoadFault {
  try {
    return object === undefined ? noIndex(name) : indexText(object);
  } catch (error) {
    return error as LoadFault;
  }
}
