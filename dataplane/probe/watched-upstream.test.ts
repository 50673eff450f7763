import { describe, expect, test } from 'vitest';
import type { ProbeConfig } from '#shared/bundle/bundle.ts';
import { Refresher } from '../credentials/refresher.ts';
import type { CredentialSource, CredentialState } from '../credentials/source.ts';
import { FakeClock } from '../credentials/testing.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { targetOf } from '../route/testing.ts';
import type { Finding, Outcome } from './finding.ts';
import { WatchedUpstream } from './watched-upstream.ts';

const HOUR = 3_600_000;
const found = (outcome: Outcome, over: Partial<Finding> = {}): Finding => ({ outcome, message: outcome, ...over });

interface Source {
  id: string;
  status: CredentialState['status'];
}

function target(probe: ProbeConfig | undefined, source: Source = { id: 'one', status: 'Valid' }): UpstreamTarget {
  const made = targetOf('a', probe === undefined ? {} : { probe });
  const fault = { code: 'not_found', message: 'this machine has no role' } as const;
  const credential = {
    id: source.id,
    state: () => ({
      kind: 'AWS',
      status: source.status,
      validUntil: undefined,
      fault: source.status === 'Valid' ? undefined : fault,
    }),
  } as unknown as CredentialSource;
  return Object.assign(made, { credential });
}

/** One upstream under a clock that the test moves. */
function watch(first: UpstreamTarget, { probing = true, takes = 0 } = {}) {
  const clock = new FakeClock();
  const refresher = new Refresher(clock);
  let finding = found('Valid');
  let looks = 0;
  let changes = 0;
  let open = 0;
  let most = 0;
  const watched: WatchedUpstream = new WatchedUpstream(first, {
    look: async () => {
      looks++;
      most = Math.max(most, ++open);
      const answer = finding;
      if (takes > 0) await new Promise<void>((done) => clock.after(takes, done));
      open--;
      return answer;
    },
    now: () => clock.now(),
    random: () => 0.5,
    probing,
    moved: (each) => refresher.moved(each),
    changed: () => void changes++,
    probed: () => undefined,
  });
  refresher.add(watched);
  return {
    clock,
    watched,
    answer: (next: Finding) => void (finding = next),
    looks: () => looks,
    changes: () => changes,
    atOnce: () => most,
    status: () => watched.state.credentials.status,
    reason: () => watched.state.credentials.reason,
  };
}

describe('[PROV-17] an upstream is looked at', () => {
  test('once it is loaded, and then on its interval', async () => {
    const { clock, looks } = watch(target({ interval: HOUR }));
    expect(looks()).toBe(0);
    await clock.advance(1_000);
    expect(looks()).toBe(1);
    await clock.advance(HOUR / 2);
    expect(looks()).toBe(1);
    await clock.advance(HOUR);
    expect(looks()).toBe(2);
  });

  test('never again when the interval is 0', async () => {
    const { clock, looks } = watch(target({ interval: 0 }));
    await clock.advance(48 * HOUR);
    expect(looks()).toBe(1);
  });

  test.each<[string, UpstreamTarget]>([
    ['the credential changed', target({ interval: HOUR }, { id: 'two', status: 'Valid' })],
    ['somebody asked for it', target({ interval: HOUR, trigger: 'now' })],
  ])('when %s', async (_, next) => {
    const { clock, watched, looks } = watch(target({ interval: HOUR }));
    await clock.advance(5_000);
    watched.configure(next);
    await clock.advance(1_000);
    expect(looks()).toBe(2);
  });

  test('not when a configuration leaves it as it was', async () => {
    const { clock, watched, looks } = watch(target({ interval: HOUR }));
    await clock.advance(5_000);
    watched.configure(target({ interval: HOUR }));
    await clock.advance(5_000);
    expect(looks()).toBe(1);
  });

  test('not where it asks for none, nor in a process that does not probe', async () => {
    for (const made of [watch(target(undefined)), watch(target({ interval: HOUR }), { probing: false })]) {
      await made.clock.advance(48 * HOUR);
      expect([made.looks(), made.reason()]).toEqual([0, 'NotProbed']);
    }
  });

  test('sooner after trouble, and then later and later', async () => {
    const { clock, answer, looks } = watch(target({ interval: HOUR }));
    answer(found('Unreachable'));
    await clock.advance(60_000);
    expect(looks()).toBe(3);
    await clock.advance(10 * HOUR);
    expect(looks()).toBeLessThan(22);
  });

  test('what a look under an old credential finds says nothing of the new one', async () => {
    const { clock, watched, answer, status, atOnce } = watch(target({ interval: HOUR }), { takes: 10_000 });
    answer(found('BadCredential'));
    await clock.advance(2_000);
    answer(found('Valid'));
    watched.configure(target({ interval: HOUR }, { id: 'two', status: 'Valid' }));
    await clock.advance(9_000);
    expect(status()).toBe('Unknown');
    await clock.advance(30_000);
    expect(status()).toBe('True');
    expect(atOnce()).toBe(1);
  });
});

describe('[PROV-19] a call that is refused', () => {
  test('flips at once, and one look confirms it or takes it back', async () => {
    const { clock, watched, looks, status } = watch(target({ interval: HOUR }));
    await clock.advance(60_000);
    watched.refused(found('BadCredential', { model: 'm' }));
    expect(status()).toBe('False');
    await clock.advance(2_000);
    expect([looks(), status()]).toEqual([2, 'True']);
  });

  test('again and again makes no storm of looks', async () => {
    const { clock, watched, answer, looks, changes } = watch(target({ interval: HOUR }));
    await clock.advance(60_000);
    answer(found('BadCredential'));
    const before = changes();
    for (let second = 0; second < 600; second++) {
      for (let call = 0; call < 20; call++) watched.refused(found('BadCredential'));
      await clock.advance(1_000);
    }
    expect(looks()).toBeLessThan(16);
    expect(changes() - before).toBe(1);
  });

  test('for lack of permission outweighs a list that may be read, until a call is served', async () => {
    const { clock, watched, status } = watch(target({ interval: HOUR }));
    await clock.advance(60_000);
    watched.refused(found('NoPermission', { model: 'm' }));
    await clock.advance(30_000);
    expect(status()).toBe('False');
    watched.served('m');
    expect(status()).toBe('True');
  });
});

describe('[PROV-26] a credential that cannot be had shows before traffic', () => {
  test.each([{ probing: true }, { probing: false }])('probing: $probing', async ({ probing }) => {
    const source: Source = { id: 'one', status: 'Unusable' };
    const { watched, clock, answer, status, reason } = watch(target({ interval: HOUR }, source), { probing });
    answer(found('CredentialUnavailable'));
    watched.lookAtSource();
    expect([status(), reason()]).toEqual(['False', 'CredentialUnavailable']);
    expect(watched.state.credentials.message).toContain('this machine has no role');
    source.status = 'Valid';
    answer(found('Valid'));
    watched.lookAtSource();
    await clock.advance(1_000);
    expect(status()).toBe(probing ? 'True' : 'Unknown');
  });
});
