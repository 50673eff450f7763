import { describe, expect, test } from 'vitest';
import { UPSTREAMS_ANNOTATION } from '#shared/kube/labels.ts';
import type { Facet, UpstreamWord } from '#shared/upstream-report.ts';
import { conditionOf } from './stored.ts';
import { eventsOf } from './events.ts';
import { ProgrammedTracker } from './programmed.ts';
import type { Replica } from './replicas.ts';
import { GATEWAY, lease, LOADED, pod, statusFor } from './testing.ts';
import { upstreamHealth } from './upstream-health.ts';
import type { Verdict } from './verdict.ts';

const AT = '2026-11-21T12:00:00.000Z';
const bad = (reason: string, message = `why ${reason}`): Facet => ({ status: 'False', reason, message });
const good: UpstreamWord = { at: AT };
const refused: UpstreamWord = { at: AT, credentials: bad('BadCredential') };
const away: UpstreamWord = { at: AT, reachable: bad('Unreachable') };
const probing: UpstreamWord = { credentials: { status: 'Unknown', reason: 'Probing', message: 'Not yet.' } };

const replicas = (...words: (UpstreamWord | undefined)[]): Replica[] =>
  words.map((word, i) => ({
    pod: `p${i}`,
    sequence: 1,
    fault: undefined,
    upstreams: (word === undefined ? {} : { 'ai/a': word }) as Replica['upstreams'],
  }));
const said = (type: string, ...words: (UpstreamWord | undefined)[]) =>
  upstreamHealth('ai/a', replicas(...words)).conditions.find((each) => each.type === type);

describe('[PROV-17] what the replicas say together', () => {
  test.each<[string, (UpstreamWord | undefined)[], object]>([
    ['nobody yet', [undefined, undefined], { status: 'Unknown', reason: 'Probing' }],
    ['all still looking', [probing, probing], { status: 'Unknown', reason: 'Probing' }],
    ['the first that knows', [probing, good], { status: 'True', reason: 'Valid' }],
    ['all of them bad', [refused, refused], { status: 'False', message: 'why BadCredential' }],
    ['one of three bad', [good, refused, good], { status: 'False', message: 'On 1 of 3 replicas: why BadCredential' }],
    ['one bad, one silent', [refused, undefined], { status: 'False', message: 'why BadCredential' }],
  ])('%s', (_, words, expected) => {
    expect(said('CredentialsValid', ...words)).toMatchObject(expected);
  });

  test('a provider that cannot be reached is another matter than its credential', () => {
    expect(said('CredentialsValid', away)?.status).toBe('True');
    expect(said('Reachable', away)).toMatchObject({ status: 'False', reason: 'Unreachable' });
  });

  test('models are spoken of only where somebody knows', () => {
    expect(said('ModelsAvailable', good)).toBeUndefined();
    const lacking = { ...good, models: bad('ModelNotEnabled'), missing: ['m2', 'm1'] };
    expect(said('ModelsAvailable', good, lacking)?.status).toBe('False');
    expect(upstreamHealth('ai/a', replicas(good, lacking)).fields).toMatchObject({ unavailableModels: ['m1', 'm2'] });
  });

  test('[ROUTE-31] [OPS-23] limits and the time of the last look are members of the status', () => {
    const words = [{ ...good, quotas: { m: { requests: 50, inputTokens: 400 } } }, { at: '2026-11-21T13:00:00.000Z' }];
    expect(upstreamHealth('ai/a', replicas(...words)).fields).toEqual({
      lastProbeTime: '2026-11-21T13:00:00Z',
      quotas: [{ model: 'm', requestsPerMinute: 50, inputTokensPerMinute: 400 }],
    });
  });
});

