// Whole lives of keys over months: made, rotated, expired, disabled, revoked, and what people do to their Secrets meanwhile.
import { beforeEach, describe, expect, test } from 'vitest';
import { keyHash } from '#shared/bundle/key-hash.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import { SecretText } from '#shared/secret-text.ts';
import { FakeOperator, FakeServer, PEPPER, virtualKey } from './testing.ts';
import { storedKey } from './view.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.parse('2026-01-01T00:00:00Z');

let now = START;
let server = new FakeServer();
let operator = new FakeOperator({ server, now: () => now });

beforeEach(() => {
  now = START;
  server = new FakeServer();
  operator = new FakeOperator({ server, now: () => now });
});

const hashOf = (value: string | undefined) => keyHash(PEPPER.reveal(), value ?? '');
const stored = (id = 'team/ci') => storedKey(server.key(id)?.status);
const life = (id = 'team/ci') => operator.plan?.lifecycles.get(id);
const lines = (id = 'team/ci-key') =>
  Object.fromEntries(
    Object.entries(server.secret(id)?.data ?? {}).map(([name, value]) => [
      name,
      Buffer.from(value, 'base64').toString(),
    ]),
  );
/** Hashes that pods take for the key just now. */
const good = (id = 'team/ci') =>
  operator.entries
    .filter(
      ({ key, state, expiresAt }) => key === id && state === 'Active' && (expiresAt === undefined || now < expiresAt),
    )
    .map(({ hash }) => hash)
    .sort();
const restart = () => {
  operator = new FakeOperator({ server, now: () => now });
};
const rotate = (value: string, id = 'team/ci') =>
  server.edit(RESOURCE.VirtualKey, id, (key) => {
    key.metadata.annotations = { 'portcullis.dev/rotate': value };
  });
const change = (spec: object, id = 'team/ci') =>
  server.edit(RESOURCE.VirtualKey, id, (key) => {
    key.spec = { ...(key.spec as object), ...spec };
  });

