// The gateway's own Prometheus metrics. Labels are bounded: canonical models, configured upstreams, statuses, and callers only on request.
import { createHash } from 'node:crypto';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Usage } from '#shared/catalog/cost.ts';
import { NANO_PER_USD } from '#shared/money.ts';
import type { Call } from '../server/call.ts';
import { endpointLabel } from '../server/paths.ts';
import { CounterFamily, HistogramFamily } from './families.ts';

/** More callers than this share a label with all others of their namespace. */
const MAX_PRINCIPALS = 2000;
const DURATIONS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];
const FIRST_BYTES = [0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120];

const COSTS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** Figures read when Prometheus asks, not counted as they happen. */
export interface LiveFigures {
  readonly inFlight: () => number;
  readonly queued: () => number;
  readonly maxConcurrent: () => number;
  readonly configRevision: () => string | undefined;
  readonly configKeys: () => number;
  readonly auditLost: () => number;
  readonly ready: () => boolean;
}

/** Where a source of configuration stands; undefined while it does not know. */
export interface SourceFigures {
  /** Sequence of the publication in force. */
  readonly sequence: () => number | undefined;
  /** Highest sequence seen, loaded or not. */
  readonly seen: () => number | undefined;
  /** Milliseconds since the API server last confirmed what the newest publication is. */
  readonly age: () => number | undefined;
}

