// Why a published configuration is not in force. The reasons are few and fixed, because metrics carry them; the words go to the log and
// to the pod's Lease, so they never quote what was read: a part may hold secrets.

export type FaultReason =
  /** There is no index, neither in the cluster nor mounted. */
  | 'no_index'
  /** The index is not one, or of a format this build does not know. */
  | 'bad_index'
  /** A part that the index names cannot be had. */
  | 'part_unavailable'
  /** A part is not the one the index names, or cannot be read. */
  | 'bad_part'
  /** The parts are what the index names, but no configuration can be built from them. */
  | 'unusable';

export class LoadFault extends Error {
  readonly reason: FaultReason;

  constructor(reason: FaultReason, message: string) {
    super(message);
    this.name = 'LoadFault';
    this.reason = reason;
  }
}
