// The failover drill: four upstreams of four families, 200 clients that stream and never ask twice, and each upstream in turn made to hang,
// to answer 429, to answer 5xx, to break off behind its headers and in the middle. While another upstream is well, no client may notice before its first byte;
// what breaks after it ends with an error event. Prints what it measured.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CI_KEY } from '../harness/resources.ts';
import { DRILL_FAMILIES, FAULTS, startDrill, type Drill, type Fault } from './drill-scene.ts';
import { drilled, type DrilledCall } from './drill-clients.ts';
import { endings, report, type Phase } from './drill-report.ts';

const CLIENTS = 200;
const PHASE_MS = 1_500;
const BODY = JSON.stringify({
  model: 'claude-sonnet-4-6',
  max_tokens: 64,
  stream: true,
  messages: [{ role: 'user', content: 'go on' }],
});

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
  if (phases.length > 0) console.log(report(CLIENTS, [calm, ...phases]));
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

test('in calm every call is answered, and by each of the upstreams', () => {
  expect(endings(calm, 'complete')).toBe(calm.calls.length);
  expect(calm.calls.length).toBeGreaterThanOrEqual(CLIENTS);
  const served = new Set(drill.gateway.audit.map(({ upstream }) => upstream));
  expect(served.size).toBe(DRILL_FAMILIES.length);
});

describe.each(DRILL_FAMILIES)('%s', (family) => {
  test.each(Object.keys(FAULTS) as Fault[])('[ROUTE-06] %s: no client notices before its first byte', async (fault) => {
    drill.strike(family, fault);
    const found = await phase(`${family} ${fault}`);
    await drill.heal();
    phases.push(found);
    expect(found.met).toBeGreaterThan(0);
    expect(endings(found, 'refused')).toBe(0);
    expect(endings(found, 'broken')).toBe(0);
    // After the first byte there is nothing to fail over to, and before it no other way.
    const isCut = fault === 'cut';
    expect(endings(found, 'error-event') > 0).toBe(isCut);
    expect(isCut || found.failedOver.length > 0).toBe(true);
  });
});
