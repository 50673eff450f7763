// One audit record per call, refused or served: who, from where, what, through which upstream, how long, how much. Field names are those
// of the field's other gateways. Never a credential, never content; independent of the operational log level.
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import type { Usage } from '#shared/catalog/cost.ts';
import { formatUsd } from '#shared/money.ts';
import { presentedCredential, shownPrefix, withoutCredentials } from '../identify/credential.ts';
import type { CredentialSource, Principal } from '../identify/principal.ts';
import type { Call } from '../server/call.ts';

/** Where records go: one JSON line each. */
export interface AuditSink {
  write(line: string): void;
  /** How many of them nobody will ever read; for sinks that can lose any. */
  readonly lost?: number;
}

export interface AuditTimes {
  /** Milliseconds since 1970. */
  readonly wallClock: number;
  /** Milliseconds of the process clock. */
  readonly now: number;
}

/** The record of a finished call as a JSON line without line feed. Undefined members are left out. */
export function auditLine(call: Call, status: number, { wallClock, now }: AuditTimes): string {
  const { record, request, credentials, principal } = call;
  const { usage, costNanoUsd } = record;
  const { key, team, prefix, source, rule } = principal === undefined ? stranger(call) : caller(call, principal);
  return JSON.stringify({
    event: isDenial(call, status) ? 'access.denied' : 'call',
    timestamp: new Date(wallClock).toISOString(),
    request_id: call.id,
    client_ip: call.address,
    user_id: principal?.owner,
    email: principal?.email,
    owner_type: key?.owner.type,
    team,
    key: key?.key,
    key_prefix: prefix,
    secret: key?.previous === true ? 'previous' : undefined,
    auth_method: principal?.method ?? 'none',
    credential_source: source,
    rule: record.rule ?? rule,
    dialect: call.dialect.name,
    method: request.method,
    endpoint: withoutCredentials(credentials, call.path),
    status,
    reason: record.reason,
    rate_limited: status === 429,
    response_time_ms: round(now - record.startedAt),
    first_byte_ms: record.firstByteAt && round(record.firstByteAt - record.startedAt),
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
    tokens_used: usage && tokensOf(usage),
    usage,
    usage_estimated: record.estimated || undefined,
    cost_usd: costNanoUsd === undefined ? undefined : formatUsd(costNanoUsd),
    priced: record.priced,
    session_id: header(call, 'x-claude-code-session-id'),
    agent_id: header(call, 'x-claude-code-agent-id'),
    parent_agent_id: header(call, 'x-claude-code-parent-agent-id'),
    revision: call.settings.revision,
  });
}

/** What a record says of whoever called. */
interface Who {
  readonly key: KeyEntry | undefined;
  readonly team: string | undefined;
  readonly prefix: string | undefined;
  readonly source: CredentialSource | undefined;
  /** The policy that governs. */
  readonly rule: string | undefined;
}

function caller({ settings, request }: Call, { key, source }: Principal): Who {
  const team = teamOf(key, settings.gateway.namespace);
  return { key, team, prefix: key.prefix, source, rule: settings.access.of(key, request.headers)?.rule };
}

function stranger({ settings, request, dialect }: Call): Who {
  const presented = presentedCredential(request.headers, dialect.name);
  const prefix = presented && shownPrefix(presented.value, settings.gateway.virtualKeys.prefix);
  return { key: undefined, team: undefined, prefix, source: presented?.source, rule: undefined };
}

function tokensOf({ inputTokens, outputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens }: Usage) {
  return inputTokens + outputTokens + cacheReadTokens + cacheWrite5mTokens + cacheWrite1hTokens;
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
