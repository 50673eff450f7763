import { describe, expect, it } from 'vitest';
import { compile } from '#shared/compile/compile.ts';
import { golden, inputOf, object as manifest } from '#shared/compile/testing.ts';
import { bearer, post } from '../../e2e/behaviour/caller.ts';
import { send } from '../../e2e/behaviour/http-client.ts';
import { basicResources, CI_KEY, importedKey, policy, upstream, withObjects } from '../../e2e/harness/gateway.ts';
import { desiredStatus } from './desired.ts';
import { conditionOf, type StatusObject } from './stored.ts';
import { SYMPTOMS, type Signal } from './symptoms.ts';
import { compiled, LOADED, NOW, object, statusFor } from './testing.ts';
import { startScene } from '../../e2e/behaviour/scene.ts';

const KEYS = {
  old: 'sk-pc-old-0123456789abcdefghijklmnopqrstuvwxyzAB',
  reader: 'sk-pc-reader-0123456789abcdefghijklmnopqrstuvw',
};

const { mock, gateway } = await startScene();

const basic = (spec: Record<string, unknown> = {}) => basicResources(mock.url, spec);
const withKeys = () =>
  withObjects(
    basic(),
    [importedKey('old', { expiresAt: '2020-01-01T00:00:00Z' }), importedKey('reader', { scopes: ['read'] })],
    { 'default/keys': KEYS },
  );

/** How each symptom that a metric shows is brought about. */
const CAUSES: Readonly<Record<string, () => Promise<unknown>>> = {
  'Key not found': () => post(gateway, bearer('sk-pc-mistyped')),
  'Token expired, at the caller': async () => {
    gateway.reload(withKeys());
    await post(gateway, bearer(KEYS.old));
  },
  'Key without upstream': async () => {
    const spec = { match: { everyone: {} }, upstreams: { selector: { matchLabels: { no: 'where' } } } };
    gateway.reload(withObjects(basic(), [policy('everyone', spec)]));
    await post(gateway, bearer(CI_KEY));
  },
  'Provider key invalid': async () => {
    gateway.reload(basic());
    mock.behave(() => ({ kind: 'status', status: 401 }));
    await post(gateway, bearer(CI_KEY));
    mock.behave(() => ({ kind: 'text' }));
  },
  'Provider cannot be reached': async () => {
    gateway.reload(withObjects(basic(), [upstream('anthropic', 'http://127.0.0.1:1')]));
    await post(gateway, bearer(CI_KEY));
  },
  'Scope missing': async () => {
    gateway.reload(withKeys());
    await post(gateway, bearer(KEYS.reader));
  },
  'IP blocked': async () => {
    gateway.reload(basic({ listen: { access: { deny: ['127.0.0.0/8'] } } }));
    await post(gateway, bearer(CI_KEY));
    gateway.reload(basic());
  },
  'Flag not set at the client: a cloud login instead of the key': () => post(gateway, bearer('ya29.some-token')),
  'Base URL wrong at the client': () => post(gateway, bearer(CI_KEY), {}, '/elsewhere/v1/messages'),
};

const gatewayState = { replicas: { ready: 0, current: 0 }, paused: false, available: undefined };
const lostKey = {
  gatewayRef: { name: 'nowhere' },
  owner: { type: 'Service', name: 'ci' },
  credential: { type: 'Generated', generated: { secretName: 'ci' } },
};
const allStatuses: [kind: string, status: StatusObject][] = [
  ...[
    ...['missing-refs', 'conflicts', 'insecure-url'].map(golden),
    inputOf([manifest('VirtualKey', 'p/k', lostKey)]),
  ].flatMap((input) =>
    compile(input).statuses.map((each): [string, StatusObject] => [
      each.kind,
      desiredStatus({ object: object(), compiled: each, programmed: LOADED, now: NOW }).status,
    ]),
  ),
  ['VirtualKey', statusFor('VirtualKey', { lifecycle: { phase: 'Expired' } })],
  ...(
    [
      ['CredentialsValid', 'BadCredential', 'False'],
      ['CredentialsValid', 'CredentialUnavailable', 'False'],
      ['ModelsAvailable', 'ModelNotEnabled', 'False'],
      ['CredentialExpiring', 'WithinSevenDays', 'True'],
    ] as const
  ).map(([type, reason, status]): [string, StatusObject] => [
    'Upstream',
    statusFor('Upstream', { health: { conditions: [{ type, status, reason, message: '' }], fields: {} } }),
  ]),
  ['Gateway', statusFor('Gateway', { gateway: { ...gatewayState, paused: true } })],
  ...['NoReadyReplica', 'LoadFault'].map((reason): [string, StatusObject] => [
    'Gateway',
    statusFor('Gateway', { compiled: compiled('Gateway'), programmed: { status: 'False', reason, message: '' } }),
  ]),
];

const rows = SYMPTOMS.map(({ symptom, seen }) => [symptom, seen] as const);

describe('[ERR-11] each symptom of the runbook', () => {
  const isMetric = (seen: Signal): seen is Extract<Signal, { metric: string }> => 'metric' in seen;

  it.each(rows.filter(([, seen]) => isMetric(seen)))('%s is one series of a metric', async (symptom, seen) => {
    if (!isMetric(seen)) throw new Error('not a metric');
    const before = await total(seen);
    await CAUSES[symptom]?.();
    await expect.poll(() => total(seen)).toBeGreaterThan(before);
  });

  it.each(rows.filter(([, seen]) => !isMetric(seen)))('%s is one condition', (_, seen) => {
    if (isMetric(seen)) throw new Error('not a condition');
    const found = allStatuses.filter(([kind, status]) => {
      const { status: value, reason } = conditionOf(status, seen.condition) ?? {};
      return kind === seen.kind && value === seen.status && reason === seen.reason;
    });
    expect(found.length).toBeGreaterThan(0);
  });

  it('is told apart from every other', () => {
    expect(new Set(rows.map(([, seen]) => JSON.stringify(seen))).size).toBe(rows.length);
  });
});

/** Sum of the series with these labels. */
async function total({ metric, labels }: Extract<Signal, { metric: string }>): Promise<number> {
  const url = new URL(gateway.metricsUrl);
  const { body } = await send(url.origin, { method: 'GET', path: url.pathname });
  const wanted = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return body
    .toString()
    .split('\n')
    .filter((line) => line.startsWith(`${metric}{`) && wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
