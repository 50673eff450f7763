// One audit record per call, refused or served: who, from where, what, through which upstream, how long, how much. Field names are those
// of the field's other gateways. Never a credential, never content; independent of the operational log level.
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import { formatUsd } from '#shared/money.ts';
import { presentedCredential, shownPrefix, withoutCredentials } from '../identify/credential.ts';
import type { Call } from '../server/call.ts';
import type { CallRecord } from './call-record.ts';

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
  const { record, request, credentials } = call;
  return JSON.stringify({
    event: isDenial(call, status) ? 'access.denied' : 'call',
    timestamp: new Date(wallClock).toISOString(),
    request_id: call.id,
    client_ip: call.address,
    ...caller(call),
    dialect: call.dialect.name,
    method: request.method,
    endpoint: withoutCredentials(credentials, call.path),
    status,
    reason: record.reason,
    rate_limited: status === 429,
    response_time_ms: round(now - record.startedAt),
    first_byte_ms: record.firstByteAt === undefined ? undefined : round(record.firstByteAt - record.startedAt),
    requested_model: record.requestedModel && withoutCredentials(credentials, record.requestedModel),
    model: record.model,
    served_model: record.upstreamModel,
    upstream: record.upstream,
    upstream_credential: record.upstreamCredential,
    dropped_betas: droppedBetas(call),
    upstream_status: record.upstreamStatus,
    upstream_request_id: record.upstreamRequestId,
    cloud_request_id: record.cloudRequestId,
    attempts: record.attempts || undefined,
    stream: record.upstream === undefined ? undefined : record.stream,
    outcome: record.outcome,
    ...consumption(record),
    session_id: header(call, 'x-claude-code-session-id'),
    agent_id: header(call, 'x-claude-code-agent-id'),
    parent_agent_id: header(call, 'x-claude-code-parent-agent-id'),
    revision: call.settings.revision,
  });
}

function caller({ principal, record, settings, request, dialect }: Call) {
  if (principal === undefined) {
    const presented = presentedCredential(request.headers, dialect.name);
    return {
      key_prefix: presented && shownPrefix(presented.value, settings.gateway.virtualKeys.prefix),
      auth_method: 'none',
      credential_source: presented?.source,
      rule: record.rule,
    };
  }
  const { key } = principal;
  return {
    user_id: principal.owner,
    email: principal.email,
    owner_type: key.owner.type,
    team: teamOf(key, settings.gateway.namespace),
    key: key.key,
    key_prefix: key.prefix,
    secret: key.previous === true ? 'previous' : undefined,
    auth_method: principal.method,
    credential_source: principal.source,
    rule: record.rule ?? settings.access.of(key, request.headers)?.rule,
  };
}

function consumption({ usage, estimated, costNanoUsd, priced }: CallRecord) {
  return {
    tokens_used:
      usage &&
      usage.inputTokens +
        usage.outputTokens +
        usage.cacheReadTokens +
        usage.cacheWrite5mTokens +
        usage.cacheWrite1hTokens,
    usage,
    usage_estimated: estimated || undefined,
    cost_usd: costNanoUsd === undefined ? undefined : formatUsd(costNanoUsd),
    priced,
  };
}

/** Labels are written by whoever makes the key: a tenant's carry its namespace, as the names of its owners do. */
function teamOf({ owner, labels, namespace }: KeyEntry, home: string): string | undefined {
  if (owner.type === 'Team') return owner.name;
  const team = labels['team'];
  return team === undefined || namespace === home ? team : `${namespace}/${team}`;
}

/** Statuses by which the gateway itself denies. */
const REFUSALS: ReadonlySet<number> = new Set([401, 403]);

/** An upstream that refuses our credential denies the gateway, not the caller. */
function isDenial({ record }: Call, status: number): boolean {
  return record.reason !== undefined && record.upstream === undefined && REFUSALS.has(status);
}

const MAX_HEADER_CHARS = 128;
const MAX_BETAS = 16;

/** Client-written, so shortened; recorded for aggregation, never used as identity. */
function header({ request, credentials }: Call, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? withoutCredentials(credentials, value).slice(0, MAX_HEADER_CHARS) : undefined;
}

/** Names are client-written too: so many at most, each shortened. */
function droppedBetas({ record, credentials }: Call): string[] | undefined {
  if (record.droppedBetas.length === 0) return undefined;
  return record.droppedBetas
    .slice(0, MAX_BETAS)
    .map((beta) => withoutCredentials(credentials, beta).slice(0, MAX_HEADER_CHARS));
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
