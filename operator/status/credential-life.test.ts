import { describe, expect, test } from 'vitest';
import { eventsOf } from './events.ts';
import { credentialLife, type CredentialSecret } from './credential-life.ts';
import { statusFor } from './testing.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const DAY = 86_400_000;
const MAX_AGE = 90 * DAY;

const secret = (over: Partial<CredentialSecret>): CredentialSecret => ({
  name: 'ai/key',
  changedAt: undefined,
  expiresAt: undefined,
  ...over,
});
const life = (over: Partial<CredentialSecret>, now = NOW) => credentialLife([secret(over)], MAX_AGE, now);

describe('[PROV-24] age', () => {
  test('says since when, so that it is the same every day, and wakes when the time has come', () => {
    const changedAt = NOW - 100 * DAY;
    const { conditions } = life({ changedAt });
    expect(conditions).toMatchObject([{ type: 'CredentialStale', status: 'True' }]);
    expect(conditions[0]?.message).toContain('ai/key has not changed since 2026-08-13');
    expect(life({ changedAt }, NOW + 20 * DAY).conditions).toEqual(conditions);
  });

  test('is no fault before its limit', () => {
    const changedAt = NOW - 89 * DAY;
    expect(life({ changedAt })).toEqual({ conditions: [], fields: {}, wakeAt: changedAt + MAX_AGE });
    expect(life({ changedAt }, changedAt + MAX_AGE).conditions).toHaveLength(1);
  });

  test('of the oldest counts', () => {
    const secrets = [secret({ changedAt: NOW }), secret({ name: 'ai/old', changedAt: NOW - 200 * DAY })];
    expect(credentialLife(secrets, MAX_AGE, NOW).conditions[0]?.message).toContain('ai/old');
  });
});

describe('[PROV-25] a known end', () => {
  test.each<[string, number, string | undefined, number | undefined]>([
    ['far away', 31, undefined, 1],
    ['in 30 days', 30, 'WithinThirtyDays', 23],
    ['in 8 days', 8, 'WithinThirtyDays', 1],
    ['in 7 days', 7, 'WithinSevenDays', 6],
    ['in a day', 1, 'WithinOneDay', 1],
    ['in an hour', 1 / 24, 'WithinOneDay', 1 / 24],
    ['past', -1, 'Expired', undefined],
  ])('%s', (_, days, reason, wakesIn) => {
    const { conditions, fields, wakeAt } = life({ expiresAt: NOW + days * DAY });
    expect(conditions[0]?.reason).toBe(reason);
    expect(fields).toHaveProperty('credentialExpiresAt');
    expect(wakeAt).toBe(wakesIn === undefined ? undefined : NOW + wakesIn * DAY);
  });

  test('makes an Event at each step and none in between', () => {
    const expiresAt = NOW + 40 * DAY;
    const told: string[] = [];
    let before = statusFor('Upstream');
    for (let day = 0; day <= 41; day++) {
      const after = statusFor('Upstream', { health: life({ expiresAt }, NOW + day * DAY) });
      told.push(...eventsOf('Upstream', before, after).map(({ type, reason }) => `${day} ${type} ${reason}`));
      before = after;
    }
    expect(told).toEqual([
      '10 Warning CredentialExpiringWithinThirtyDays',
      '33 Warning CredentialExpiringWithinSevenDays',
      '39 Warning CredentialExpiringWithinOneDay',
      '40 Warning CredentialExpiringExpired',
    ]);
  });

  test('says that it is a certificate, which and where', () => {
    const expiresAt = NOW + 5 * DAY;
    const told = (role: 'Client' | 'Authority', at: number) =>
      life({ name: 'ai/mtls', expiresAt: at, certificate: { role, key: 'tls.crt' } }).conditions[0];
    expect(told('Client', expiresAt)).toMatchObject({
      reason: 'WithinSevenDays',
      message:
        'The client certificate in key tls.crt of Secret ai/mtls, or one that follows it there, ends at 2026-11-26T12:00:00Z: put a new one and its key there.',
    });
    expect(told('Authority', NOW - DAY)).toMatchObject({
      status: 'True',
      reason: 'Expired',
      message:
        'A CA certificate in key tls.crt of Secret ai/mtls, by which the upstream is known, has ended at 2026-11-20T12:00:00Z: put its successor there.',
    });
  });

  test('does not hide the next one', () => {
    const certificate = { role: 'Client', key: 'tls.crt' } as const;
    const secrets = [
      secret({ name: 'ai/mtls', expiresAt: NOW + 20 * DAY, certificate }),
      secret({ expiresAt: NOW + 2 * DAY }),
      secret({ name: 'ai/far', expiresAt: NOW + 50 * DAY }),
    ];
    const { conditions, fields, wakeAt } = credentialLife(secrets, MAX_AGE, NOW);
    expect(conditions).toHaveLength(1);
    expect(conditions[0]).toMatchObject({
      reason: 'WithinSevenDays',
      message: expect.stringMatching(/^The credential in Secret ai\/key .* The client certificate in .*there\.$/),
    });
    expect(fields).toEqual({ credentialExpiresAt: '2026-11-23T12:00:00Z' });
    expect(wakeAt).toBe(NOW + DAY);
    // Without the first the others still have their time.
    expect(credentialLife(secrets.slice(0, 1), MAX_AGE, NOW).wakeAt).toBe(NOW + 13 * DAY);
    expect(credentialLife(secrets.slice(2), MAX_AGE, NOW)).toMatchObject({ conditions: [], wakeAt: NOW + 20 * DAY });
  });

  test('[AUDIT-19] that comes near beside another makes an Event of its own', () => {
    const status = (...ends: [string, number][]) => {
      const secrets = ends.map(([name, days]) => secret({ name, expiresAt: NOW + days * DAY }));
      return statusFor('Upstream', { health: credentialLife(secrets, MAX_AGE, NOW) });
    };
    const told = eventsOf('Upstream', status(['ai/key', 2], ['ai/mtls', 31]), status(['ai/key', 2], ['ai/mtls', 30]));
    expect(told).toHaveLength(1);
    expect(told[0]?.note).toContain('ai/mtls');
    expect(eventsOf('Upstream', status(['ai/key', 2]), status(['ai/key', 2]))).toEqual([]);
  });
});
