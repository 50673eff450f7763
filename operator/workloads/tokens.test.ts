// Tokens of a pod's own account, for providers: what is mounted where, and what replaces the pods.
import { describe, expect, test } from 'vitest';
import { rendered } from './testing.ts';

type Token = Readonly<Record<string, string>>;
const templateOf = (tokens: readonly Token[]) => rendered({ deployment: { tokens } }).Deployment.spec!.template;

const aws = { name: 'aws', audience: 'sts.amazonaws.com', expiresAfter: '1h' };
const google = { name: 'google', audience: 'https://iam.googleapis.com/pool', expiresAfter: '10m' };

test('[PROV-14] [PROV-27] each token is a file of its name in one folder', () => {
  const { containers, volumes } = templateOf([
    google,
    { name: 'anthropic', audience: 'https://api.anthropic.com' },
  ]).spec!;
  const source = (path: string, audience: string, expirationSeconds: number) => ({
    serviceAccountToken: { path, audience, expirationSeconds },
  });
  expect(volumes!.find(({ name }) => name === 'tokens')).toEqual({
    name: 'tokens',
    projected: {
      defaultMode: 0o440,
      sources: [
        source('anthropic', 'https://api.anthropic.com', 3_600),
        source('google', 'https://iam.googleapis.com/pool', 600),
      ],
    },
  });
  expect(containers[0]!.volumeMounts).toContainEqual({
    name: 'tokens',
    mountPath: '/var/run/secrets/portcullis/tokens',
    readOnly: true,
  });
});

test('without tokens nothing is mounted for them', () => {
  const { containers, volumes } = templateOf([]).spec!;
  expect([volumes, containers[0]!.volumeMounts].map((list) => list!.map(({ name }) => name))).toEqual([
    ['config', 'tmp'],
    ['config', 'tmp'],
  ]);
});

describe('[OPS-12] what replaces the pods', () => {
  const template = (...tokens: readonly Token[]) => JSON.stringify(templateOf(tokens));

  test.each<[string, readonly Token[]]>([
    ['one more', [aws, google, { ...google, name: 'other' }]],
    ['one less', [aws]],
    ['another name', [aws, { ...google, name: 'other' }]],
    ['another audience', [{ ...aws, audience: 'sts.cn-north-1.amazonaws.com.cn' }, google]],
    ['another lifetime', [{ ...aws, expiresAfter: '2h' }, google]],
  ])('%s', (_, tokens) => {
    expect(template(...tokens)).not.toBe(template(aws, google));
  });

  test('nothing, when the same is said in another order and in other words', () => {
    expect(template(google, { ...aws, expiresAfter: '60m' })).toBe(template(aws, google));
  });
});
