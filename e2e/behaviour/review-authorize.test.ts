// A credential that is late: the call that waits for it is bounded, and whoever leaves meanwhile leaves nothing behind, whatever becomes of
// the credential.
import { afterEach, expect, test } from 'vitest';
import { CredentialError } from '#dataplane/credentials/credential-error.ts';
import type { CredentialSource } from '#dataplane/credentials/source.ts';
import { startGateway, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { allPlacesFree, begin, call, metricBecomes, site, siteResources } from './routing.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Late {
  readonly mock: MockAnthropic;
  readonly gateway: TestGateway;
  readonly waiting: { resolve(): void; reject(error: Error): void }[];
  on: boolean;
}

async function late(gatewaySpec: Record<string, unknown> = {}): Promise<Late> {
  const mock = await startMockAnthropic();
  const waiting: Late['waiting'] = [];
  const source: CredentialSource = {
    kind: 'Google',
    id: 'late',
    settled: Promise.resolve(),
    authorize: () =>
      state.on
        ? new Promise<undefined>((resolve, reject) => waiting.push({ resolve: () => resolve(undefined), reject }))
        : undefined,
    setsHeader: () => false,
    leaksInto: () => false,
    rejected: () => false,
    state: () => ({ kind: 'Google', status: 'Pending', validUntil: undefined, fault: undefined }),
    close: () => undefined,
  };
  const sites = [
    site('a', mock.url, 0, { maxConcurrent: 2, breaker: { consecutiveFailures: 2 }, retries: { connect: 0 } }),
  ];
  const gateway = await startGateway(siteResources(sites, gatewaySpec), {
    openCredentials: (specs) => new Map([...specs.keys()].map((key) => [key, source])),
  });
  const state: Late = { mock, gateway, waiting, on: true };
  cleanups.push(
    () => mock.close(),
    () => gateway.close(),
  );
  return state;
}

test('[ROUTE-23] clients that leave while a credential is fetched free their places, and its refusal later is nobody’s', async () => {
  const scene = await late();
  const calls = Array.from({ length: 2 }, () => begin(scene.gateway));
  await metricBecomes(scene.gateway, 'in_flight_upstream', 2);
  await expect.poll(() => scene.waiting.length).toBe(2);
  for (const { leave } of calls) leave();
  await allPlacesFree(scene.gateway);
  scene.waiting[0]!.reject(new CredentialError('refused', 'no'));
  scene.waiting[1]!.resolve();
  scene.on = false;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(scene.mock.received()).toBe(0);
  const answers = await Promise.all([call(scene.gateway), call(scene.gateway)]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
});

test('a token endpoint that hangs costs a call no more than its time to connect', async () => {
  const scene = await late({ listen: { timeouts: { connect: '300ms' } } });
  const started = performance.now();
  const answer = await call(scene.gateway);
  expect([answer.status, answer.complete]).toEqual([502, true]);
  expect(performance.now() - started).toBeLessThan(1_500);
  await allPlacesFree(scene.gateway);
  scene.waiting[0]!.resolve();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(scene.mock.received()).toBe(0);
});

test('[ROUTE-24] a configuration that comes while a call waits for its credential changes nothing for that call', async () => {
  const scene = await late();
  const waiting = begin(scene.gateway);
  await expect.poll(() => scene.waiting.length).toBe(1);
  const other = await startMockAnthropic();
  cleanups.push(() => other.close());
  scene.gateway.reload(siteResources([site('a', other.url, 0)]));
  scene.waiting[0]!.resolve();
  expect((await waiting.answer).status).toBe(200);
  expect([scene.mock.received(), other.received()]).toEqual([1, 0]);
});
