// What Programmed says, in words: how many of the ready replicas have a publication, and what keeps the others.
import type { Condition } from '#shared/api/conditions.ts';
import type { Replica } from './replicas.ts';

/** A condition without type, generation and time. */
export type Verdict = Pick<Condition, 'status' | 'reason' | 'message'>;

export const PENDING: Verdict = {
  status: 'Unknown',
  reason: 'Pending',
  message: 'Waiting to be published to the data plane.',
};

/**
 * @param ready the ready replicas
 * @param sequence of the publication in question
 * @param live also tells of pods that cannot load anything newer, though they have this
 */
export function judge(ready: readonly Replica[], sequence: number, live: boolean): Verdict {
  if (ready.length === 0) return no('NoReadyReplica', 'No replica of the data plane is ready.');
  const behind = ready.filter((replica) => (replica.sequence ?? -1) < sequence);
  const loaded = `${ready.length - behind.length} of ${ready.length} replicas have loaded it`;
  const faulty = (live ? ready : behind).filter(({ fault }) => fault !== undefined);
  const [faulted] = faulty;
  if (faulted !== undefined) {
    const others = faulty.length > 1 ? ` (and ${faulty.length - 1} more)` : '';
    return no('LoadFault', `${loaded}; pod ${faulted.pod}${others} cannot load what is published: ${faulted.fault}`);
  }
  const silent = behind.filter((replica) => replica.sequence === undefined);
  if (silent.length > 0) {
    return no('ReplicaSilent', `${loaded}; ready, but not telling what they have loaded: ${names(silent)}`);
  }
  if (behind.length > 0) return no('ReplicasBehind', `${loaded}; waiting for ${names(behind)}`);
  const all = ready.length === 1 ? 'the one ready replica' : `all ${ready.length} ready replicas`;
  return { status: 'True', reason: 'Programmed', message: `Loaded by ${all}.` };
}

const no = (reason: string, message: string): Verdict => ({ status: 'False', reason, message });

function names(replicas: readonly Replica[]): string {
  const shown = replicas.slice(0, 3).map(({ pod }) => pod);
  const more = replicas.length - shown.length;
  return `${replicas.length === 1 ? 'pod' : 'pods'} ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
