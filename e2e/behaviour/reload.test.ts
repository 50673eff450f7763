// A configuration that changes while calls are running: they end under what they began with, the next one sees what is new.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  basicResources,
  CI_KEY,
  importedKey,
  NAMESPACE,
  policy,
  startGateway,
  upstream,
  withObjects,
  type Resources,
  type TestGateway,
} from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';

const OTHER_KEY = 'other-0123456789-abcdefghijklmnop-QRSTUVWX';
const BODY = { model: 'claude-haiku-5-5', max_tokens: 1, messages: [] };

let old: MockAnthropic;
let next: MockAnthropic;
let gateway: TestGateway;

beforeAll(async () => {
  [old, next] = await Promise.all([startMockAnthropic(), startMockAnthropic()]);
});

beforeEach(async () => {
  gateway = await startGateway(resources('Finish'));
});

afterEach(() => gateway.close());

afterAll(() => Promise.all([old.close(), next.close()]));

function resources(onRevoke: 'Finish' | 'Cut', ci: Record<string, unknown> = {}): Resources {
  return withObjects(
    basicResources(old.url, { virtualKeys: { onRevoke } }),
    [importedKey('ci', ci), importedKey('other')],
    { [`${NAMESPACE}/keys`]: { other: OTHER_KEY } },
  );
}

const without = (base: Resources, kind: string, name: string): Resources => ({
  ...base,
  objects: base.objects.filter((each) => each.kind !== kind || each.metadata.name !== name),
});