describe('[OPS-12] replicas whose release cannot serve it', () => {
  const old: UpstreamWord = { unknown: 'provider Quantum' };
  const older: UpstreamWord = { unknown: 'credential AWS Badge' };
  const statusOf = (words: (UpstreamWord | undefined)[], programmed: Verdict = LOADED) =>
    statusFor('Upstream', { programmed, health: upstreamHealth('ai/a', replicas(...words)) });

  test.each<[string, (UpstreamWord | undefined)[], string]>([
    ['one', [good, old, good], '1 of 3 replicas cannot serve it: their release does not know provider Quantum; '],
    [
      'two of different age',
      [older, old, good],
      '2 of 3 replicas cannot serve it: their release does not know credential AWS Badge, provider Quantum; ',
    ],
    ['one, and one that is silent', [old, undefined], '1 of 2 replicas cannot serve it: '],
    ['all', [old, old], '2 of 2 replicas cannot serve it: '],
  ])('%s: the Upstream is not Programmed', (_, words, message) => {
    const status = statusOf(words);
    const { message: told, ...rest } = conditionOf(status, 'Programmed')!;
    expect(rest).toMatchObject({ status: 'False', reason: 'UnsupportedByRelease' });
    expect(told.startsWith(message)).toBe(true);
    expect(conditionOf(status, 'Ready')).toMatchObject({ status: 'False', reason: 'UnsupportedByRelease' });
  });

  test('say nothing of its credential, and do not speak for those that can', () => {
    expect(said('CredentialsValid', old, refused)).toMatchObject({ status: 'False', message: 'why BadCredential' });
    expect(said('Reachable', old, good)?.status).toBe('True');
    expect(said('CredentialsValid', old, old)).toMatchObject({ status: 'Unknown', reason: 'UnsupportedByRelease' });
    expect(said('CredentialsValid', old, undefined)).toMatchObject({ status: 'Unknown', reason: 'Probing' });
  });

  test('count only once it is loaded', () => {
    const behind = { status: 'False', reason: 'ReplicasBehind', message: '1 of 2.' } as const;
    expect(conditionOf(statusOf([old, good], behind), 'Programmed')).toMatchObject(behind);
  });

  test('make an Event when the first appears and when the last is gone', () => {
    const [fine, one, two] = [
      [good, good],
      [old, good],
      [old, old],
    ].map((words) => statusOf(words)) as [
      ReturnType<typeof statusOf>,
      ReturnType<typeof statusOf>,
      ReturnType<typeof statusOf>,
    ];
    const told = (before: typeof fine, after: typeof fine) =>
      eventsOf('Upstream', before, after).flatMap(({ type, reason, action }) =>
        action === 'Publish' ? [`${type} ${reason}`] : [],
      );
    expect(told(fine, one)).toEqual(['Warning UnsupportedByRelease']);
    expect(told(one, two)).toEqual([]);
    expect(told(two, fine)).toEqual(['Normal Programmed']);
  });
});

describe('Ready of an Upstream', () => {
  const ready = (...words: (UpstreamWord | undefined)[]) =>
    conditionOf(statusFor('Upstream', { health: upstreamHealth('ai/a', replicas(...words)) }), 'Ready');

  test.each<[string, (UpstreamWord | undefined)[], object]>([
    ['no replica has looked', [undefined], { status: 'True' }],
    ['some replica can call', [refused, good], { status: 'True' }],
    ['none has a credential that is accepted', [refused, refused], { status: 'False', reason: 'BadCredential' }],
    ['none can reach it', [away, away], { status: 'False', reason: 'Unreachable' }],
  ])('when %s', (_, words, expected) => {
    expect(ready(...words)).toMatchObject(expected);
  });
});

describe('Events', () => {
  const status = (...words: UpstreamWord[]) =>
    statusFor('Upstream', { health: upstreamHealth('ai/a', replicas(...words)) });
  const events = (before: UpstreamWord[], after: UpstreamWord[]) =>
    eventsOf('Upstream', status(...before), status(...after)).map(({ type, reason }) => `${type} ${reason}`);

  test.each<[string, UpstreamWord[], UpstreamWord[], string[]]>([
    ['[PROV-19] a credential is refused', [good], [refused], ['Warning BadCredential']],
    ['a new one is accepted', [refused], [good], ['Normal Valid']],
    ['nothing was wrong from the start', [probing], [good], []],
    ['more replicas find the same', [good, refused], [refused, refused], []],
    [
      'it is refused for another reason',
      [refused],
      [{ ...refused, credentials: bad('NoPermission') }],
      ['Warning NoPermission'],
    ],
    ['it cannot be reached', [good], [away], ['Warning Unreachable']],
  ])('%s', (_, before, after, expected) => {
    expect(events(before, after)).toEqual(expected);
  });
});

describe('a Lease', () => {
  const words = (...each: UpstreamWord[]) => each.map((word) => JSON.stringify({ 'ai/a': word }));
  const speaking = (name: string, text: string, renewed: number) => {
    const made = lease(name, 1, { renewed });
    const annotations = { ...made.metadata.annotations, [UPSTREAMS_ANNOTATION]: text };
    return { ...made, metadata: { ...made.metadata, annotations } };
  };

  test('that says something else about an upstream is news; a renewal, and a pod that is gone, are not', () => {
    const tracker = new ProgrammedTracker({ now: () => 0 });
    const [fine, broken] = words(good, refused);
    tracker.observePod(pod('p0'));
    expect(tracker.observeLease(speaking('p0', fine!, 1))).toBe(true);
    expect(tracker.observeLease(speaking('p0', fine!, 2))).toBe(false);
    expect(tracker.observeLease(speaking('p0', broken!, 3))).toBe(true);
    expect(tracker.ready(GATEWAY)[0]?.upstreams).toEqual({ 'ai/a': refused });
    tracker.forgetPod({ namespace: 'ai', name: 'p0' });
    expect(tracker.ready(GATEWAY)).toEqual([]);
  });
});
