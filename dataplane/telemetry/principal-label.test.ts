// Callers as a label of metrics: only where the Gateway asks for it, and never more than a bounded number.
import { expect, test } from 'vitest';
import { keyEntry, principalOf, settingsOf } from '../admit/testing.ts';
import { newCallRecord } from '../meter/call-record.ts';
import type { Call } from '../server/call.ts';
import { Metrics } from './metrics.ts';

type Mode = 'None' | 'Hashed' | 'Name';

function metrics(): Metrics {
  const zero = (): number => 0;
  return new Metrics(
    {
      inFlight: zero,
      queued: zero,
      maxConcurrent: zero,
      auditLost: zero,
      configRevision: () => undefined,
      configKeys: zero,
      ready: () => true,
    },
    'test',
  );
}

function callsOf(mode: Mode) {
  const settings = settingsOf({ gateway: { metrics: { port: 1, principalLabel: mode } } });
  return (name: string, namespace = 'default'): Call =>
    ({
      path: '/v1/messages',
      settings,
      record: newCallRecord(0),
      principal: principalOf(keyEntry({ key: `${namespace}/${name}` })),
    }) as unknown as Call;
}

async function labels(of: Metrics): Promise<Set<string>> {
  const text = await of.registry.getSingleMetricAsString('portcullis_requests_total');
  return new Set([...text.matchAll(/principal="([^"]*)"/g)].map(([, label]) => label!));
}

test.each<[Mode, RegExp]>([
  ['None', /^$/],
  ['Hashed', /^[0-9a-f]{12}$/],
  ['Name', /^default\/(ana|ben)$/],
])('[TELE-12] %s', async (mode, shape) => {
  const [of, call] = [metrics(), callsOf(mode)];
  for (const name of ['ana', 'ben', 'ana']) of.finished(call(name), 200, 1);
  const seen = await labels(of);
  expect(seen.size).toBe(mode === 'None' ? 1 : 2);
  for (const label of seen) expect(label).toMatch(shape);
});

test.each<Mode>(['Hashed', 'Name'])(
  '[TELE-12] %s: after 2000 callers all others of a namespace are one',
  async (mode) => {
    const [of, call] = [metrics(), callsOf(mode)];
    for (let i = 0; i < 2_500; i++) of.finished(call(`caller-${i}`), 200, 1);
    of.finished(call('caller-0'), 200, 1);
    const seen = await labels(of);
    expect(seen.size).toBe(2_001);
    // A hash tells nothing of who is behind it; a name does.
    expect(seen.has('default/*')).toBe(mode === 'Name');
  },
);

test('[TELE-12] a change of mode does not lift the bound', async () => {
  const of = metrics();
  const [hashed, named] = [callsOf('Hashed'), callsOf('Name')];
  for (let i = 0; i < 2_500; i++) of.finished((i % 2 === 0 ? hashed : named)(`caller-${i}`), 200, 1);
  // 2000 callers, and all others under each mode.
  expect((await labels(of)).size).toBe(2_002);
});

test.each<Mode>(['Hashed', 'Name'])(
  '[TEN-09] %s: callers of two namespaces never share a label, however many there are',
  async (mode) => {
    const [of, call] = [metrics(), callsOf(mode)];
    for (let i = 0; i < 2_100; i++) of.finished(call(`caller-${i}`), 200, 1);
    const before = await labels(of);
    of.finished(call('new', 'team-a'), 200, 1);
    of.finished(call('new', 'team-b'), 200, 1);
    of.finished(call('newer', 'team-b'), 200, 1);
    expect((await labels(of)).size).toBe(before.size + 2);
  },
);
