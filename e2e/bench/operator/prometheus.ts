/** What the operator tells of itself, read from its Prometheus text. */

/** One scrape. */
export interface OperatorScrape {
  /** Of all threads since its start. */
  readonly cpuSeconds: number;
  /** Longest time the event loop was held since the scrape before, in seconds. */
  readonly loopHeldSeconds: number;
  readonly heapBytes: number;
  readonly statusWrites: number;
  /** Calls to the API server by verb and resource, such as `apply virtualkeys`. */
  readonly requests: ReadonlyMap<string, number>;
  /** Seconds spent in each phase of a pass, and how often. */
  readonly phases: ReadonlyMap<string, { readonly seconds: number; readonly count: number }>;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** @param text in the text format of Prometheus */
export function readScrape(text: string): OperatorScrape {
  const single = new Map<string, number>();
  const requests = new Map<string, number>();
  const phases = new Map<string, { seconds: number; count: number }>();
  let statusWrites = 0;
  for (const line of text.split('\n')) {
    const [, name = '', labelText = '', valueText = ''] = SAMPLE.exec(line) ?? [];
    const value = Number(valueText);
    const labels = Object.fromEntries([...labelText.matchAll(LABEL)].map(([, label, text]) => [label, text]));
    if (labelText === '') single.set(name, value);
    if (name === 'portcullis_operator_status_writes_total') statusWrites += value;
    if (name === 'portcullis_operator_api_requests_total') {
      const call = `${labels['verb']} ${labels['resource']}`;
      requests.set(call, (requests.get(call) ?? 0) + value);
    }
    if (name === 'portcullis_operator_phase_seconds_sum' || name === 'portcullis_operator_phase_seconds_count') {
      const phase = labels['phase'] ?? '';
      const known = phases.get(phase) ?? { seconds: 0, count: 0 };
      phases.set(phase, { ...known, [name.endsWith('_sum') ? 'seconds' : 'count']: value });
    }
  }
  return {
    cpuSeconds: single.get('process_cpu_seconds_total') ?? Number.NaN,
    loopHeldSeconds: single.get('nodejs_eventloop_lag_max_seconds') ?? Number.NaN,
    heapBytes: single.get('nodejs_heap_size_used_bytes') ?? Number.NaN,
    statusWrites,
    requests,
    phases,
  };
}

/** Calls between two scrapes, without those that renew the leader's Lease or open a watch: they come whether anything changes or not. */
export function callsBetween(before: OperatorScrape, after: OperatorScrape): Map<string, number> {
  const calls = new Map<string, number>();
  for (const [call, count] of after.requests) {
    const more = count - (before.requests.get(call) ?? 0);
    if (more > 0 && !call.endsWith(' leases') && !call.startsWith('watch ')) calls.set(call, more);
  }
  return calls;
}
