// Where calls may go: regions, labels of keys, one hostname for several boundaries, and what is said when everything within one has failed.
import { afterEach, describe, expect, test } from 'vitest';
import { importedKey, policy, startGateway, withObjects, type TestGateway } from '../harness/gateway.ts';
import type { RawObject } from '#shared/compile/types.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { bearer, post, recordOf, refusalOf } from './caller.ts';
import { messageBody, site, siteResources } from './routing.ts';

const keyValue = (name: string) => `sk-pc-${name}-0123456789abcdefghijklmnopqrstuvwxyzABCD`;

let gateway: TestGateway | undefined;
let mocks: MockAnthropic[] = [];

afterEach(async () => {
  await gateway?.close();
  await Promise.all(mocks.map((mock) => mock.close()));
  gateway = undefined;
  mocks = [];
});

interface Place {
  readonly spec?: Record<string, unknown>;
  readonly labels?: Record<string, string>;
}

/** Starts a mock for every place, and a gateway with these policies and keys in front of them. */
async function start(places: readonly Place[], objects: readonly RawObject[]): Promise<TestGateway> {
  mocks = await Promise.all(places.map(() => startMockAnthropic()));
  const sites = places.map(({ spec, labels = {} }, i) => {
    const upstream = site('abcdefgh'[i]!, mocks[i]!.url, i, spec);
    return { ...upstream, metadata: { ...upstream.metadata, labels } };
  });
  const names = objects.filter(({ kind }) => kind === 'VirtualKey').map(({ metadata }) => metadata.name);
  const values = Object.fromEntries(names.map((name) => [name, keyValue(name)]));
  const routing = { hintHeader: 'x-org-route' };
  gateway = await startGateway(withObjects(siteResources(sites, { routing }), objects, { 'default/keys': values }));
  return gateway;
}

const ask = (key: string, headers: Record<string, string> = {}, model?: string) =>
  post(gateway!, { ...bearer(keyValue(key)), ...headers }, messageBody(model === undefined ? {} : { model }));

const received = () => mocks.map((mock) => mock.received());
const fail = (...failing: number[]) => {
  for (const i of failing) mocks[i]!.behave(() => ({ kind: 'status', status: 500 }));
};

const keyOf = (name: string, tier: string) => importedKey(name, {}, { labels: { tier } });
const forTier = (tier: string, upstreams: object) =>
  policy(tier, { match: { keySelector: { matchLabels: { tier } } }, upstreams });

describe('one hostname, several boundaries', () => {
  const places = [
    { labels: { baa: 'signed' }, spec: { region: 'us-east-1' } },
    { labels: { baa: 'signed' }, spec: { region: 'us-west-2' } },
    { spec: { region: 'eu-central-1' } },
  ];
  const objects = [
    keyOf('clinic', 'hipaa'),
    keyOf('web', 'standard'),
    forTier('hipaa', { selector: { matchLabels: { baa: 'signed' } }, regions: ['us-*'] }),
    forTier('standard', { regions: ['eu-central-1'] }),
  ];

  test('[AUTHZ-12] [AUTHZ-14] [ROUTE-17] each label has its own providers, whatever model or header asks for others', async () => {
    await start(places, objects);
    for (const model of ['claude-sonnet-5-5', 'us.anthropic.claude-haiku-5-5', 'claude-sonnet-4-5@20250929']) {
      for (const hint of ['a', 'b', 'c', 'default/c']) {
        expect((await ask('clinic', { 'X-Org-Route': hint }, model)).status).toBe(200);
        expect((await ask('web', { 'X-Org-Route': hint }, model)).status).toBe(200);
      }
    }
    const [a, b, c] = received();
    expect([a! + b!, c]).toEqual([12, 12]);
  });

  test('[AUTHZ-13] [AUTHZ-12] when all within have failed the error says so, the record names the policy, and nothing crosses', async () => {
    await start(places, objects);
    fail(0, 1);
    const answer = await ask('clinic');
    expect(refusalOf(answer)).toBe('502 api_error: all upstreams failed (2 attempted); your policy allows no other');
    expect(await recordOf(gateway!, answer)).toMatchObject({
      reason: 'allowed_upstreams_exhausted',
      rule: 'default/hipaa',
      attempts: 2,
    });
    expect(received()).toEqual([1, 1, 0]);
    expect((await ask('web')).status).toBe(200);
    fail(2);
    expect((await ask('web')).status).toBe(502);
    expect(received()).toEqual([1, 1, 2]);
  });

  test('[AUTHZ-13] callers whom no policy bounds are told of no boundary', async () => {
    await start([{}], [keyOf('free', 'free')]);
    fail(0);
    const answer = await ask('free');
    expect(refusalOf(answer)).toBe('502 api_error: all upstreams failed (1 attempted)');
    expect(await recordOf(gateway!, answer)).toMatchObject({ reason: 'upstreams_failed' });
  });
});

describe('regions', () => {
  test('[AUTHZ-14] [AUTHZ-11] no upstream in them is 403 and names the policy; an upstream without region is in none', async () => {
    await start([{}, { spec: { region: 'us-east-1' } }], [keyOf('k', 'eu'), forTier('eu', { regions: ['eu-*'] })]);
    const answer = await ask('k');
    expect(refusalOf(answer)).toBe(
      '403 permission_error: no upstream of this gateway is granted to you: ask your platform team',
    );
    expect(await recordOf(gateway!, answer)).toMatchObject({ reason: 'no_upstream', rule: 'default/eu' });
    expect(received()).toEqual([0, 0]);
  });

  test('[AUTHZ-14] regions of the policy for everyone bound what a more specific one names', async () => {
    await start(
      [{ spec: { region: 'us-east-1' } }, { spec: { region: 'eu-central-1' } }],
      [
        keyOf('k', 'team'),
        forTier('team', { names: ['a', 'b'] }),
        policy('everyone', { match: { everyone: {} }, upstreams: { regions: ['eu-central-1'] } }),
      ],
    );
    fail(1);
    expect((await ask('k')).status).toBe(502);
    expect(received()).toEqual([0, 1]);
  });

  test('[AUTHZ-14] an edit of the regions holds for the next call', async () => {
    const places = [{ spec: { region: 'us-east-1' } }, { spec: { region: 'eu-central-1' } }];
    const live = await start(places, [keyOf('k', 't'), forTier('t', { regions: ['us-*'] })]);
    await ask('k');
    live.reload(
      withObjects(
        siteResources(places.map(({ spec }, i) => site('ab'[i]!, mocks[i]!.url, i, spec))),
        [keyOf('k', 't'), forTier('t', { regions: ['eu-*'] })],
        { 'default/keys': { k: keyValue('k') } },
      ),
    );
    await ask('k');
    expect(received()).toEqual([1, 1]);
  });
});

describe('groups', () => {
  test('[AUTHZ-11] a group that is assigned no upstream gets 403 and reaches none; another one is served', async () => {
    const team = (name: string) => importedKey(name, { owner: { type: 'Team', name } });
    await start(
      [{}],
      [
        team('inside'),
        team('outside'),
        policy('inside', { match: { groups: ['inside'] }, upstreams: { names: ['a'] } }),
        policy('outside', {
          match: { groups: ['outside'] },
          upstreams: { selector: { matchLabels: { for: 'nobody' } } },
        }),
      ],
    );
    const refused = await ask('outside');
    expect(refusalOf(refused)).toMatch(/^403 permission_error: no upstream of this gateway is granted to you/);
    expect(received()).toEqual([0]);
    expect((await ask('inside')).status).toBe(200);
  });
});
