// Names that both programs agree on: labels, annotations and field managers.

/** On everything the operator makes. Never copied from the custom resource: label-based pruning would take the children away. */
export const MANAGED_BY = { 'app.kubernetes.io/managed-by': 'portcullis' } as const;

/** Name of the Gateway an object was made for, on everything the operator makes and on the pods' Leases. */
export const GATEWAY_LABEL = 'portcullis.dev/gateway';
/** What a generated object is for: `bundle`, `credentials`, `keys`, `index`, `pepper`, `tombstones`, `virtual-key`, `data-plane`. */
export const ROLE_LABEL = 'portcullis.dev/role';

/** On a VirtualKey: any new value rotates it now. */
export const ROTATE_ANNOTATION = 'portcullis.dev/rotate';

/** On a pod's Lease: the sequence number and the revision of the configuration the pod serves. */
export const LOADED_SEQUENCE_ANNOTATION = 'portcullis.dev/loaded-sequence';
export const LOADED_REVISION_ANNOTATION = 'portcullis.dev/loaded-revision';
/** On a pod's Lease: why it could not load what is published; absent when it did. */
export const LOAD_FAULT_ANNOTATION = 'portcullis.dev/load-fault';
/** On a pod's Lease: JSON of {@link PreviousSecretUse} by VirtualKey `namespace/name`, at most 100 of them. */
export const PREVIOUS_SECRET_ANNOTATION = 'portcullis.dev/previous-secret-use';

/** On a pod's Lease: what it knows of its upstreams; shared/upstream-report.ts reads and writes it. */
export const UPSTREAMS_ANNOTATION = 'portcullis.dev/upstreams';

/** On a Secret: when its content ends, RFC 3339, where whoever wrote it knows. */
export const EXPIRES_ANNOTATION = 'portcullis.dev/expires-at';

/** Use of the old secret of a rotated key, as one pod saw it. */
export interface PreviousSecretUse {
  /** RFC 3339, UTC, last use. */
  readonly at: string;
  readonly count: number;
  /** Client addresses, at most 5, last first. */
  readonly addresses: readonly string[];
}

export const OPERATOR_MANAGER = 'portcullis-operator';
export const STATUS_MANAGER = 'portcullis-operator-status';
/** Of `credential` and `previous` in the status of a VirtualKey, which nobody else writes. */
export const KEYS_MANAGER = 'portcullis-operator-keys';
export const DATA_PLANE_MANAGER = 'portcullis-data-plane';

/** How long a pod's Lease is good for without renewal, in seconds; renewed three times as often. */
export const POD_LEASE_SECONDS = 30;
