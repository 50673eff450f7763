// Test support: pods, Leases and objects as the caches hold them.
import type { Kind } from '#shared/api/kinds.ts';
import type { Condition } from '#shared/api/conditions.ts';
import type { ObjectStatus } from '#shared/compile/types.ts';
import { GATEWAY_LABEL, LOAD_FAULT_ANNOTATION, LOADED_SEQUENCE_ANNOTATION } from '#shared/kube/labels.ts';
import { desiredStatus, type DesiredInput } from './desired.ts';
import type { LeaseObject, PodObject } from './replicas.ts';
import type { StatusObject } from './stored.ts';
import type { Verdict } from './verdict.ts';
import type { Reported } from './writer.ts';

export const GATEWAY = 'ai/claude';
export const NOW = Date.parse('2026-11-21T12:00:00Z');

export const pod = (name: string, ready = true, metadata: object = {}): PodObject => ({
  metadata: { namespace: 'ai', name, uid: `uid-${name}`, labels: { [GATEWAY_LABEL]: 'claude' }, ...metadata },
  status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
});

export interface LeaseFacts {
  readonly renewed?: number;
  readonly fault?: string;
  readonly seconds?: number;
  readonly holder?: string;
  readonly podUid?: string;
}

export const lease = (name: string, sequence: number | undefined, facts: LeaseFacts = {}): LeaseObject => ({
  metadata: {
    namespace: 'ai',
    name: `claude-${name}`,
    labels: { [GATEWAY_LABEL]: 'claude' },
    annotations: {
      ...(sequence === undefined ? {} : { [LOADED_SEQUENCE_ANNOTATION]: String(sequence) }),
      ...(facts.fault === undefined ? {} : { [LOAD_FAULT_ANNOTATION]: facts.fault }),
    },
    ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name, uid: facts.podUid ?? `uid-${name}` }],
  },
  spec: {
    holderIdentity: facts.holder ?? name,
    leaseDurationSeconds: facts.seconds ?? 30,
    renewTime: `2026-11-21T12:00:00.${String(facts.renewed ?? 0).padStart(6, '0')}Z`,
  },
});

export const yes = (type: Condition['type'], message = 'Fine.'): Condition => ({
  type,
  status: 'True',
  reason: type,
  message,
  observedGeneration: 1,
});

/** What the compile step says of a sound object, with other conditions where given. */
export function compiled(
  kind: Kind,
  name = 'x',
  conditions: readonly Condition[] = [],
  rest: Partial<ObjectStatus> = {},
): ObjectStatus {
  const all = [yes('Accepted'), yes('ResolvedRefs')].map(
    (sound) => conditions.find(({ type }) => type === sound.type) ?? sound,
  );
  const more = conditions.filter(({ type }) => type !== 'Accepted' && type !== 'ResolvedRefs');
  const base = { kind, namespace: 'ai', name, generation: 1, fields: {}, issues: [], warnings: [] };
  return { ...base, conditions: [...all, ...more], ...rest };
}

export const LOADED: Verdict = { status: 'True', reason: 'Programmed', message: 'Loaded by all 3 ready replicas.' };

/** An object an hour old. */
export const object = (status?: StatusObject, metadata: object = {}): Reported => ({
  metadata: {
    namespace: 'ai',
    name: 'x',
    uid: 'u',
    generation: 1,
    creationTimestamp: '2026-11-21T11:00:00Z',
    ...metadata,
  },
  ...(status === undefined ? {} : { status }),
});

/** The status of a sound object, or of one that differs from it. */
export function statusFor(kind: Kind, input: Partial<DesiredInput> = {}): StatusObject {
  const gateway = {
    replicas: { ready: 3, current: 3 },
    revision: 'abc',
    address: 'claude.ai.svc:8080',
    paused: false,
    available: { status: 'True', reason: 'MinimumReplicasAvailable', message: 'Available.' },
  } as const;
  return desiredStatus({
    object: object(),
    compiled: compiled(kind),
    programmed: LOADED,
    now: NOW,
    ...(kind === 'Gateway' ? { gateway } : {}),
    ...input,
  }).status;
}
