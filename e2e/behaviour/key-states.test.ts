// The life of a key as its holder sees it: expiry to the millisecond, disabled and back, revoked, deleted, buried; and what the record of
// each attempt says.
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  basicResources,
  CI_KEY,
  importedKey,
  startGateway,
  withObjects,
  type Resources,
  type TestGateway,
} from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { bearer, get, outcomeOf, post, recordOf, refusalOf } from './caller.ts';
import { metric } from './routing.ts';
import type { Answer } from './http-client.ts';

const END = Date.parse('2026-06-01T12:00:00Z');
const DYING = 'sk-pc-dying-0123456789abcdefghijklmnopqrstuvwxyz';

let mock: MockAnthropic;
let gateway: TestGateway;
let base: Resources;
const open: TestGateway[] = [];

async function start(resources: Resources): Promise<TestGateway> {
  const started = await startGateway(resources);
  open.push(started);
  return started;
}

/** A key `dying` with this spec and metadata beside those that are always there. */
function withKey(spec: Record<string, unknown>, metadata = {}): Resources {
  return withObjects(base, [importedKey('dying', spec, metadata)], { 'default/keys': { dying: DYING } });
}

beforeAll(async () => {
  // Before the gateway takes its clock.
  vi.useFakeTimers({ toFake: ['Date'], now: END - 60_000 });
  mock = await startMockAnthropic();
  base = basicResources(mock.url);
  gateway = await start(base);
});

beforeEach(() => {
  vi.setSystemTime(END - 60_000);
  gateway.reload(base);
});

afterAll(async () => {
  vi.useRealTimers();
  await Promise.all(open.map((each) => each.close()));
  await mock.close();
});

const DOORS: readonly (readonly [string, (at: TestGateway) => Promise<Answer>])[] = [
  ['messages', (at) => post(at, bearer(DYING))],
  ['count_tokens', (at) => post(at, bearer(DYING), undefined, '/v1/messages/count_tokens')],
  ['models', (at) => get(at, '/v1/models', bearer(DYING))],
  ['health', (at) => get(at, '/v1/health', bearer(DYING))],
];

describe('expiry', () => {
  test.each([
    ['expiresAt', { expiresAt: '2026-06-01T12:00:00Z' }, {}],
    ['expiresAt in another offset', { expiresAt: '2026-06-01T14:00:00+02:00' }, {}],
    ['ttl', { ttl: '24h' }, { creationTimestamp: '2026-05-31T12:00:00Z' }],
  ])(
    '[KEY-01] [KEY-21] [ERR-14] by %s: good to the last millisecond, 401 from then on, at every door',
    async (_name, spec, metadata) => {
      gateway.reload(withKey(spec, metadata));
      for (const [door, ask] of DOORS) {
        vi.setSystemTime(END - 1);
        expect([door, (await ask(gateway)).status]).toEqual([door, 200]);
        vi.setSystemTime(END);
        const received = mock.received();
        const answer = await ask(gateway);
        expect(refusalOf(answer)).toBe(
          '401 authentication_error: key sk-pc-dy… expired at 2026-06-01T12:00:00.000Z: ask its owner for a new one',
        );
        expect(answer.headers['x-should-retry']).toBe('false');
        expect(mock.received()).toBe(received);
      }
    },
  );

  test('[KEY-01] every replica refuses by its own clock, with nothing to be told', async () => {
    const resources = withKey({ expiresAt: '2026-06-01T12:00:00Z' });
    gateway.reload(resources);
    const replica = await start(resources);
    vi.setSystemTime(END + 1);
    for (const each of [gateway, replica]) expect((await post(each, bearer(DYING))).status).toBe(401);
  });

  test('[KEY-21] a key made by a clock that runs a second ahead is good at once', async () => {
    gateway.reload(withKey({ ttl: '1h' }, { creationTimestamp: new Date(END - 59_000).toISOString() }));
    expect((await post(gateway, bearer(DYING))).status).toBe(200);
  });

  test('[ERR-14] expired keys are counted', async () => {
    gateway.reload(withKey({ expiresAt: '2026-06-01T12:00:00Z' }));
    vi.setSystemTime(END);
    const count = () => metric(gateway, 'auth_failures_total', { reason: 'expired_key' });
    const before = await count();
    await recordOf(gateway, await post(gateway, bearer(DYING)));
    expect(await count()).toBe(before + 1);
  });
});

