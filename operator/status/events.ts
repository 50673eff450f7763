// Kubernetes Events for what changed between two statuses of an object, for people who run `kubectl describe` or collect Events. Derived
// from statuses that were written, so what did not change makes none, and neither does a restart of the operator.
//
// What is told: every fault and its end, a Policy that is overridden, a key that comes to the end of its life or of its secret's, a Gateway
// that is paused. What is not: a VirtualKey that is sound from the start, because a fleet has 100,000 of them; and pods on the way to a new
// configuration, because the Gateway's figures show them.
import { API_VERSION, type Kind } from '#shared/api/kinds.ts';
import type { KubeObject, ResourceType } from '#shared/kube/object.ts';
import { conditionOf, type StatusObject, type StoredCondition } from './stored.ts';
import { UNSUPPORTED } from './upstream-health.ts';

export interface EventNote {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, for machines. */
  readonly reason: string;
  /** What the operator was doing. */
  readonly action: string;
  /** For people; at most {@link MAX_NOTE} bytes. */
  readonly note: string;
}

/** The API server's bound, in bytes. */
const MAX_NOTE = 1024;

/** Phases of a VirtualKey that are worth an Event when they are entered. */
const PHASES: Readonly<Record<string, readonly ['Normal' | 'Warning', string]>> = {
  Expired: ['Warning', 'The key has come to the end of its life and is refused from now on.'],
  Disabled: ['Normal', 'The key is disabled and is refused until it is active again.'],
  Revoked: ['Normal', 'The key is revoked and refused for good.'],
  Grace: ['Normal', 'The key has a new value; the previous one stays good until its grace ends.'],
};

/** Records what a written status has changed; for `onWritten` of the status writer. */
export function recordTransitions(
  recorder: { record(regarding: KubeObject, note: EventNote): void },
  { type, object }: { readonly type: ResourceType; readonly object: KubeObject },
  before: StatusObject,
  after: StatusObject,
): void {
  // Items of a list come without kind and version.
  const regarding = { apiVersion: API_VERSION, kind: type.kind, metadata: object.metadata };
  for (const told of eventsOf(type.kind as Kind, before, after)) recorder.record(regarding, told);
}

/**
 * @param before what the object said until now
 * @param after what it says from now on
 */
export function eventsOf(kind: Kind, before: StatusObject, after: StatusObject): EventNote[] {
  return [
    ...faultAndEnd('Accepted', 'Validate', before, after),
    ...faultAndEnd('ResolvedRefs', 'ResolveReferences', before, after),
    ...programming(kind, before, after),
    ...probing('CredentialsValid', before, after),
    ...probing('Reachable', before, after),
    ...probing('ModelsAvailable', before, after),
    ...nearing('CredentialStale', before, after),
    ...nearing('CredentialExpiring', before, after),
    ...appearing('Overridden', 'Compare', before, after),
    ...appearing('Expiring', 'CheckLifetime', before, after),
    ...appearing('RotationDue', 'CheckLifetime', before, after),
    ...phase(before, after),
    ...pause(kind, before, after),
  ];
}

function faultAndEnd(type: string, action: string, before: StatusObject, after: StatusObject): EventNote[] {
  const [was, is] = [conditionOf(before, type), conditionOf(after, type)];
  if (is?.status === 'False' && !sameFault(was, is)) return [note('Warning', is.reason, action, is.message)];
  if (is?.status === 'True' && was?.status === 'False') return [note('Normal', is.reason, action, is.message)];
  return [];
}

function programming(kind: Kind, before: StatusObject, after: StatusObject): EventNote[] {
  const [was, is] = [conditionOf(before, 'Programmed'), conditionOf(after, 'Programmed')];
  if (is === undefined) return [];
  const action = 'Publish';
  if (is.status === 'True') {
    const worthwhile = kind === 'VirtualKey' ? was?.status === 'False' && was.reason !== 'ReplicasBehind' : true;
    const news = was?.status !== 'True' || (kind !== 'VirtualKey' && was.observedGeneration !== is.observedGeneration);
    return worthwhile && news ? [note('Normal', is.reason, action, is.message)] : [];
  }
  return isWarning(kind, was, is) ? [note('Warning', is.reason, action, is.message)] : [];
}

/** Whether a Programmed that is not True is told. */
function isWarning(kind: Kind, was: StoredCondition | undefined, is: StoredCondition): boolean {
  if (is.reason === UNSUPPORTED) return reasonIsNew(was, is);
  if (kind !== 'Gateway' || is.status !== 'False' || is.reason === 'NotAccepted') return false;
  if (is.reason === 'ReplicasBehind' || sameFault(was, is)) return false;
  // Before the first replica is up there is nothing to complain of.
  return was?.status === 'True' || is.reason !== 'NoReadyReplica';
}

function probing(type: string, before: StatusObject, after: StatusObject): EventNote[] {
  const [was, is] = [conditionOf(before, type), conditionOf(after, type)];
  if (is?.status === 'False' && reasonIsNew(was, is)) return [note('Warning', is.reason, 'Probe', is.message)];
  if (is?.status === 'True' && was?.status === 'False') return [note('Normal', is.reason, 'Probe', is.message)];
  return [];
}

/** Each step towards an end is told, and what else comes near it. */
function nearing(type: string, before: StatusObject, after: StatusObject): EventNote[] {
  const [was, is] = [conditionOf(before, type), conditionOf(after, type)];
  if (is === undefined || (is.reason === was?.reason && is.message === was.message)) return [];
  return [note('Warning', type === is.reason ? type : `${type}${is.reason}`, 'CheckLifetime', is.message)];
}

function appearing(type: string, action: string, before: StatusObject, after: StatusObject): EventNote[] {
  const [was, is] = [conditionOf(before, type), conditionOf(after, type)];
  if (is?.status === 'True' && was?.status !== 'True') return [note('Warning', is.reason, action, is.message)];
  const ended = type === 'Overridden' && was?.status === 'True' && is === undefined;
  return ended ? [note('Normal', 'NotOverridden', action, 'No other policy comes before this one any more.')] : [];
}

function phase(before: StatusObject, after: StatusObject): EventNote[] {
  const [was, is] = [before['phase'], after['phase']];
  if (typeof is !== 'string' || is === was) return [];
  const told = PHASES[is];
  return told === undefined ? [] : [note(told[0], is, 'CheckLifetime', told[1])];
}

function pause(kind: Kind, before: StatusObject, after: StatusObject): EventNote[] {
  const [was, is] = [conditionOf(before, 'Ready'), conditionOf(after, 'Ready')];
  if (kind !== 'Gateway' || is?.reason !== 'Paused' || was?.reason === 'Paused') return [];
  return [note('Normal', 'Paused', 'Publish', is.message)];
}

/** How many replicas are of an opinion is in the message, and no news. */
function reasonIsNew(was: StoredCondition | undefined, is: StoredCondition): boolean {
  return was?.status !== 'False' || was.reason !== is.reason;
}

/** The same complaint about a later generation is not news; another reason is. */
function sameFault(was: StoredCondition | undefined, is: StoredCondition): boolean {
  return was?.status === 'False' && was.reason === is.reason && was.message === is.message;
}

const note = (type: EventNote['type'], reason: string, action: string, text: string): EventNote => ({
  type,
  reason,
  action,
  note: withinBytes(text),
});

function withinBytes(text: string): string {
  if (Buffer.byteLength(text) <= MAX_NOTE) return text;
  const cut = new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, MAX_NOTE - 3), { stream: true });
  return `${cut}...`;
}
