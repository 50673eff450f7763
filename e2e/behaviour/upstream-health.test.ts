// What the gateway finds out about its upstreams, by probes of its own and by what calls meet, and what becomes of traffic meanwhile.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RawObject } from '#shared/compile/types.ts';
import { readUpstreamReport } from '#shared/upstream-report.ts';
import { freePort } from '../harness/free-port.ts';
import { startGateway, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic, type RecordedRequest } from '../harness/mock-anthropic.ts';
import { call, errorOf, metric, MODEL, site, siteKey, siteResources } from './routing.ts';

let mocks: readonly [MockAnthropic, MockAnthropic];
let gateway: TestGateway;

beforeEach(async () => {
  mocks = [await startMockAnthropic(), await startMockAnthropic()];
});

afterEach(async () => {
  await gateway.close();
  await Promise.all(mocks.map((mock) => mock.close()));
});

/** An Upstream that is probed, as they are by default; those of other tests are not. */
const probed = (name: string, url: string, priority: number, spec: Record<string, unknown> = {}) =>
  site(name, url, priority, { validation: { enabled: true }, ...spec });

const isList = ({ url }: RecordedRequest): boolean => url.startsWith('/v1/models');
const badKey = (mock: MockAnthropic, accepted: string): void =>
  mock.behave(({ headers }) =>
    headers['x-api-key'] === accepted
      ? { kind: 'text' }
      : { kind: 'status', status: 401, errorType: 'authentication_error', message: 'invalid x-api-key' },
  );

async function start(sites: readonly RawObject[], probing = true): Promise<void> {
  gateway = await startGateway(siteResources(sites), { probing });
}

const stateOf = (name: string) => gateway.plane.probes.states().get(`default/${name}`)?.state;
const said = (name: string) => readUpstreamReport(gateway.plane.probes.report())[`default/${name}`];
const until = (holds: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(holds, { timeout: 10_000, interval: 20 });

describe('[PROV-17] [PROV-18] a probe', () => {
  test('lists models, with the credential and headers of calls, and sends no message', async () => {
    await start([probed('a', mocks[0].url, 0)]);
    await until(() => expect(stateOf('a')?.credentials.status).toBe('True'));
    const [probe, ...others] = mocks[0].requests;
    expect(others).toEqual([]);
    expect(probe).toMatchObject({ method: 'GET', url: '/v1/models?limit=1' });
    expect(probe?.headers).toMatchObject({ 'x-api-key': siteKey('a'), 'anthropic-version': '2023-06-01' });
    expect(said('a')).toMatchObject({ at: expect.stringMatching(/^2/) });
    expect(await metric(gateway, 'upstream_credentials_valid', { upstream: 'default/a' })).toBe(1);
    expect(await metric(gateway, 'probes_total', { outcome: 'Valid' })).toBe(1);
  });

  test('sends one message of one token, of the model that is named, where there is no list', async () => {
    mocks[0].behave((request) => (isList(request) ? { kind: 'status', status: 404 } : { kind: 'text' }));
    await start([probed('a', mocks[0].url, 0, { validation: { model: 'claude-haiku-4-5' } })]);
    await until(() => expect(stateOf('a')?.models.status).toBe('True'));
    expect(mocks[0].requests.at(-1)?.url).toBe('/v1/messages');
    expect(mocks[0].requests.at(-1)?.json()).toMatchObject({ model: 'claude-haiku-4-5-20251001', max_tokens: 1 });
    expect(mocks[0].received()).toBe(2);
  });

  test('names mapped models that a complete list does not hold', async () => {
    const data = [{ id: MODEL }, { id: 'claude-haiku-4-5-20251001' }];
    const body = JSON.stringify({ data, has_more: false });
    mocks[0].behave(() => ({
      kind: 'raw',
      status: 200,
      headers: { 'content-type': 'application/json' },
      chunks: [body],
    }));
    const models = [{ id: MODEL }, { id: 'claude-haiku-4-5' }, { id: 'private', upstreamId: 'private-7' }];
    await start([probed('a', mocks[0].url, 0, { models })]);
    await until(() => expect(stateOf('a')?.models.status).toBe('False'));
    expect(stateOf('a')?.credentials.status).toBe('True');
    expect([...stateOf('a')!.missing]).toEqual(['private-7']);
  });

  test('tells an upstream that is not there from one that refuses', async () => {
    badKey(mocks[0], 'another');
    const nobody = `http://127.0.0.1:${await freePort()}`;
    await start([probed('a', mocks[0].url, 0), probed('b', nobody, 1)]);
    await until(() => {
      expect(stateOf('a')).toMatchObject({ credentials: { reason: 'BadCredential' }, reachable: { status: 'True' } });
      expect(stateOf('b')).toMatchObject({
        credentials: { status: 'Unknown' },
        reachable: { status: 'False', reason: 'Unreachable' },
      });
    });
    expect(stateOf('b')?.reachable.message).toContain('the connection is refused');
  });

  test('is not sent where the Upstream says so', async () => {
    await start([probed('a', mocks[0].url, 0, { validation: { enabled: false } })]);
    expect((await call(gateway)).status).toBe(200);
    expect(mocks[0].received()).toBe(1);
    expect(stateOf('a')?.credentials.reason).toBe('NotProbed');
  });
});

describe('a credential that the provider refuses', () => {
  test('[PROV-19] [ERR-08] shows on a call, which moves on, and nobody is told that their own key is wrong', async () => {
    await start([probed('a', mocks[0].url, 0), probed('b', mocks[1].url, 1)]);
    await until(() => {
      for (const name of ['a', 'b']) expect(stateOf(name)?.credentials.status).toBe('True');
    });
    badKey(mocks[0], 'revoked-meanwhile');
    const answer = await call(gateway);
    expect(answer.status).toBe(200);
    expect(mocks[1].requests.at(-1)?.url).toBe('/v1/messages');
    expect(stateOf('a')?.credentials).toMatchObject({ status: 'False', reason: 'BadCredential' });
    expect(said('a')?.credentials?.status).toBe('False');
    expect(said('b')?.credentials).toBeUndefined();

    badKey(mocks[1], 'revoked-meanwhile');
    const refused = await call(gateway);
    expect(refused.status).toBe(403);
    expect(errorOf(refused).error.message).toContain('upstream authentication failed at the gateway');
    expect(stateOf('b')?.credentials.status).toBe('False');
  });

  test('[PROV-16] [PROV-17] is good again as soon as the new one is loaded', async () => {
    badKey(mocks[0], 'sk-ant-api03-fresh-0123456789abcdef');
    const sites = [probed('a', mocks[0].url, 0)];
    await start(sites);
    await until(() => expect(stateOf('a')?.credentials.status).toBe('False'));
    const resources = siteResources(sites);
    const secrets = { ...resources.secrets, 'default/sites': { a: 'sk-ant-api03-fresh-0123456789abcdef' } };
    gateway.reload({ ...resources, secrets });
    await until(() => expect(stateOf('a')?.credentials.status).toBe('True'));
    expect((await call(gateway)).status).toBe(200);
  });

  test('without probes is good again with the first call that is served', async () => {
    await start([probed('a', mocks[0].url, 0)], false);
    badKey(mocks[0], 'another');
    await call(gateway);
    expect(stateOf('a')?.credentials.status).toBe('False');
    mocks[0].behave(() => ({ kind: 'text' }));
    expect((await call(gateway)).status).toBe(200);
    expect(stateOf('a')?.credentials.status).toBe('True');
  });
});
