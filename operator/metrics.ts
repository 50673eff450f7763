// What the operator tells Prometheus. Names carry units; labels are kinds, Gateways and outcomes, never single keys.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CredentialSecret } from './status/credential-life.ts';

/** Bounds in seconds: a change should be published in milliseconds, and 100,000 keys take seconds. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class OperatorMetrics {
  readonly registry = new Registry();
  readonly #reconcile: Histogram;
  readonly #phase: Histogram;
  readonly #failures: Counter;
  readonly #requests: Counter;
  readonly #reflector: Counter;
  readonly #objects: Gauge;
  readonly #leader: Gauge;
  readonly #statusWrites: Counter;
  readonly #publications: Counter;
  readonly #credentialAge: Gauge;
  readonly #credentialEnd: Gauge;

  constructor(version: string) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    new Gauge({
      name: 'portcullis_operator_info',
      help: 'Version of the operator; the value is always 1.',
      labelNames: ['version'],
      registers,
    }).set({ version }, 1);
    this.#reconcile = new Histogram({
      name: 'portcullis_operator_reconcile_seconds',
      help: 'Time of one pass from caches to written objects.',
      buckets: SECONDS,
      registers,
    });
    this.#phase = new Histogram({
      name: 'portcullis_operator_phase_seconds',
      help: 'Time of one phase of a pass.',
      labelNames: ['phase'],
      buckets: SECONDS,
      registers,
    });
    this.#failures = new Counter({
      name: 'portcullis_operator_failures_total',
      help: 'What failed and is tried again, by phase.',
      labelNames: ['phase'],
      registers,
    });
    this.#requests = new Counter({
      name: 'portcullis_operator_api_requests_total',
      help: 'Requests to the API server, by verb, resource and status code.',
      labelNames: ['verb', 'resource', 'code'],
      registers,
    });
    this.#reflector = new Counter({
      name: 'portcullis_operator_reflector_total',
      help: 'Lists, watches and failures of the caches, by resource.',
      labelNames: ['resource', 'event'],
      registers,
    });
    this.#objects = new Gauge({
      name: 'portcullis_operator_objects',
      help: 'Objects in the caches, by resource.',
      labelNames: ['resource'],
      registers,
    });
    this.#leader = new Gauge({ name: 'portcullis_operator_leader', help: '1 while this replica writes.', registers });
    this.#statusWrites = new Counter({
      name: 'portcullis_operator_status_writes_total',
      help: 'Statuses written, by kind.',
      labelNames: ['kind'],
      registers,
    });
    this.#publications = new Counter({
      name: 'portcullis_operator_publications_total',
      help: 'Configurations published, by Gateway.',
      labelNames: ['gateway'],
      registers,
    });
    this.#credentialAge = new Gauge({
      name: 'portcullis_operator_credential_age_seconds',
      help: 'Time since the oldest static credential of an Upstream last changed.',
      labelNames: ['upstream'],
      registers,
    });
    this.#credentialEnd = new Gauge({
      name: 'portcullis_operator_credential_expires_seconds',
      help: 'Time until the first credential of an Upstream ends, where that is known; negative when it has.',
      labelNames: ['upstream'],
      registers,
    });
  }

  /** @param upstreams `namespace/name` and the Secrets it names @param now milliseconds since 1970 */
  credentials(upstreams: Iterable<readonly [string, readonly CredentialSecret[]]>, now: number): void {
    this.#credentialAge.reset();
    this.#credentialEnd.reset();
    for (const [upstream, secrets] of upstreams) {
      const changed = Math.min(...secrets.flatMap(({ changedAt }) => changedAt ?? []));
      const end = Math.min(...secrets.flatMap(({ expiresAt }) => expiresAt ?? []));
      if (changed !== Infinity) this.#credentialAge.set({ upstream }, (now - changed) / 1000);
      if (end !== Infinity) this.#credentialEnd.set({ upstream }, (end - now) / 1000);
    }
  }

  /** Runs one phase of a pass and notes its time, or that it failed. */
  async phase<T>(phase: string, work: () => Promise<T> | T): Promise<T> {
    const end = this.#phase.startTimer({ phase });
    try {
      return await work();
    } catch (error) {
      this.failed(phase);
      throw error;
    } finally {
      end();
    }
  }

  failed(phase: string): void {
    this.#failures.inc({ phase });
  }

  pass(): () => void {
    return this.#reconcile.startTimer();
  }

  requested(verb: string, resource: string, code: string): void {
    this.#requests.inc({ verb, resource, code });
  }

  reflected(resource: string, event: string): void {
    this.#reflector.inc({ resource, event });
  }

  cached(resource: string, count: number): void {
    this.#objects.set({ resource }, count);
  }

  leading(yes: boolean): void {
    this.#leader.set(yes ? 1 : 0);
  }

  statusWritten(kind: string): void {
    this.#statusWrites.inc({ kind });
  }

  published(gateway: string): void {
    this.#publications.inc({ gateway });
  }

  /** Ends the series of a Gateway that is gone. */
  forgetGateway(gateway: string): void {
    this.#publications.remove({ gateway });
  }
}