describe('a new key', () => {
  test('[CLI-01] its Secret holds the lines a client needs, the status the same without the secret', async () => {
    server.put(
      RESOURCE.VirtualKey,
      virtualKey('ci', {
        credential: { type: 'Generated', generated: { secretName: 'ci-key', model: 'claude-haiku-5-5' } },
      }),
    );
    await operator.settle();
    const { token, ...others } = lines();
    expect(token).toMatch(/^sk-pc-[A-Za-z0-9_-]{43}$/);
    expect(others).toEqual({
      ANTHROPIC_BASE_URL: 'https://gw.corp',
      ANTHROPIC_AUTH_TOKEN: token,
      ANTHROPIC_MODEL: 'claude-haiku-5-5',
    });
    expect(life()?.fields['clientEnv']).toEqual([
      { name: 'ANTHROPIC_BASE_URL', value: 'https://gw.corp' },
      { name: 'ANTHROPIC_MODEL', value: 'claude-haiku-5-5' },
      { name: 'ANTHROPIC_AUTH_TOKEN', valueFrom: { secretKeyRef: { name: 'ci-key', key: 'token' } } },
    ]);
    expect(good()).toEqual([hashOf(token)]);
    expect(life()).toMatchObject({ phase: 'Active', conditions: [] });
    expect(life()?.resolvedRefs).toBeUndefined();
  });

  test('the Secret is owned by the key and carries nothing of its labels', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci', {}, { labels: { team: 'build' }, annotations: { note: 'x' } }));
    await operator.settle();
    const { metadata } = server.secret('team/ci-key') ?? {};
    const uid = server.key('team/ci')?.metadata.uid;
    expect(metadata?.ownerReferences).toEqual([
      { apiVersion: 'portcullis.dev/v1alpha1', kind: 'VirtualKey', name: 'ci', uid, controller: true },
    ]);
    expect(metadata?.labels).toEqual({
      'app.kubernetes.io/managed-by': 'portcullis',
      'portcullis.dev/gateway': 'gw',
      'portcullis.dev/role': 'virtual-key',
    });
    expect(Object.keys(metadata?.annotations ?? {}).every((name) => name.startsWith('portcullis.dev/'))).toBe(true);
    expect(server.secret('team/ci-key')).toMatchObject({ type: 'Opaque' });
  });

  test('the clear value is nowhere but in the Secret', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    const secret = (server.token('team/ci-key') ?? '').slice('sk-pc-'.length + 4);
    expect(secret.length).toBeGreaterThan(30);
    const elsewhere = [
      server.key('team/ci'),
      operator.plan,
      operator.compiled,
      operator.logged,
      [...operator.minter.memory],
    ];
    expect(JSON.stringify(elsewhere, (_, value: unknown) => (value instanceof Map ? [...value] : value))).not.toContain(
      secret,
    );
    expect(JSON.stringify(server.secret('team/ci-key')?.metadata)).not.toContain(secret);
  });

  test('no two values are alike', async () => {
    for (let index = 0; index < 20; index++) server.put(RESOURCE.VirtualKey, virtualKey(`k${index}`));
    await operator.settle();
    expect(new Set(server.of(RESOURCE.Secret).map(({ data }) => data?.['token'])).size).toBe(20);
  });

  test('[KEY-06] the Secret is written only when the pods know the hash, or have been waited for long enough', async () => {
    operator = new FakeOperator({ server, now: () => now, pods: false });
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.round();
    expect(stored().credential?.delivered).toBe(false);
    operator.minter.reached('infra/gw', 1);
    await operator.round();
    await operator.round();
    expect(operator.entries.map(({ hash }) => hash)).toEqual([stored().credential?.hash]);
    expect(server.secret('team/ci-key')).toBeUndefined();
    expect(life()).toMatchObject({ phase: 'Pending', resolvedRefs: { status: 'Unknown', reason: 'SecretPending' } });
    expect(operator.minter.wakeAt).toBe(now + 30_000);
    const [hash] = good();
    operator.minter.reached('infra/gw', operator.sequence);
    await operator.minter.idle();
    expect(hashOf(server.token('team/ci-key'))).toBe(hash);
  });

  test.each([
    ['there is no ready pod', 0, undefined],
    ['30 s have gone by', 30_000, 1],
  ])('nobody is waited for when %s', async (_, wait, reached) => {
    operator = new FakeOperator({ server, now: () => now, pods: false });
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.round();
    operator.minter.reached('infra/gw', reached);
    await operator.round();
    now += wait;
    await operator.round();
    expect(server.token('team/ci-key')).toBeDefined();
  });

  test('a key that the Gateway does not admit gets no value, and its Secret no address', async () => {
    operator.gateway = { ...operator.gateway, spec: { publicUrl: 'https://gw.corp', allowedNamespaces: {} } };
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    expect(server.secret('team/ci-key')).toBeUndefined();
    expect(stored()).toEqual({});
    expect(life()?.fields).toEqual({});
  });

  test.each([
    ['revoked', { state: 'Revoked' }, 'Revoked'],
    ['over', { expiresAt: '2025-12-31T00:00:00Z' }, 'Expired'],
  ])('a key that is %s before it has a value gets none', async (_, spec, phase) => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci', spec));
    await operator.settle();
    expect(server.secret('team/ci-key')).toBeUndefined();
    expect(life()).toMatchObject({ phase, resolvedRefs: { status: 'False', reason: 'NoValue' } });
  });
});

