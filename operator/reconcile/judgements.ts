// What the compile step said of every object, with the questions a pass asks of it answered beforehand. Objects and statuses that did not change
// are the very same as in the compile before, so taking over a new compile touches what changed and no more.
import { objectKey } from '#shared/api/kinds.ts';
import { byText } from '#shared/compile/precedence.ts';
import type { CompileOutput, ObjectStatus } from '#shared/compile/types.ts';
import { Interned } from '#shared/interned.ts';
import { contributes } from '../status/programmed.ts';
import type { Verdict } from '../status/verdict.ts';
import type { CustomObject } from '../world/world.ts';

/** One object of the last compile: the same for as long as the object and what was said of it are. */
export interface Judged {
  readonly object: CustomObject;
  readonly status: ObjectStatus;
  /** `namespace/name`. */
  readonly key: string;
  /** `namespace/name` of the Gateway it names, or is. */
  readonly gateway: string;
  /** What its status was last worked out from, beside what is in here. */
  offered?: Offered;
}

export interface Offered {
  readonly current: CustomObject;
  readonly programmed: Verdict | undefined;
  readonly lifecycle: object | undefined;
  readonly health: object | undefined;
  /** Milliseconds since 1970 at which the status changes by itself. */
  readonly wakeAt: number | undefined;
}

export interface Contributor {
  readonly uid: string;
  readonly generation: number;
}

export class Judgements {
  readonly #names = new Interned();
  /** In the order of the compile: by kind, namespace and name. */
  judged: readonly Judged[] = [];
  readonly byUid = new Map<string, Judged>();
  /** `namespace/name` of every VirtualKey. */
  readonly present = new Set<string>();
  /** By Gateway `namespace/name`, then by uid. */
  readonly contributors = new Map<string, Map<string, Contributor>>();

  /** @param output of a compile of objects as the cache holds them */
  take({ objects, statuses }: Pick<CompileOutput, 'objects' | 'statuses'>): void {
    const before = this.judged;
    let old = 0;
    // Both are in the same order: what is in one list only shows where the other has passed it.
    this.judged = statuses.map((status, at) => {
      const object = objects[at] as CustomObject;
      while (old < before.length && order(before[old]!, object) < 0) this.#drop(before[old++]!);
      const known = old < before.length && order(before[old]!, object) === 0 ? before[old++] : undefined;
      if (known?.object === object && known.status === status) return known;
      if (known !== undefined) this.#drop(known);
      return this.#add({ object, status, key: objectKey(object.metadata), gateway: this.#names.of(gatewayOf(object)) });
    });
    while (old < before.length) this.#drop(before[old++]!);
  }

  #add(judged: Judged): Judged {
    const { object, status, gateway, key } = judged;
    const { uid = '', generation = 0 } = object.metadata;
    this.byUid.set(uid, judged);
    if (object.kind === 'VirtualKey') this.present.add(key);
    if (!contributes(status)) return judged;
    const siblings = this.contributors.get(gateway);
    if (siblings === undefined) this.contributors.set(gateway, new Map([[uid, { uid, generation }]]));
    else siblings.set(uid, { uid, generation });
    return judged;
  }

  #drop({ object, gateway, key }: Judged): void {
    const { uid = '' } = object.metadata;
    this.byUid.delete(uid);
    if (object.kind === 'VirtualKey') this.present.delete(key);
    const siblings = this.contributors.get(gateway);
    siblings?.delete(uid);
    if (siblings?.size === 0) this.contributors.delete(gateway);
  }
}

function order({ object }: Judged, other: CustomObject): number {
  if (object === other) return 0;
  return (
    byText(object.kind, other.kind) ||
    byText(object.metadata.namespace, other.metadata.namespace) ||
    byText(object.metadata.name, other.metadata.name)
  );
}

function gatewayOf({ kind, metadata, spec }: CustomObject): string {
  if (kind === 'Gateway') return objectKey(metadata);
  const { gatewayRef } = (spec ?? {}) as { gatewayRef?: { name?: unknown; namespace?: unknown } };
  const namespace = typeof gatewayRef?.namespace === 'string' ? gatewayRef.namespace : metadata.namespace;
  return `${namespace}/${typeof gatewayRef?.name === 'string' ? gatewayRef.name : ''}`;
}