describe('states', () => {
  const outcome = async () => outcomeOf(await post(gateway, bearer(DYING)));

  test('[KEY-10] [AUTH-12] disabled is 403 at every door and can be undone; revoked and deleted are 401', async () => {
    gateway.reload(withKey({ state: 'Disabled' }));
    for (const [, ask] of DOORS) {
      expect(refusalOf(await ask(gateway))).toBe(
        '403 permission_error: key sk-pc-dy… is disabled: ask its owner or your platform team',
      );
    }
    gateway.reload(withKey({}));
    expect(await outcome()).toBe('200');
    gateway.reload(withKey({ state: 'Revoked' }));
    for (const [, ask] of DOORS) {
      const answer = await ask(gateway);
      expect(refusalOf(answer)).toBe(
        '401 authentication_error: key sk-pc-dy… was revoked: ask its owner for a new one',
      );
      expect(answer.headers['x-should-retry']).toBe('false');
    }
    gateway.reload(base);
    expect(await outcome()).toBe('401 authentication_error');
  });

  test('[KEY-10] a buried value is refused under any name', async () => {
    const hash = createHmac('sha256', 'pepper'.repeat(8)).update(DYING).digest('hex');
    const again = withObjects(base, [importedKey('reborn')], { 'default/keys': { reborn: DYING } });
    gateway.reload({ ...again, tombstones: [hash] });
    expect(await outcome()).toBe('401 authentication_error');
    gateway.reload(again);
    expect(await outcome()).toBe('200');
  });

  test('[AUTH-09] an imported value that is easy to guess opens nothing', async () => {
    const weak = 'sk-team-aaaaaaaaaaaaaaaaaaaaaaaa';
    gateway.reload(withObjects(base, [importedKey('weak')], { 'default/keys': { weak } }));
    expect(outcomeOf(await post(gateway, bearer(weak)))).toBe('401 authentication_error');
    expect((await post(gateway, bearer(CI_KEY))).status).toBe(200);
  });

  test('expired and disabled at once is 401: the credential itself is dead', async () => {
    gateway.reload(withKey({ state: 'Disabled', expiresAt: '2026-06-01T12:00:00Z' }));
    vi.setSystemTime(END);
    expect(await outcome()).toBe('401 authentication_error');
  });
});

describe('environment', () => {
  test.each([
    ['prod', 'prod', '200'],
    ['prod', 'dev', '403 permission_error'],
    [undefined, 'dev', '403 permission_error'],
    ['prod', undefined, '200'],
  ])('[AUTHZ-24] Gateway %s, key %s: %s', async (here, there, expected) => {
    const gatewaySpec = here === undefined ? {} : { environment: here };
    const resources = withObjects(
      basicResources(mock.url, gatewaySpec),
      [importedKey('dying', there === undefined ? {} : { environment: there })],
      { 'default/keys': { dying: DYING } },
    );
    gateway.reload(resources);
    const answer = await post(gateway, bearer(DYING));
    expect(outcomeOf(answer)).toBe(expected);
    if (answer.status === 200) return;
    expect(refusalOf(answer)).toContain(`is for the environment dev, this gateway is ${here ?? 'another one'}`);
    expect(await recordOf(gateway, answer)).toMatchObject({ reason: 'foreign_environment', rule: 'default/dying' });
  });
});

describe('records of attempts', () => {
  const cases: [string, Record<string, unknown>, number, string][] = [
    ['a good one', {}, 200, ''],
    ['an expired key', { expiresAt: '2026-01-02T00:00:00Z' }, 401, 'expired_key'],
    ['a revoked key', { state: 'Revoked' }, 401, 'revoked_key'],
    ['a disabled key', { state: 'Disabled' }, 403, 'disabled_key'],
  ];
  test.each(cases)('[AUDIT-02] %s: method, key, reason, address and path', async (_name, spec, status, reason) => {
    gateway.reload(withKey(spec));
    const answer = await post(gateway, { 'x-api-key': DYING });
    const record = await recordOf(gateway, answer);
    expect(record).toMatchObject({
      event: status === 200 ? 'call' : 'access.denied',
      status,
      auth_method: 'virtual_key',
      credential_source: 'x-api-key',
      key: 'default/dying',
      key_prefix: 'sk-pc-dy',
      user_id: 'dying',
      client_ip: '127.0.0.1',
      endpoint: '/v1/messages',
      rule: status === 200 ? 'default/everyone' : 'default/dying',
    });
    expect(record['reason']).toBe(reason === '' ? undefined : reason);
    expect(JSON.stringify(record)).not.toContain(DYING);
  });

  test('[AUDIT-02] a key unknown here is recorded by its first characters, another value not at all', async () => {
    const shaped = await recordOf(gateway, await post(gateway, bearer(DYING)));
    expect(shaped).toMatchObject({ auth_method: 'none', reason: 'unknown_key', key_prefix: 'sk-pc-dyin' });
    const foreign = await recordOf(gateway, await post(gateway, bearer('ghp_0123456789abcdefghijklmnopqrstuvwxyz')));
    expect(foreign).toMatchObject({ auth_method: 'none', reason: 'unknown_key', credential_source: 'authorization' });
    expect(foreign['key_prefix']).toBeUndefined();
    const nothing = await recordOf(gateway, await get(gateway, '/v1/models'));
    expect(nothing).toMatchObject({ auth_method: 'none', reason: 'missing_credential', endpoint: '/v1/models' });
    expect(nothing['credential_source']).toBeUndefined();
  });
});