describe('rotation', () => {
  test('[KEY-02] without automatic the value stays good past its age, and RotationDue says how to replace it', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci', { rotation: { every: '2160h' } }));
    await operator.settle();
    const token = server.token('team/ci-key');
    expect(life()?.nextRotation).toBe('2026-04-01T00:00:00.000Z');
    expect(operator.plan?.wakeAt).toBe(START + 90 * DAY);
    now = START + 90 * DAY - 1;
    await operator.settle();
    expect(life()).toMatchObject({ phase: 'Active', conditions: [] });
    now += 1;
    await operator.settle();
    expect(life()?.phase).toBe('RotationDue');
    expect(life()?.conditions).toMatchObject([
      {
        type: 'RotationDue',
        status: 'True',
        message: expect.stringContaining('annotation portcullis.dev/rotate') as string,
      },
    ]);
    expect(good()).toEqual([hashOf(token)]);
    rotate('april');
    await operator.settle();
    expect(server.token('team/ci-key')).not.toBe(token);
    expect(life()).toMatchObject({ phase: 'Grace', conditions: [], nextRotation: '2026-06-30T00:00:00.000Z' });
  });

  test('[KEY-03] [KEY-05] on schedule: both values are good for the grace, then the old one is over', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci', { rotation: { every: '720h', automatic: true, grace: '48h' } }));
    await operator.settle();
    const old = hashOf(server.token('team/ci-key'));
    now += 30 * DAY;
    await operator.settle();
    const fresh = hashOf(server.token('team/ci-key'));
    expect(fresh).not.toBe(old);
    expect(good()).toEqual([fresh, old].sort());
    expect(life()?.phase).toBe('Grace');
    expect(stored().previous).toEqual({
      serial: 1,
      hash: old,
      prefix: expect.any(String),
      until: new Date(now + 48 * HOUR).toISOString(),
    });
    expect(operator.plan?.wakeAt).toBe(now + 48 * HOUR);
    const entry = operator.entries.find(({ hash }) => hash === old);
    expect(entry).toMatchObject({ previous: true, expiresAt: now + 48 * HOUR });
    now += 48 * HOUR - 1;
    await operator.settle();
    expect(good()).toEqual([fresh, old].sort());
    now += 1;
    await operator.settle();
    expect(good()).toEqual([fresh]);
    expect(stored().previous).toBeUndefined();
    expect(life()?.phase).toBe('Active');
  });

  test('[KEY-05] by annotation: any new value rotates once, taking it away or leaving it does not', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci', {}, { annotations: { 'portcullis.dev/rotate': 'at birth' } }));
    await operator.settle();
    const serials = [stored().credential?.serial];
    for (const value of [
      'one',
      'one',
      '',
      'one',
      'two',
      'x'.repeat(5_000),
      'x'.repeat(5_000),
      `${'x'.repeat(4_999)}y`,
    ]) {
      rotate(value);
      await operator.settle();
      restart();
      await operator.settle();
      serials.push(stored().credential?.serial);
    }
    expect(serials).toEqual([1, 2, 2, 2, 2, 3, 4, 4, 5]);
  });

  test('[KEY-04] rotation changes nothing of a key but its secret', async () => {
    server.put(
      RESOURCE.VirtualKey,
      virtualKey('ci', { models: { allow: ['claude-*'] }, scopes: ['read'] }, { labels: { team: 'build' } }),
    );
    await operator.settle();
    const before = operator.entries;
    rotate('now');
    await operator.settle();
    expect(operator.entries).toHaveLength(2);
    for (const entry of operator.entries) {
      const { hash: _, prefix: __, previous: ___, expiresAt: ____, ...same } = entry;
      const { hash: _____, prefix: ______, ...was } = before[0]!;
      expect(same).toEqual(was);
    }
  });

  test('a further rotation during grace ends the oldest value at once', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    const values = [hashOf(server.token('team/ci-key'))];
    for (const value of ['one', 'two']) {
      rotate(value);
      await operator.settle();
      values.push(hashOf(server.token('team/ci-key')));
    }
    expect(good()).toEqual(values.slice(1).sort());
  });

  test('without grace the old value ends when the Secret holds the new one', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci', { rotation: { grace: '0s' } }));
    await operator.settle();
    rotate('leaked');
    await operator.settle();
    expect(good()).toEqual([hashOf(server.token('team/ci-key'))]);
    expect(stored().previous).toBeUndefined();
  });

  test('[KEY-07] use of the old value during grace is told, in steps', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    rotate('now');
    await operator.settle();
    const at = (minutes: number) => new Date(START + minutes * MINUTE).toISOString();
    operator.use.set('team/ci', [{ at: at(-5), count: 9, addresses: ['10.0.0.9'] }]);
    await operator.settle();
    expect(stored().previous?.lastUsedAt).toBeUndefined();

    now += 2 * MINUTE;
    operator.use.set('team/ci', [
      { at: at(1), count: 2, addresses: ['10.0.0.1'] },
      { at: at(2), count: 3, addresses: ['10.0.0.2'] },
    ]);
    await operator.settle();
    expect(stored().previous).toMatchObject({ lastUsedAt: at(2), uses: 5, addresses: ['10.0.0.2', '10.0.0.1'] });

    const { writes } = server;
    now += 2 * MINUTE;
    operator.use.set('team/ci', [{ at: at(4), count: 60, addresses: ['10.0.0.1'] }]);
    await operator.settle();
    expect(server.writes).toBe(writes);
    operator.use.set('team/ci', [{ at: at(12), count: 60, addresses: ['10.0.0.1'] }]);
    now += 8 * MINUTE;
    await operator.settle();
    expect(stored().previous).toMatchObject({ lastUsedAt: at(12), uses: 60, addresses: ['10.0.0.1', '10.0.0.2'] });
  });

  test('[KEY-05] a disabled key is not rotated on schedule, but on demand', async () => {
    server.put(
      RESOURCE.VirtualKey,
      virtualKey('ci', { rotation: { every: '48h', automatic: true }, state: 'Disabled' }),
    );
    await operator.settle();
    now += 3 * DAY;
    await operator.settle();
    expect(stored().credential?.serial).toBe(1);
    expect(life()).toMatchObject({ phase: 'Disabled', conditions: [{ type: 'RotationDue' }] });
    rotate('leaked');
    await operator.settle();
    expect(stored().credential?.serial).toBe(2);
    now += 3 * DAY;
    change({ state: 'Active' });
    await operator.settle();
    expect(stored().credential?.serial).toBe(3);
  });

  test('a revoked key is never rotated', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci', { rotation: { every: '48h', automatic: true } }));
    await operator.settle();
    change({ state: 'Revoked' });
    rotate('now');
    now += 3 * DAY;
    await operator.settle();
    expect(stored().credential?.serial).toBe(1);
    expect(life()).toMatchObject({ phase: 'Revoked', conditions: [] });
    expect(life()?.nextRotation).toBeUndefined();
    expect(operator.entries).toMatchObject([{ state: 'Revoked' }]);
  });
});

