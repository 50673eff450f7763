// What is known of one call for audit and metrics; filled in as the call walks through the rooms. Nothing in it is a secret or content.
import type { Usage } from '#shared/catalog/cost.ts';

export interface CallRecord {
  /** Milliseconds of the process clock. */
  readonly startedAt: number;
  /** Why the gateway refused or failed the call; undefined when an answer was relayed. */
  reason: string | undefined;
  /** Key of the policy, key or list behind a refusal. */
  rule: string | undefined;
  /** As the client sent it, shortened. */
  requestedModel: string | undefined;
  /** Id under which it was routed. */
  model: string | undefined;
  /** As the upstream was asked. */
  upstreamModel: string | undefined;
  upstream: string | undefined;
  /** Id of the credential the upstream was asked under; nothing secret. */
  upstreamCredential: string | undefined;
  /** Betas the client asked for that the upstream asked last was not told of. */
  droppedBetas: readonly string[];
  upstreamStatus: number | undefined;
  upstreamRequestId: string | undefined;
  cloudRequestId: string | undefined;
  attempts: number;
  firstByteAt: number | undefined;
  stream: boolean;
  /** How a relayed answer ended. */
  outcome: Outcome | undefined;
  usage: Usage | undefined;
  /** True when usage is an estimate from what was seen of an aborted stream. */
  estimated: boolean;
  costNanoUsd: bigint | undefined;
  priced: string | undefined;
}

export type Outcome =
  | 'complete'
  | 'client_aborted'
  | 'upstream_cut'
  | 'idle'
  | 'stream_error'
  | 'truncated'
  | 'revoked'
  | 'drained';

const NO_BETAS: readonly string[] = [];

export function newCallRecord(startedAt: number): CallRecord {
  return {
    startedAt,
    reason: undefined,
    rule: undefined,
    requestedModel: undefined,
    model: undefined,
    upstreamModel: undefined,
    upstream: undefined,
    upstreamCredential: undefined,
    droppedBetas: NO_BETAS,
    upstreamStatus: undefined,
    upstreamRequestId: undefined,
    cloudRequestId: undefined,
    attempts: 0,
    firstByteAt: undefined,
    stream: false,
    outcome: undefined,
    usage: undefined,
    estimated: false,
    costNanoUsd: undefined,
    priced: undefined,
  };
}
