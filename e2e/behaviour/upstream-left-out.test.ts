// An upstream that a pod leaves out because its release does not know the kind: said in the pod's report, and from there on the Upstream itself.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Bundle } from '#shared/bundle/bundle.ts';
import { readUpstreamReport } from '#shared/upstream-report.ts';
import { upstreamHealth } from '#operator/status/upstream-health.ts';
import { startGateway, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { site, siteResources } from './routing.ts';

let mock: MockAnthropic;
let gateway: TestGateway;
let rewrite: (bundle: Bundle) => Bundle;

beforeEach(async () => {
  mock = await startMockAnthropic();
});

afterEach(async () => {
  await gateway.close();
  await mock.close();
});

const ofLater = (bundle: Bundle): Bundle => ({
  ...bundle,
  upstreams: bundle.upstreams.map((entry) =>
    entry.name === 'a' ? { ...entry, provider: 'Quantum' as typeof entry.provider } : entry,
  ),
});
const resources = () => siteResources([site('a', mock.url, 0), site('b', mock.url, 1)]);
/** What the operator makes of the pod's word, and of that of others which know everything. */
const shown = (name: string) => {
  const pod = {
    pod: 'p0',
    sequence: 1,
    fault: undefined,
    upstreams: readUpstreamReport(gateway.plane.probes.report()),
  };
  const later = ['p1', 'p2'].map((each) => ({ ...pod, pod: each, upstreams: { [`default/${name}`]: {} } }));
  return upstreamHealth(`default/${name}`, [pod, ...later]).notProgrammed;
};

test('[OPS-12] the pod’s Lease names what it leaves out, and the operator says so of that Upstream alone', async () => {
  rewrite = ofLater;
  let reports = 0;
  gateway = await startGateway(resources(), {
    rewrite: (bundle) => rewrite(bundle),
    probing: true,
    onReport: () => void reports++,
  });
  expect(shown('a')).toEqual({
    status: 'False',
    reason: 'UnsupportedByRelease',
    message: '1 of 3 replicas cannot serve it: their release does not know provider Quantum; upgrade the data plane.',
  });
  expect(shown('b')).toBeUndefined();

  // A pod of the right release, or an operator that went back, ends it; the Lease is written for it at once.
  rewrite = (bundle) => bundle;
  const before = reports;
  gateway.reload(resources());
  expect(reports).toBeGreaterThan(before);
  expect(shown('a')).toBeUndefined();
});

test('[OPS-12] what is left out comes first in a report that has not room for everything', async () => {
  rewrite = (bundle) => ({
    ...bundle,
    upstreams: [
      ...bundle.upstreams,
      ...Array.from({ length: 400 }, (_, i) => ({
        ...bundle.upstreams[1]!,
        key: `default/${'q'.repeat(150)}-${i}`,
        name: `q${i}`,
      })),
      { ...bundle.upstreams[1]!, key: 'default/z', name: 'z', provider: 'Quantum' as never },
    ],
  });
  gateway = await startGateway(resources(), { rewrite: (bundle) => rewrite(bundle) });
  const words = readUpstreamReport(gateway.plane.probes.report());
  expect(Object.keys(words)[0]).toBe('default/z');
  expect(Object.keys(words).length).toBeLessThan(400);
});
