// Operator and data plane of different releases. A bundle says more to a pod than it knows, or less than it is used to: what the pod knows
// must go on working. The bundles are those of this operator, rewritten as another release would have written them.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Bundle, UpstreamEntry } from '#shared/bundle/bundle.ts';
import { bundleJson, readBundle } from '#shared/bundle/parts.ts';
import { policy, PROVIDER_KEY, startGateway, withObjects, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { turn } from './claude-code.ts';
import firstBundle from './first-bundle.json' with { type: 'json' };
import { send } from './http-client.ts';
import { site, siteKey, siteResources } from './routing.ts';

let mocks: [MockAnthropic, MockAnthropic];
let gateway: TestGateway;
/** What the operator of the other release writes. */
let rewrite: (bundle: Bundle) => Bundle;

beforeEach(async () => {
  mocks = [await startMockAnthropic(), await startMockAnthropic()];
  rewrite = (bundle) => bundle;
});

afterEach(async () => {
  await gateway.close();
  for (const mock of mocks) await mock.close();
});

/** Upstreams `a`, which is asked first and alone maps a model of its own, and `b`. */
const resources = () =>
  withObjects(
    siteResources([
      site('a', mocks[0].url, 1, { models: [{ id: 'house-model', upstreamId: 'house-1' }] }),
      site('b', mocks[1].url, 2),
    ]),
    [policy('everyone', { match: { everyone: {} }, models: { allow: ['*'] } })],
  );

async function start(with_ = resources()): Promise<void> {
  // As pods get it: as text.
  gateway = await startGateway(with_, { rewrite: (bundle) => readBundle(bundleJson(rewrite(bundle))) });
}

const ask = async (model = 'claude-haiku-5-5'): Promise<number> =>
  (await send(gateway.url, { body: turn({ model, stream: false }) })).status;

const metrics = async (): Promise<string> => (await fetch(gateway.metricsUrl)).text();

/** The bundle with `a` changed as given. */
const withA =
  (change: Record<string, unknown>) =>
  (bundle: Bundle): Bundle => ({
    ...bundle,
    upstreams: bundle.upstreams.map((entry) => (entry.name === 'a' ? { ...entry, ...change } : entry)),
  });

/** Names that are the platform team's in these, not the release's. */
const OPEN = new Set(['labels', 'keyLabels']);

/** Every object with a member more. */
function withInventions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withInventions);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [
    name,
    OPEN.has(name) ? member : withInventions(member),
  ]);
  return { ...Object.fromEntries(members), invented: { later: ['x'] } };
}

describe('[OPS-12] a bundle of a later operator', () => {
  test('is obeyed in all that this release knows: members it does not know are passed over', async () => {
    rewrite = (bundle) => withInventions(bundle) as Bundle;
    await start();
    expect(await ask()).toBe(200);
    expect(mocks.map((mock) => mock.received())).toEqual([1, 0]);
    expect(mocks[0].requests[0]!.headers['x-api-key']).toBe(siteKey('a'));
    expect(await ask('gpt-9')).toBe(400);
    expect(await metrics()).not.toContain('portcullis_config_left_out{');
  });

  test.each([
    ['provider Quantum', { provider: 'Quantum' }],
    ['credential Handshake', { credential: { type: 'Handshake', secret: 'x' } }],
    [
      'credential AWS Badge',
      { credential: { type: 'AWS', region: 'x', service: 'bedrock', identity: { type: 'Badge' } } },
    ],
  ])('with %s: that upstream is left out and reported, all others serve', async (unknown, change) => {
    rewrite = withA(change);
    await start();
    expect(await ask()).toBe(200);
    expect(mocks.map((mock) => mock.received())).toEqual([0, 1]);
    // Only the upstream that is left out has it.
    expect(await ask('house-model')).toBe(400);
    expect(await metrics()).toContain(`portcullis_config_left_out{upstream="default/a",unknown="${unknown}"} 1`);
    const told = () => gateway.written.filter((line) => line.includes('left out'));
    expect(told()).toHaveLength(1);
    expect(JSON.parse(told()[0]!)).toMatchObject({ level: 40, upstream: 'default/a', unknown });

    // The same again is no news; an operator or pod of the right release ends it.
    gateway.reload(resources());
    expect(told()).toHaveLength(1);
    rewrite = (bundle) => bundle;
    gateway.reload(resources());
    expect(await ask('house-model')).toBe(200);
    expect(await metrics()).not.toContain('portcullis_config_left_out{');
  });

  test('whose policy allows only what this release cannot call grants nothing else', async () => {
    rewrite = withA({ provider: 'Quantum' });
    const only = policy('everyone', {
      match: { everyone: {} },
      models: { allow: ['claude-*'] },
      upstreams: { names: ['a'] },
    });
    await start(withObjects(resources(), [only]));
    expect(await ask()).toBeGreaterThanOrEqual(400);
    expect(mocks.map((mock) => mock.received())).toEqual([0, 0]);
  });

  test('with nothing that this release can call: the pod is up, and not ready', async () => {
    rewrite = (bundle) => ({
      ...bundle,
      upstreams: bundle.upstreams.map((entry) => ({ ...entry, provider: 'Quantum' as UpstreamEntry['provider'] })),
    });
    await start();
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  });

  test('with a strategy that this release does not know spreads calls by weight', async () => {
    rewrite = (bundle) => ({
      ...bundle,
      gateway: { ...bundle.gateway, routing: { ...bundle.gateway.routing, strategy: 'Moonphase' as 'Weighted' } },
    });
    await start();
    expect(await ask()).toBe(200);
    expect(mocks.map((mock) => mock.received())).toEqual([1, 0]);
  });
});

test('[OPS-12] a bundle of the first operator, with nothing that came later, is served with the defaults', async () => {
  rewrite = (bundle) => {
    const { gateway: first, upstreams } = firstBundle as unknown as Bundle;
    const { listen, metrics: scrape } = bundle.gateway;
    return {
      ...(firstBundle as unknown as Bundle),
      gateway: {
        ...first,
        listen: { ...first.listen, port: listen.port },
        metrics: { ...first.metrics, port: scrape.port },
      },
      upstreams: upstreams.map((entry) => ({
        ...entry,
        baseUrl: mocks[0].url,
        credential: { type: 'Fixed', header: 'x-api-key', credential: 'upstreams/default/a/auth' },
      })),
    };
  };
  await start();
  const { status } = await send(gateway.url, { body: turn() });
  expect(status).toBe(200);
  expect(mocks[0].requests[0]!.headers['x-api-key']).toBe(siteKey('a'));
  expect(JSON.stringify(mocks[0].requests[0]!.rawHeaders)).not.toContain(PROVIDER_KEY);
  const listed = await send(gateway.url, { method: 'GET', path: '/v1/models' });
  expect(listed.status).toBe(200);
  expect(await ask('gpt-9')).toBe(400);
  gateway.reload(resources());
  expect(await ask()).toBe(200);
});
