// What the last compile said, kept between passes: the settling passes in between look at pods and workloads and need no new compile.
import { objectKey, type Kind } from '#shared/api/kinds.ts';
import type { CompiledGateway, CompileOutput, ObjectStatus } from '#shared/compile/types.ts';
import type { KeyPlan } from '../keys/plan.ts';
import { contributes } from '../status/programmed.ts';
import type { CustomObject } from '../world/world.ts';

/** One object of the last compile. */
export interface Judged {
  readonly object: CustomObject;
  readonly status: ObjectStatus;
  /** `namespace/name` of the Gateway it names, or is. */
  readonly gateway: string;
}

export class Compiled {
  readonly judged: readonly Judged[];
  readonly gateways: ReadonlyMap<string, CompiledGateway>;
  readonly plan: Pick<KeyPlan, 'credentials' | 'lifecycles'>;
  /** Every VirtualKey there is, accepted or not and of whatever Gateway: a typing error must not bury a key, nor a detour to another Gateway. */
  readonly present: ReadonlySet<string>;
  readonly #byUid: ReadonlyMap<string, Judged>;
  readonly #ofGateway = new Map<string, Judged[]>();

  constructor(
    objects: readonly CustomObject[],
    output: CompileOutput,
    plan: Pick<KeyPlan, 'credentials' | 'lifecycles'>,
  ) {
    this.gateways = output.gateways;
    this.plan = plan;
    const statuses = new Map(output.statuses.map((status) => [`${status.kind} ${objectKey(status)}`, status]));
    const present = new Set<string>();
    this.judged = objects.flatMap((object) => {
      const status = statuses.get(`${object.kind} ${objectKey(object.metadata)}`);
      if (status === undefined) return [];
      const judged: Judged = { object, status, gateway: gatewayOf(object) };
      const siblings = this.#ofGateway.get(judged.gateway);
      if (siblings === undefined) this.#ofGateway.set(judged.gateway, [judged]);
      else siblings.push(judged);
      if (object.kind === 'VirtualKey') present.add(objectKey(object.metadata));
      return [judged];
    });
    this.present = present;
    this.#byUid = new Map(this.judged.map((judged) => [judged.object.metadata.uid ?? '', judged]));
  }

  byUid(uid: string): Judged | undefined {
    return this.#byUid.get(uid);
  }

  /** Objects whose content is in what was compiled for a Gateway: itself and what contributes to it. */
  contributors(gateway: string): { uid: string; generation: number }[] {
    return (this.#ofGateway.get(gateway) ?? [])
      .filter(({ status }) => contributes(status))
      .map(({ object }) => ({ uid: object.metadata.uid ?? '', generation: object.metadata.generation ?? 0 }));
  }

  /** Hashes of generated keys that are revoked, of a Gateway that may not have compiled. */
  revoked(gateway: string): string[] {
    return (this.#ofGateway.get(gateway) ?? []).flatMap(({ object }) => {
      const { state } = (object.spec ?? {}) as { state?: unknown };
      const credential = this.plan.credentials.get(objectKey(object.metadata));
      if (object.kind !== 'VirtualKey' || state !== 'Revoked' || credential === undefined) return [];
      return [credential.hash, ...(credential.previous === undefined ? [] : [credential.previous.hash])];
    });
  }

  ofKind(kind: Kind): Judged[] {
    return this.judged.filter(({ object }) => object.kind === kind);
  }
}

function gatewayOf({ kind, metadata, spec }: CustomObject): string {
  if (kind === 'Gateway') return objectKey(metadata);
  const { gatewayRef } = (spec ?? {}) as { gatewayRef?: { name?: unknown; namespace?: unknown } };
  const namespace = typeof gatewayRef?.namespace === 'string' ? gatewayRef.namespace : metadata.namespace;
  return `${namespace}/${typeof gatewayRef?.name === 'string' ? gatewayRef.name : ''}`;
}