export class Metrics {
  readonly registry = new Registry();
  readonly #requests = this.#counter('requests_total', 'Calls answered.', [
    'endpoint',
    'model',
    'upstream',
    'status',
    'principal',
  ]);
  readonly #duration = this.#histogram(
    'request_duration_seconds',
    'Time from the first header to the end of the answer.',
    ['endpoint', 'upstream'],
    DURATIONS,
  );
  readonly #firstByte = this.#histogram(
    'first_byte_seconds',
    'Time to the first byte of the upstream answer.',
    ['endpoint', 'upstream'],
    FIRST_BYTES,
  );
  readonly #tokens = this.#counter('tokens_total', 'Tokens used, by class.', [
    'model',
    'upstream',
    'class',
    'principal',
  ]);
  readonly #cost = this.#counter('cost_usd_total', 'Cost in US dollars.', ['model', 'upstream', 'priced', 'principal']);
  readonly #callCost = this.#histogram('call_cost_usd', 'Cost of one call in US dollars.', ['upstream'], COSTS);
  readonly #attempts = this.#counter(
    'upstream_attempts_total',
    'Attempts at upstreams, by status or kind of failure.',
    ['upstream', 'result'],
  );
  readonly #crossings = this.#counter('provider_crossings_total', 'Calls that left a provider for another one.', [
    'from',
    'to',
  ]);
  readonly #fallbacks = this.#counter('model_fallbacks_total', 'Calls that went on to another model.', ['from', 'to']);
  readonly #droppedBetas = this.#counter(
    'betas_dropped_total',
    'Betas that clients asked for and an upstream was not told of, by provider family. The audit record names them.',
    ['family'],
  );
  readonly #unpriced = this.#counter(
    'unpriced_calls_total',
    'Calls charged at the unknown tier because no price is known for the model.',
    ['model', 'upstream'],
  );
  readonly #refusals = this.#counter('refusals_total', 'Calls the gateway refused, by reason.', ['reason']);
  readonly #authFailures = this.#counter('auth_failures_total', 'Credentials refused, by reason.', ['reason']);
  readonly #outcomes = this.#counter('answers_total', 'Relayed answers, by how they ended.', ['upstream', 'outcome']);
  readonly #reloads = this.#counter('config_reloads_total', 'Configurations taken over or refused.', ['result']);
  readonly #faults = this.#counter(
    'config_faults_total',
    'Published configurations that could not be loaded, by reason.',
    ['reason'],
  );
  readonly #listenerErrors = this.#counter('listener_errors_total', 'Requests refused before they could be read.', [
    'code',
  ]);
  readonly #principals = new Map<string, string>();

  /** @param source for sources that can lag behind what is published */
  constructor(live: LiveFigures, version: string, source?: SourceFigures) {
    collectDefaultMetrics({ register: this.registry });
    this.#gauge('in_flight_upstream', 'Upstream calls running.', live.inFlight);
    this.#gauge('queued', 'Calls waiting for an upstream place.', live.queued);
    this.#gauge('max_concurrent_upstream', 'Limit of upstream calls of this replica.', live.maxConcurrent);
    this.#gauge('config_keys', 'Virtual keys loaded.', live.configKeys);
    this.#gauge('ready', '1 when this replica serves.', () => (live.ready() ? 1 : 0));
    const revision = this.#labelled('config_info', 'Revision of the configuration in force.', ['revision'], (gauge) => {
      gauge.reset();
      gauge.set({ revision: live.configRevision() ?? 'none' }, 1);
    });
    revision.set({ revision: 'none' }, 1);
    if (source !== undefined) this.#sourceGauges(source);
    const lost = new Counter({
      name: 'portcullis_audit_records_lost_total',
      help: 'Audit records that nobody will ever read, because their reader was too slow or went away.',
      registers: [],
      collect() {
        lost.reset();
        lost.inc(live.auditLost());
      },
    });
    this.registry.registerMetric(lost);
    this.#labelled('build_info', 'Version of the data plane.', ['version'], () => undefined).set({ version }, 1);
  }

  /** Counts a finished call. */
  finished(call: Call, status: number, now: number): void {
    const { record } = call;
    const endpoint = endpointLabel(call.path);
    const upstream = record.upstream ?? 'none';
    this.#requests.add(1, endpoint, modelLabel(call), upstream, String(status), this.#principal(call));
    this.#duration.observe((now - record.startedAt) / 1000, endpoint, upstream);
    if (record.firstByteAt !== undefined) {
      this.#firstByte.observe((record.firstByteAt - record.startedAt) / 1000, endpoint, upstream);
    }
    if (record.outcome !== undefined) this.#outcomes.add(1, upstream, record.outcome);
    if (record.reason !== undefined) {
      this.#refusals.add(1, record.reason);
      if (status === 401) this.#authFailures.add(1, record.reason);
    }
  }

  charged(call: Call, usage: Usage, costNanoUsd: bigint, priced: string): void {
    const { record } = call;
    const model = record.model ?? 'none';
    const upstream = record.upstream ?? 'none';
    const principal = this.#principal(call);
    const count = (tokens: number, tokenClass: string): void => {
      if (tokens > 0) this.#tokens.add(tokens, model, upstream, tokenClass, principal);
    };
    count(usage.inputTokens, 'input');
    count(usage.outputTokens, 'output');
    count(usage.cacheReadTokens, 'cache_read');
    count(usage.cacheWrite5mTokens, 'cache_write_5m');
    count(usage.cacheWrite1hTokens, 'cache_write_1h');
    const usd = Number(costNanoUsd) / Number(NANO_PER_USD);
    this.#cost.add(usd, model, upstream, priced, principal);
    if (priced === 'unknown') this.#unpriced.add(1, model, upstream);
    this.#callCost.observe(usd, upstream);
  }

  attempt(upstream: string, result: string): void {
    this.#attempts.add(1, upstream, result);
  }

  /** Providers, as Upstreams name them. */
  crossing(from: string, to: string): void {
    this.#crossings.add(1, from, to);
  }

  /** Ids of models. */
  fallback(from: string, to: string): void {
    this.#fallbacks.add(1, from, to);
  }

  /** Once for each upstream that is asked. */
  betasDropped(family: string, count: number): void {
    this.#droppedBetas.add(count, family);
  }

  reloaded(result: 'applied' | 'refused'): void {
    this.#reloads.add(1, result);
  }

  /** @param reason one of a fixed set */
  configFault(reason: string): void {
    this.#faults.add(1, reason);
  }

  listenerError(code: string): void {
    this.#listenerErrors.add(1, code);
  }

  /** Callers as a label, when the Gateway asks for it; bounded, because every new value is a new series for ever. */
  #principal({ principal, settings }: Call): string {
    const mode = settings?.gateway.metrics.principalLabel ?? 'None';
    if (mode === 'None' || principal === undefined) return '';
    const key = `${mode} ${principal.id}`;
    const known = this.#principals.get(key);
    if (known !== undefined) return known;
    if (this.#principals.size >= MAX_PRINCIPALS) return labelOf(`${namespaceOf(principal.id)}/*`, mode);
    const label = labelOf(principal.id, mode);
    this.#principals.set(key, label);
    return label;
  }

  #counter(name: string, help: string, labelNames: string[]): CounterFamily {
    return new CounterFamily(this.registry, name, help, labelNames);
  }

  #histogram(name: string, help: string, labelNames: string[], bounds: number[]): HistogramFamily {
    return new HistogramFamily(this.registry, name, help, labelNames, bounds);
  }

  #gauge(name: string, help: string, read: () => number): void {
    this.#labelled(name, help, [], (gauge) => gauge.set(read()));
  }

  #sourceGauges({ sequence, seen, age }: SourceFigures): void {
    this.#gauge('config_sequence', 'Sequence of the publication in force.', () => sequence() ?? NaN);
    this.#gauge('config_seen_sequence', 'Highest sequence seen, loaded or not.', () => seen() ?? NaN);
    const confirmed = 'Seconds since the API server last confirmed what the newest publication is.';
    this.#gauge('config_confirmed_age_seconds', confirmed, () => (age() ?? NaN) / 1000);
  }

  #labelled(name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void): Gauge {
    return new Gauge({
      name: `portcullis_${name}`,
      help,
      labelNames,
      registers: [this.registry],
      collect(this: Gauge) {
        collect(this);
      },
    });
  }
}

function labelOf(id: string, mode: 'Hashed' | 'Name'): string {
  return mode === 'Name' ? id : createHash('sha256').update(id).digest('hex').slice(0, 12);
}

function namespaceOf(id: string): string {
  return id.slice(0, id.indexOf('/'));
}

/**
 * Names that Upstreams give to models are those of their namespaces, and two may give the same one. Beside the label of an upstream they are
 * told apart; a call that reached none has only what is everybody's.
 */
function modelLabel({ record, settings }: Call): string {
  const { model, upstream } = record;
  if (model === undefined) return 'none';
  return upstream !== undefined || (settings?.catalog.models.byId.has(model) ?? false) ? model : 'other';
}