function send(body: object = BODY, key = CI_KEY): Promise<Response> {
  return fetch(`${gateway.url}/v1/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/** A stream that lasts a quarter of a second, under way. */
async function stream(key = CI_KEY): Promise<Response> {
  old.behave(() => ({ kind: 'events', count: 12, gapMs: 20 }));
  const response = await send({ ...BODY, stream: true }, key);
  expect(response.status).toBe(200);
  old.behave(() => ({ kind: 'text' }));
  return response;
}

describe('[ROUTE-24] a running stream keeps the configuration it began with', () => {
  test.each<[string, (base: Resources) => Resources]>([
    [
      'its upstream is gone',
      (base) => withObjects(without(base, 'Upstream', 'anthropic'), [upstream('next', next.url)]),
    ],
    ['its upstream moved', (base) => withObjects(base, [upstream('anthropic', next.url)])],
    [
      'its model is denied',
      (base) => withObjects(base, [policy('everyone', { match: { everyone: {} }, models: { deny: ['*'] } })]),
    ],
    ['its policy is gone', (base) => without(base, 'Policy', 'everyone')],
    ['its key is disabled', () => resources('Finish', { state: 'Disabled' })],
    ['its key is revoked, and revoked keys may finish', () => resources('Finish', { state: 'Revoked' })],
    ['its key is gone, and revoked keys may finish', (base) => without(base, 'VirtualKey', 'ci')],
    [
      'its place is taken away',
      (base) =>
        withObjects(base, [
          {
            ...base.objects[0]!,
            spec: { publicUrl: 'http://127.0.0.1:1', listen: { limits: { maxConcurrentUpstream: 1 } } },
          },
        ]),
    ],
  ])('%s', async (_name, edit) => {
    const running = await stream();
    const revision = (await gatewayRevision())!;
    gateway.reload(edit(resources('Finish')));
    expect(await gatewayRevision()).not.toBe(revision);
    expect(await running.text()).toMatch(/event: message_stop\ndata: .*\n\n$/);
    expect(await gateway.record(({ stream: streamed }) => streamed === true)).toMatchObject({
      status: 200,
      outcome: 'complete',
      revision,
      upstream: 'default/anthropic',
      requested_model: 'claude-haiku-5-5',
    });
  });
});

describe('the next call sees the new configuration', () => {
  test.each<[string, (base: Resources) => Resources, number, string]>([
    [
      'a model denied',
      (base) =>
        withObjects(base, [policy('everyone', { match: { everyone: {} }, models: { deny: ['claude-haiku-*'] } })]),
      400,
      'denied_model',
    ],
    ['its policy gone', (base) => without(base, 'Policy', 'everyone'), 403, 'no_policy'],
    ['its key disabled', () => resources('Finish', { state: 'Disabled' }), 403, 'disabled_key'],
    ['its key revoked', () => resources('Finish', { state: 'Revoked' }), 401, 'revoked_key'],
    ['its key gone', (base) => without(base, 'VirtualKey', 'ci'), 401, 'unknown_key'],
    ['its scope gone', () => resources('Finish', { scopes: ['read'] }), 403, 'scope'],
  ])('%s', async (_name, edit, status, reason) => {
    expect((await send()).status).toBe(200);
    gateway.reload(edit(resources('Finish')));
    expect((await send()).status).toBe(status);
    expect(await gateway.record((record) => record['status'] === status)).toMatchObject({ reason });
    gateway.reload(resources('Finish'));
    expect((await send()).status).toBe(200);
  });

  test('a new upstream takes over at once', async () => {
    const before = next.received();
    gateway.reload(withObjects(resources('Finish'), [upstream('anthropic', next.url)]));
    expect((await send()).status).toBe(200);
    expect(next.received()).toBe(before + 1);
  });
});

describe('[KEY-09] [KEY-10] what becomes of answers when their key is revoked', () => {
  test.each<[string, () => Resources]>([
    ['revoked', () => resources('Cut', { state: 'Revoked' })],
    ['deleted', () => without(resources('Cut'), 'VirtualKey', 'ci')],
  ])(
    'Cut: a key that is %s ends its streams within a second, with an error event; others go on',
    async (_name, after) => {
      gateway.reload(resources('Cut'));
      const [mine, others] = [await stream(), await stream(OTHER_KEY)];
      const upstreamCall = old.requests.at(-2)!;
      const started = performance.now();
      gateway.reload(after());
      const text = await mine.text();
      expect(performance.now() - started).toBeLessThan(1_000);
      expect(text).toMatch(/event: error\ndata: .*"authentication_error".*this key was revoked.*\n\n$/);
      expect(text).not.toContain('message_stop');
      expect(await upstreamCall.ended).toBe('aborted');
      expect(await others.text()).toContain('message_stop');
      expect(await gateway.record(({ outcome }) => outcome === 'revoked')).toMatchObject({ key: 'default/ci' });
      expect(await gateway.record(({ key }) => key === 'default/other')).toMatchObject({ outcome: 'complete' });
    },
  );

  test('Cut: a call that has no answer yet gets a 401', async () => {
    gateway.reload(resources('Cut'));
    old.behave(() => ({ kind: 'hang' }));
    const before = old.received();
    const waiting = send();
    await expect.poll(() => old.received()).toBe(before + 1);
    gateway.reload(resources('Cut', { state: 'Revoked' }));
    const response = await waiting;
    expect(response.status).toBe(401);
    expect(response.headers.get('x-should-retry')).toBe('false');
    expect(await old.requests.at(-1)!.ended).toBe('aborted');
    old.behave(() => ({ kind: 'text' }));
  });

  test('Cut: a disabled key is not a revoked one, its streams finish', async () => {
    gateway.reload(resources('Cut'));
    const running = await stream();
    gateway.reload(resources('Cut', { state: 'Disabled' }));
    expect(await running.text()).toContain('message_stop');
  });
});

test('[ROUTE-24] connections to an upstream that no configuration names are closed once they are idle', async () => {
  expect((await send()).status).toBe(200);
  const running = await stream();
  gateway.reload(withObjects(resources('Finish'), [upstream('anthropic', next.url)]));
  await running.text();
  const metrics = async (): Promise<string> => (await fetch(gateway.metricsUrl)).text();
  expect(await metrics()).toMatch(/^portcullis_in_flight_upstream 0$/m);
  await expect.poll(() => connectionsTo(Number(new URL(old.url).port))).toBe(0);
});

async function gatewayRevision(): Promise<string | undefined> {
  const text = await (await fetch(gateway.metricsUrl)).text();
  return /^portcullis_config_info\{revision="([^"]*)"\} 1$/m.exec(text)?.[1];
}

/** Established client sockets of this process whose far end is that port. */
function connectionsTo(port: number): number {
  const handles = (process as unknown as { _getActiveHandles(): { remotePort?: number }[] })._getActiveHandles();
  return handles.filter(({ remotePort }) => remotePort === port).length;
}
