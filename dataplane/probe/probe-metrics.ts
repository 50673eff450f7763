// What is known of upstreams, for Prometheus: one series for each upstream, limits one for each model and unit besides.
import { Gauge, type Registry } from 'prom-client';
import type { Facet } from '#shared/upstream-report.ts';
import { CounterFamily } from '../telemetry/families.ts';
import type { Finding } from './finding.ts';
import type { Probes } from './probes.ts';

const FIGURE = { True: 1, False: 0, Unknown: Number.NaN } as const;

/** @returns what counts probes */
export function probeMetrics(
  registry: Registry,
  probes: () => Probes,
): (upstream: string, outcome: Finding['outcome']) => void {
  const counter = new CounterFamily(registry, 'probes_total', 'Looks at upstreams, by what was found.', [
    'upstream',
    'outcome',
  ]);
  const gauge = (name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void): Gauge =>
    new Gauge({
      name: `portcullis_${name}`,
      help,
      labelNames,
      registers: [registry],
      collect(this: Gauge) {
        this.reset();
        collect(this);
      },
    });
  const facet = (name: string, help: string, pick: 'credentials' | 'reachable' | 'models'): Gauge =>
    gauge(name, `${help} NaN: not known.`, ['upstream'], (each) => {
      for (const [upstream, { state }] of probes().states())
        each.set({ upstream }, FIGURE[(state[pick] satisfies Facet).status]);
    });
  facet('upstream_credentials_valid', '1 while the provider accepts the credential.', 'credentials');
  facet('upstream_reachable', '1 while the provider answers.', 'reachable');
  facet('upstream_models_available', '1 while no model is known to be missing.', 'models');
  gauge('upstream_quota', 'Limits of the account a minute, by unit.', ['upstream', 'model', 'unit'], (each) => {
    for (const [upstream, { quotas }] of probes().states()) {
      for (const [model, quota] of Object.entries(quotas.known())) {
        for (const [unit, limit] of Object.entries(quota)) each.set({ upstream, model, unit }, limit);
      }
    }
  });
  return (upstream, outcome) => counter.add(1, upstream, outcome);
}
