// The failover drill: four upstreams of four families, 200 clients that stream and never ask twice, and each upstream in turn made to hang, to
// answer 429, to answer 5xx and to break off in the middle. While another upstream is well, no client may
// notice before its first byte; what breaks after it ends with an error event. Prints what it measured.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { percentile } from '../bench/statistics.ts';
import { CI_KEY } from '../harness/resources.ts';
import { DRILL_FAMILIES, FAULTS, startDrill, type Drill, type Fault } from './drill-scene.ts';
import { drilled, type DrilledCall } from './drill-clients.ts';

const CLIENTS = 200;
const PHASE_MS = 2_000;
const BODY = JSON.stringify({
  model: 'claude-sonnet-4-6',
  max_tokens: 64,
  stream: true,
  messages: [{ role: 'user', content: 'go on' }],
});

interface Phase {
  readonly name: string;
  readonly calls: readonly DrilledCall[];
  /** Calls that more than one upstream was asked for, and the others. */
  readonly failedOver: readonly DrilledCall[];
  readonly direct: readonly DrilledCall[];
  /** Requests that met the fault. */
  readonly met: number;
}

let drill: Drill;
let calm: Phase;
const phases: Phase[] = [];

beforeAll(async () => {
  drill = await startDrill();
  // Connections and code get warm.
  await drilled({ url: drill.gateway.url, key: CI_KEY, body: BODY, clients: CLIENTS, forMs: 500 });
  calm = await phase('calm');
});

afterAll(async () => {
  await drill?.close();
  if (phases.length > 0) console.log(report([calm, ...phases]));
});

async function phase(name: string): Promise<Phase> {
  const { gateway } = drill;
  const from = gateway.audit.length;
  const met = drill.met();
  const calls = await drilled({ url: gateway.url, key: CI_KEY, body: BODY, clients: CLIENTS, forMs: PHASE_MS });
  await gateway.record(() => gateway.audit.length - from >= calls.length);
  const again = new Set(
    gateway.audit
      .slice(from)
      .filter(({ attempts }) => Number(attempts) > 1)
      .map(({ request_id: id }) => id),
  );
  const isFailover = ({ id }: DrilledCall): boolean => again.has(id);
  return {
    name,
    calls,
    failedOver: calls.filter(isFailover),
    direct: calls.filter((call) => !isFailover(call)),
    met: drill.met() - met,
  };
}

const endings = ({ calls }: Phase, ending: DrilledCall['ending']): number =>
  calls.filter((call) => call.ending === ending).length;

test('in calm every call is answered, and by each of the upstreams', () => {
  expect(endings(calm, 'complete')).toBe(calm.calls.length);
  expect(calm.calls.length).toBeGreaterThanOrEqual(CLIENTS);
  const served = new Set(drill.gateway.audit.map(({ upstream }) => upstream));
  expect(served.size).toBe(DRILL_FAMILIES.length);
});

describe.each(DRILL_FAMILIES)('%s', (family) => {
  test.each(Object.keys(FAULTS) as Fault[])(
    '[ROUTE-06] [ERR-07] %s: no client notices before its first byte',
    async (fault) => {
      drill.strike(family, fault);
      const found = await phase(`${family} ${fault}`);
      await drill.heal();
      phases.push(found);
      expect(found.met).toBeGreaterThan(0);
      expect(endings(found, 'refused')).toBe(0);
      expect(endings(found, 'broken')).toBe(0);
      if (fault === 'cut') expect(endings(found, 'error-event')).toBeGreaterThan(0);
      else {
        expect(endings(found, 'error-event')).toBe(0);
        expect(found.failedOver.length).toBeGreaterThan(0);
      }
    },
  );
});

function report(phases: readonly Phase[]): string {
  const columns = ['calls', 'met', 'failovers', 'before', 'after', 'p50 ms', 'p99 ms', '+p50 ms', '+p99 ms'];
  const figure = (calls: readonly DrilledCall[], fraction: number): number =>
    percentile(
      calls.flatMap(({ firstByteMs }) => firstByteMs ?? []),
      fraction,
    );
  const line = (each: Phase): string => {
    const added = (fraction: number): number => figure(each.failedOver, fraction) - figure(each.direct, 0.5);
    const times = [figure(each.direct, 0.5), figure(each.direct, 0.99), added(0.5), added(0.99)];
    const cells = [
      each.calls.length,
      each.met,
      each.failedOver.length,
      endings(each, 'refused'),
      endings(each, 'error-event') + endings(each, 'broken'),
      ...times.map((ms) => (Number.isNaN(ms) ? '–' : ms.toFixed(0))),
    ];
    return each.name.padEnd(18) + cells.map((cell) => String(cell).padStart(11)).join('');
  };
  const sum = (of: (phase: Phase) => number): number => phases.reduce((total, phase) => total + of(phase), 0);
  return [
    `failover drill with ${CLIENTS} clients: ${sum(({ calls }) => calls.length)} calls, ${sum(({ failedOver }) => failedOver.length)} failovers,`,
    `${sum((phase) => endings(phase, 'refused'))} failures before the first byte; after it, all with an error event:`,
    `${sum((phase) => endings(phase, 'error-event'))}. p50 and p99: time to the first byte without a failover; +: what a failover adds to that p50.`,
    ''.padEnd(18) + columns.map((name) => name.padStart(11)).join(''),
    ...phases.map(line),
  ].join('\n');
}