describe('the end of a life', () => {
  test('[KEY-01] [KEY-16] the phases of a key with a ttl, and the warnings before its end', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci', { ttl: '2400h' }));
    const seen: [day: number, phase: string, reason: string | undefined][] = [];
    const told = new Set<string>();
    for (let guard = 0; guard < 20; guard++) {
      await operator.settle();
      const { phase = '?', conditions = [] } = life() ?? {};
      const state = `${phase} ${conditions[0]?.reason}`;
      if (!told.has(state)) seen.push([(now - START) / DAY, phase, conditions[0]?.reason]);
      told.add(state);
      if (operator.plan?.wakeAt === undefined) break;
      now = operator.plan.wakeAt;
    }
    expect(seen).toEqual([
      [0, 'Active', undefined],
      [75, 'Expiring', 'Within30Days'],
      [93, 'Expiring', 'Within7Days'],
      [97, 'Expiring', 'Within3Days'],
      [99, 'Expiring', 'Within1Day'],
      [100, 'Expired', undefined],
    ]);
    expect(good()).toEqual([]);
  });

  test('a life that is prolonged goes on with the same value', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci', { expiresAt: '2026-01-02T00:00:00Z' }));
    await operator.settle();
    const token = server.token('team/ci-key');
    now += 2 * DAY;
    await operator.settle();
    expect(life()?.phase).toBe('Expired');
    change({ expiresAt: '2026-06-02T00:00:00Z' });
    await operator.settle();
    expect(life()?.phase).toBe('Active');
    expect(good()).toEqual([hashOf(token)]);
  });

  test('[KEY-10] [KEY-16] disabled comes back with its value, revoked does not', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    const hash = hashOf(server.token('team/ci-key'));
    change({ state: 'Disabled' });
    await operator.settle();
    expect([life()?.phase, good()]).toEqual(['Disabled', []]);
    change({ state: 'Active' });
    await operator.settle();
    expect([life()?.phase, good()]).toEqual(['Active', [hash]]);
    change({ state: 'Revoked' });
    await operator.settle();
    expect([life()?.phase, good()]).toEqual(['Revoked', []]);
  });

  test('a key made again under the old name waits for the old Secret to go, and gets a value of its own', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    const token = server.token('team/ci-key');
    server.remove(RESOURCE.VirtualKey, 'team/ci');
    await operator.settle();
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    expect(life()?.resolvedRefs?.reason).toBe('SecretConflict');
    server.remove(RESOURCE.Secret, 'team/ci-key');
    await operator.settle();
    expect(server.token('team/ci-key')).not.toBe(token);
    expect(life()?.resolvedRefs).toBeUndefined();
  });
});

