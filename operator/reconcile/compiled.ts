// What the last compile said, kept between passes: the settling passes in between look at pods and workloads and need no new compile.
import type { CompiledGateway, CompileOutput } from '#shared/compile/types.ts';
import type { KeyPlan } from '../keys/plan.ts';
import type { Contributor, Judged, Judgements } from './judgements.ts';

export type { Judged } from './judgements.ts';

export class Compiled {
  readonly judged: readonly Judged[];
  readonly gateways: ReadonlyMap<string, CompiledGateway>;
  readonly plan: Pick<KeyPlan, 'credentials' | 'lifecycles'>;
  /** What was said of the Gateways themselves. */
  readonly judgedGateways: readonly Judged[];
  /** Every VirtualKey there is, accepted or not and of whatever Gateway: a typing error must not bury a key, nor a detour to another Gateway. */
  readonly present: ReadonlySet<string>;
  /** What was said of Upstreams. */
  readonly judgedUpstreams: readonly Judged[];
  readonly #judgements: Judgements;

  /** @param judgements of all compiles so far; this one is taken over, and is the one that counts from now on */
  constructor(output: CompileOutput, plan: Pick<KeyPlan, 'credentials' | 'lifecycles'>, judgements: Judgements) {
    judgements.take(output);
    this.gateways = output.gateways;
    this.plan = plan;
    this.judged = judgements.judged;
    this.present = judgements.present;
    // In the order of kinds they are the first.
    const others = this.judged.findIndex(({ object }) => object.kind !== 'Gateway');
    this.judgedGateways = others === -1 ? this.judged : this.judged.slice(0, others);
    const upstreams: Judged[] = [];
    for (const judged of this.judged) {
      if (judged.object.kind === 'VirtualKey') break;
      if (judged.object.kind === 'Upstream') upstreams.push(judged);
    }
    this.judgedUpstreams = upstreams;
    this.#judgements = judgements;
  }

  byUid(uid: string): Judged | undefined {
    return this.#judgements.byUid.get(uid);
  }

  /** Objects whose content is in what was compiled for a Gateway: itself and what contributes to it. */
  contributors(gateway: string): Iterable<Contributor> {
    return this.#judgements.contributors.get(gateway)?.values() ?? [];
  }

  /** Hashes of generated keys that are revoked, of a Gateway that may not have compiled. */
  revoked(gateway: string): string[] {
    return this.judged.flatMap(({ object, key, gateway: named }) => {
      if (named !== gateway || object.kind !== 'VirtualKey') return [];
      const { state } = (object.spec ?? {}) as { state?: unknown };
      const credential = this.plan.credentials.get(key);
      if (state !== 'Revoked' || credential === undefined) return [];
      return [credential.hash, ...(credential.previous === undefined ? [] : [credential.previous.hash])];
    });
  }
}
