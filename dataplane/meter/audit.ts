// One audit record per call, refused or served: who, from where, what, through which upstream, how long, how much. Field names are those
// of the field's other gateways. Never a credential, never content; independent of the operational log level.
import { formatUsd } from '#shared/money.ts';
import type { Call } from '../server/call.ts';

/** Where records go: one JSON line each. */
export interface AuditSink {
  write(line: string): void;
}

export interface AuditTimes {
  /** Milliseconds since 1970. */
  readonly wallClock: number;
  /** Milliseconds of the process clock. */
  readonly now: number;
}

/** The record of a finished call as a JSON line without line feed. Undefined members are left out. */
export function auditLine(call: Call, status: number, { wallClock, now }: AuditTimes): string {
  const { record, request, principal } = call;
  const { usage } = record;
  return JSON.stringify({
    event: record.reason !== undefined && REFUSALS.has(status) ? 'access.denied' : 'call',
    timestamp: new Date(wallClock).toISOString(),
    request_id: call.id,
    client_ip: call.address,
    user_id: principal?.owner,
    email: principal?.email,
    owner_type: principal?.key.owner.type,
    team: principal?.key.owner.type === 'Team' ? principal.key.owner.name : principal?.key.labels['team'],
    key: principal?.key.key,
    key_prefix: principal?.key.prefix,
    auth_method: principal?.method ?? 'none',
    credential_source: principal?.source,
    method: request.method,
    endpoint: call.path,
    status,
    reason: record.reason,
    rule: record.rule ?? (principal === undefined ? undefined : call.settings.access.of(principal.key)?.rule),
    rate_limited: status === 429,
    response_time_ms: round(now - record.startedAt),
    first_byte_ms: record.firstByteAt === undefined ? undefined : round(record.firstByteAt - record.startedAt),
    requested_model: record.requestedModel,
    model: record.model,
    served_model: record.upstreamModel,
    upstream: record.upstream,
    upstream_status: record.upstreamStatus,
    upstream_request_id: record.upstreamRequestId,
    cloud_request_id: record.cloudRequestId,
    attempts: record.attempts || undefined,
    stream: record.upstream === undefined ? undefined : record.stream,
    outcome: record.outcome,
    tokens_used:
      usage &&
      usage.inputTokens +
        usage.outputTokens +
        usage.cacheReadTokens +
        usage.cacheWrite5mTokens +
        usage.cacheWrite1hTokens,
    usage,
    usage_estimated: record.estimated || undefined,
    cost_usd: record.costNanoUsd === undefined ? undefined : formatUsd(record.costNanoUsd),
    priced: record.priced,
    session_id: header(call, 'x-claude-code-session-id'),
    agent_id: header(call, 'x-claude-code-agent-id'),
    parent_agent_id: header(call, 'x-claude-code-parent-agent-id'),
    revision: call.settings.revision,
  });
}

/** Statuses by which the gateway itself denies. */
const REFUSALS: ReadonlySet<number> = new Set([401, 403]);

const MAX_HEADER_CHARS = 128;

/** Client-written, so shortened; recorded for aggregation, never used as identity. */
function header({ request }: Call, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value.slice(0, MAX_HEADER_CHARS) : undefined;
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