describe('what people do to Secrets', () => {
  const foreign = (name: string, data = {}) => ({ metadata: { namespace: 'team', name }, data });

  test('[KEY-05] deleted: the key stays good, the condition says what to do, rotation makes a new one', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    const old = hashOf(server.token('team/ci-key'));
    server.remove(RESOURCE.Secret, 'team/ci-key');
    await operator.settle();
    expect(good()).toEqual([old]);
    expect(life()).toMatchObject({ phase: 'Active', resolvedRefs: { status: 'False', reason: 'SecretLost' } });
    expect(life()?.resolvedRefs?.message).toContain('portcullis.dev/rotate');
    expect(server.secret('team/ci-key')).toBeUndefined();
    rotate('lost');
    await operator.settle();
    expect(life()?.resolvedRefs).toBeUndefined();
    expect(good()).toEqual([hashOf(server.token('team/ci-key')), old].sort());
  });

  test('a foreign Secret of the name is never written, and the key goes on once it is gone', async () => {
    server.put(RESOURCE.Secret, foreign('ci-key', { token: 'bWluZQ==' }));
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    expect(server.secret('team/ci-key')?.data).toEqual({ token: 'bWluZQ==' });
    expect(life()).toMatchObject({ phase: 'Pending', resolvedRefs: { status: 'False', reason: 'SecretConflict' } });
    expect(server.writes).toBe(0);
    server.remove(RESOURCE.Secret, 'team/ci-key');
    await operator.settle();
    expect(lines()['token']).toMatch(/^sk-pc-/);
  });

  test('a foreign Secret that the cache does not show yet is not written either', async () => {
    operator = new FakeOperator({ server, now: () => now, pods: false });
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.round();
    operator.publish(operator.think());
    const plan = operator.think();
    server.put(RESOURCE.Secret, foreign('ci-key', { token: 'bWluZQ==' }));
    operator.minter.offer(plan);
    operator.minter.reached('infra/gw', operator.sequence);
    await operator.minter.idle();
    expect(server.secret('team/ci-key')?.data).toEqual({ token: 'bWluZQ==' });
    expect(operator.think().lifecycles.get('team/ci')?.resolvedRefs?.reason).toBe('SecretConflict');
  });

  test('of two keys that name one Secret the one that has it keeps it, otherwise the older one', async () => {
    const both = { credential: { type: 'Generated', generated: { secretName: 'shared' } } };
    server.put(RESOURCE.VirtualKey, virtualKey('b', both));
    await operator.settle();
    const token = server.token('team/shared');
    server.put(RESOURCE.VirtualKey, virtualKey('a', both, { creationTimestamp: '2025-01-01T00:00:00Z' }));
    await operator.settle();
    expect(server.token('team/shared')).toBe(token);
    expect(life('team/a')?.resolvedRefs).toMatchObject({
      reason: 'SecretConflict',
      message: expect.stringContaining('VirtualKey b') as string,
    });
    expect(life('team/b')?.resolvedRefs).toBeUndefined();

    server = new FakeServer();
    restart();
    server.put(RESOURCE.VirtualKey, virtualKey('b', both, { creationTimestamp: '2025-06-01T00:00:00Z' }));
    server.put(RESOURCE.VirtualKey, virtualKey('a', both, { creationTimestamp: '2026-01-01T00:00:00Z' }));
    await operator.settle();
    expect(life('team/b')?.resolvedRefs).toBeUndefined();
    expect(life('team/a')?.resolvedRefs?.reason).toBe('SecretConflict');
  });

  test.each(['gw-pepper', 'gw-index', 'gw-credentials-a', 'gw-keys-07-b', 'gw-tombstones', 'gw-tombstones-1'])(
    '%s in the namespace of the Gateway is the Gateway’s own',
    async (secretName) => {
      const spec = { credential: { type: 'Generated', generated: { secretName } } };
      server.put(RESOURCE.VirtualKey, virtualKey('ci', spec, { namespace: 'infra' }));
      server.put(RESOURCE.VirtualKey, virtualKey('ci', spec));
      await operator.settle();
      expect(server.secret(`infra/${secretName}`)).toBeUndefined();
      expect(life('infra/ci')?.resolvedRefs?.reason).toBe('SecretConflict');
      expect(server.secret(`team/${secretName}`)).toBeDefined();
    },
  );

  test('lines edited by hand are put right as long as the value is there; other lines are left alone', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    const before = lines();
    server.edit(RESOURCE.Secret, 'team/ci-key', (secret) => {
      secret.data = {
        token: secret.data?.['token'] ?? '',
        ANTHROPIC_BASE_URL: 'eA==',
        ANTHROPIC_MODEL: 'eA==',
        MINE: 'eA==',
      };
    });
    await operator.settle();
    expect(lines()).toEqual({ ...before, MINE: 'x' });
    expect(life()?.resolvedRefs).toBeUndefined();
  });

  test('a value edited by hand is reported, and taken back when it is put back', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    const { data } = server.secret('team/ci-key') ?? {};
    const edit = (token: string) =>
      server.edit(RESOURCE.Secret, 'team/ci-key', (secret) => {
        secret.data = { ...secret.data, token };
      });
    edit('c29tZXRoaW5nIGVsc2U=');
    await operator.settle();
    expect(life()?.resolvedRefs).toMatchObject({ status: 'False', reason: 'SecretAltered' });
    expect(good()).toEqual([hashOf(Buffer.from(data?.['token'] ?? '', 'base64').toString())]);
    edit(data?.['token'] ?? '');
    await operator.settle();
    expect(life()?.resolvedRefs).toBeUndefined();
    edit('c29tZXRoaW5nIGVsc2U=');
    await operator.settle();
    rotate('repair');
    await operator.settle();
    expect(life()?.resolvedRefs).toBeUndefined();
    expect(good()).toContain(hashOf(server.token('team/ci-key')));
  });

  test('a Gateway that moves to another address rewrites the lines and nothing else', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    const before = lines();
    operator.gateway = { ...operator.gateway, spec: { publicUrl: 'https://claude.corp/' } };
    await operator.settle();
    expect(lines()).toEqual({ ...before, ANTHROPIC_BASE_URL: 'https://claude.corp' });
    expect(stored().credential?.serial).toBe(1);
  });

  test('under a new pepper the value of the Secret is kept, and made anew where the Secret is gone', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    server.put(RESOURCE.VirtualKey, virtualKey('lost'));
    await operator.settle();
    const token = server.token('team/ci-key');
    server.remove(RESOURCE.Secret, 'team/lost-key');
    const pepper = new SecretText('another pepper for tests of at least 32 bytes');
    operator.gateway = { ...operator.gateway, pepper };
    await operator.settle();
    expect(server.token('team/ci-key')).toBe(token);
    expect(good()).toEqual([keyHash(pepper.reveal(), token ?? '')]);
    expect(good('team/lost')).toEqual([keyHash(pepper.reveal(), server.token('team/lost-key') ?? '')]);
    expect(operator.think().actions).toEqual([]);
  });

  test('a status that was wiped is made again from the Secret', async () => {
    server.put(RESOURCE.VirtualKey, virtualKey('ci'));
    await operator.settle();
    const token = server.token('team/ci-key');
    server.edit(RESOURCE.VirtualKey, 'team/ci', (key) => {
      key.status = {};
    });
    restart();
    await operator.settle();
    expect(server.token('team/ci-key')).toBe(token);
    expect(good()).toEqual([hashOf(token)]);
  });
});
