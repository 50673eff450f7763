// A status as the API server holds it, and what of it is ours to write.
import type { Condition } from '#shared/api/conditions.ts';
import type { KubeObject } from '#shared/kube/object.ts';

export interface StoredCondition extends Condition {
  /** RFC 3339, UTC, whole seconds: when `status` last changed. */
  readonly lastTransitionTime: string;
}

/** The members of `status` this writer owns. */
export interface StatusObject {
  readonly observedGeneration?: number;
  readonly conditions: readonly StoredCondition[];
  readonly [member: string]: unknown;
}

/** What {@link statusOf} finds on an object that was never reported on. */
const NOTHING: StatusObject = { conditions: [] };

/** Members of a VirtualKey's status that the minter of keys writes, under a field manager of its own. */
export const FOREIGN_MEMBERS: ReadonlySet<string> = new Set(['credential', 'previous']);

/** The condition types we write. Others on the same object belong to somebody else. */
export const OUR_CONDITIONS: ReadonlySet<string> = new Set<Condition['type']>([
  'Accepted',
  'ResolvedRefs',
  'Programmed',
  'Ready',
  'Overridden',
  'Expiring',
  'RotationDue',
  'CredentialsValid',
  'Reachable',
  'ModelsAvailable',
  'CredentialStale',
  'CredentialExpiring',
]);

/** The status of a cached object. Its shape was checked by the schema of the CRD when it was written. */
export function statusOf(object: KubeObject & { readonly status?: unknown }): StatusObject {
  const { status } = object;
  if (typeof status !== 'object' || status === null) return NOTHING;
  const { conditions } = status as Partial<StatusObject>;
  return Array.isArray(conditions) ? (status as StatusObject) : { ...status, conditions: [] };
}

export function conditionOf(status: StatusObject, type: string): StoredCondition | undefined {
  return status.conditions.find((condition) => condition.type === type);
}
