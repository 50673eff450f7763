// meter: what a call used → cost, metrics, audit. Called once when the usage of an answer is known and once when the call is over.
import type { ServedModel } from '../admit/models.ts';
import type { Call } from '../server/call.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { auditLine, type AuditSink } from './audit.ts';
import type { UsageTap } from './usage-tap.ts';

export interface RecorderClock {
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number;
}

export class Recorder {
  readonly #metrics: Metrics;
  readonly #sink: AuditSink;
  readonly #clock: RecorderClock;

  constructor(metrics: Metrics, sink: AuditSink, clock: RecorderClock) {
    this.#metrics = metrics;
    this.#sink = sink;
    this.#clock = clock;
  }

  /** Prices what an answer used. An answer without a word about usage costs nothing, and its audit record says so by omission. */
  charge(call: Call, tap: UsageTap, model: ServedModel): void {
    const used = tap.used();
    if (used === undefined) return;
    const { record, settings } = call;
    const upstreamModel = record.upstreamModel ?? model.id;
    const { cost, priced } = settings.prices.charge(
      used.usage,
      record.upstream ?? '',
      upstreamModel,
      model.id,
      this.#clock.wallClock(),
    );
    record.usage = used.usage;
    record.estimated = used.estimated;
    record.costNanoUsd = cost;
    record.priced = priced;
    this.#metrics.charged(call, used.usage, cost, priced);
  }

  /** The client's connection is done with this call. */
  finished(call: Call, status: number): void {
    const now = this.#clock.now();
    this.#metrics.finished(call, status, now);
    this.#sink.write(auditLine(call, status, { wallClock: this.#clock.wallClock(), now }));
  }
}
