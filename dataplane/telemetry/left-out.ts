// What of the configuration in force this release cannot do: a log line when that changes, a gauge for as long as it lasts.
import type { Logger } from 'pino';
import { Gauge, type Registry } from 'prom-client';
import type { Settings } from '../config/snapshot.ts';

/**
 * @param read what is in force when Prometheus asks
 * @returns to be told of each configuration
 */
export function leftOutReport(
  registry: Registry,
  log: Logger,
  read: () => Settings['leftOut'],
): (settings: Settings) => void {
  const gauge = new Gauge({
    name: 'portcullis_config_left_out',
    help: '1 for each upstream that this release cannot call: the operator is of a later one.',
    labelNames: ['upstream', 'unknown'],
    registers: [registry],
    collect() {
      gauge.reset();
      for (const { upstream, unknown } of read()) gauge.set({ upstream, unknown }, 1);
    },
  });
  let told = '[]';
  return ({ leftOut }) => {
    const now = JSON.stringify(leftOut);
    if (now === told) return;
    told = now;
    for (const { upstream, unknown } of leftOut) {
      log.warn({ upstream, unknown }, 'upstream left out: this release does not know its kind; upgrade the data plane');
    }
  };
}
