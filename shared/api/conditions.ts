// Conditions as every kind reports them. The compile step writes them without times; whoever stores them adds lastTransitionTime.

export type ConditionType =
  | 'Accepted'
  | 'ResolvedRefs'
  | 'Programmed'
  | 'Ready'
  | 'Overridden'
  /** Of VirtualKeys, only when True. */
  | 'Expiring'
  | 'RotationDue'
  /** Of Upstreams, by the word of the pods. */
  | 'CredentialsValid'
  | 'Reachable'
  | 'ModelsAvailable'
  /** Of Upstreams, only when True. */
  | 'CredentialStale'
  | 'CredentialExpiring';

export interface Condition {
  readonly type: ConditionType;
  readonly status: 'True' | 'False' | 'Unknown';
  /** CamelCase, for machines. */
  readonly reason: string;
  /** For people: names the field and the fix. */
  readonly message: string;
  readonly observedGeneration?: number;
}
