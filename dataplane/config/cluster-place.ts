// The two places a pod reads a publication from: the API server, and the same objects mounted as files, which lag behind by a minute or two
// but are there when the API server is not.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { INDEX_KEY, indexName, PART_KEY, partName, type PartName, type Slot } from '#shared/bundle/publication.ts';
import { isApiError, type KubeClient, type Reference } from '#shared/kube/client.ts';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import { LoadFault } from './cluster-fault.ts';

export interface Place {
  readonly name: 'api' | 'mount';
  /** Text of the index. Rejects when it cannot be had. */
  index(): Promise<string>;
  /** Bytes of a part in its slot. Rejects when they cannot be had. */
  part(name: PartName, slot: Slot): Promise<Uint8Array>;
}

/** A ConfigMap or a Secret. */
export interface DataObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
}

/** Milliseconds for one read: a part is tried again later rather than waited for. */
const READ_TIMEOUT = 5_000;

/** @param gateway namespace and name of the Gateway */
export function apiPlace(client: KubeClient, { namespace, name: gateway }: Reference): Place {
  const options = { timeout: READ_TIMEOUT };
  return {
    name: 'api',
    async index() {
      const name = indexName(gateway);
      try {
        return indexText(await client.get<DataObject>(RESOURCE.ConfigMap, { namespace, name }, options));
      } catch (error) {
        throw isApiError(error, 404) ? noIndex(name) : error;
      }
    },
    async part(part, slot) {
      const name = partName(gateway, part, slot);
      const [type, member] =
        part === 'bundle' ? ([RESOURCE.ConfigMap, 'binaryData'] as const) : ([RESOURCE.Secret, 'data'] as const);
      const object = await client.get<DataObject>(type, { namespace, name }, options);
      const content = object[member]?.[PART_KEY];
      if (content === undefined) throw new LoadFault('bad_part', `${type.kind} ${name} has no ${PART_KEY}`);
      return Buffer.from(content, 'base64');
    },
  };
}

export function noIndex(name: string): LoadFault {
  return new LoadFault('no_index', `ConfigMap ${name} does not exist: the operator has not published this Gateway`);
}

/** @throws {LoadFault} when the operator has made the ConfigMap its own, but has published nothing yet */
export function indexText({ metadata, data }: DataObject): string {
  const text = data?.[INDEX_KEY];
  if (text === undefined) throw new LoadFault('no_index', `ConfigMap ${metadata.name} has no ${INDEX_KEY} yet`);
  return text;
}

/** @param folder holds a folder for each object, with its data keys as files */
export function mountPlace(folder: string, gateway: string): Place {
  return {
    name: 'mount',
    index: () => readFile(join(folder, indexName(gateway), INDEX_KEY), 'utf8'),
    part: (part, slot) => readFile(join(folder, partName(gateway, part, slot), PART_KEY)),
  };
}
