// What tenants name is theirs: two namespaces behind one Gateway with everything of theirs called the same, and what the metrics page makes
// of it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { importedKey, object, policy, startGateway, upstream, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { turn } from './claude-code.ts';
import { headersWith, open, send } from './http-client.ts';

const TENANTS = ['team-a', 'team-b'] as const;
/** A model that both tenants offer from an upstream of theirs; no catalog knows it. */
const HOUSE = 'house-model';
const WORDS = ['hosted', 'nightly', 'rules', 'gold-label', HOUSE];

const valueOf = (tenant: string): string => `sk-pc-${tenant}-0123456789abcdefghijklmnopqrstuvwxyzABCD`;

let mocks: MockAnthropic[];
let gateway: TestGateway;

/** Upstream `hosted`, Policy `rules` and VirtualKey `nightly` of a tenant. */
function objectsOf(namespace: string, url: string) {
  const at = { namespace, labels: { tier: 'gold-label' } };
  const gatewayRef = { name: 'claude', namespace: 'default' };
  return [
    upstream('hosted', url, { gatewayRef, models: [{ id: HOUSE }] }, at),
    policy('rules', { gatewayRef, match: { everyone: {} }, upstreams: { names: ['hosted'] } }, at),
    importedKey('nightly', { gatewayRef }, at),
  ];
}

/** Samples that were counted, with their labels. */
async function samples() {
  const text = await (await fetch(gateway.metricsUrl)).text();
  return [...text.matchAll(/^(portcullis_\w+)\{(.*)\} (\S+)$/gm)].map(([, name, labels, value]) => ({
    name: name!,
    labels: Object.fromEntries([...labels!.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) => [label!, text!])),
    value: Number(value),
  }));
}

async function ask(tenant: string, model: string): Promise<number> {
  const headers = headersWith({ authorization: `Bearer ${valueOf(tenant)}` });
  const { status, headers: answered } = await send(gateway.url, { headers, body: turn({ model, stream: false }) });
  await gateway.record(({ request_id }) => request_id === answered['x-request-id']);
  return status;
}

describe.each(['Name', 'Hashed', 'None'])('[TEN-09] tenants with equal names, principalLabel %s', (principalLabel) => {
  beforeAll(async () => {
    mocks = await Promise.all(TENANTS.map(() => startMockAnthropic()));
    gateway = await startGateway({
      objects: [
        object('Gateway', 'claude', {
          publicUrl: 'http://127.0.0.1:1',
          metrics: { principalLabel },
          listen: { limits: { maxConcurrentUpstream: 1, maxQueued: 0 } },
          allowedNamespaces: { virtualKeys: { from: 'All' }, policies: { from: 'All' }, upstreams: { from: 'All' } },
        }),
        policy('base', {
          match: { everyone: {} },
          models: { allow: ['claude-*', HOUSE] },
          upstreams: { names: TENANTS.map((tenant) => `${tenant}/hosted`) },
        }),
        ...TENANTS.flatMap((tenant, i) => objectsOf(tenant, mocks[i]!.url)),
      ],
      secrets: Object.fromEntries(
        TENANTS.flatMap((tenant) => [
          [`${tenant}/anthropic`, { token: `sk-ant-api03-${tenant}-0123456789` }],
          [`${tenant}/keys`, { nightly: valueOf(tenant) }],
        ]),
      ),
      namespaces: { default: {}, 'team-a': {}, 'team-b': {} },
    });
    for (const tenant of ['team-a', 'team-b', 'team-b']) expect(await ask(tenant, HOUSE)).toBe(200);
    expect(await ask('team-a', 'nobodys-model')).toBe(400);
    // The one place is taken: this call is sent away before any upstream is chosen.
    mocks[1]!.behave(() => ({ kind: 'silence', afterEvents: 1 }));
    const headers = headersWith({ authorization: `Bearer ${valueOf('team-b')}` });
    const { request } = await open(gateway.url, { headers, body: turn({ model: HOUSE }) });
    expect(await ask('team-a', HOUSE)).toBe(529);
    request.destroy();
    await gateway.record(({ outcome }) => outcome === 'client_aborted');
  });

  afterAll(async () => {
    await gateway.close();
    for (const mock of mocks) await mock.close();
  });

  test('have series of their own', async () => {
    const all = await samples();
    const counted = (metric: string, by: Record<string, string>): number[] =>
      all
        .filter(
          ({ name, labels }) => name === metric && Object.entries(by).every(([label, text]) => labels[label] === text),
        )
        .map(({ value }) => value);
    for (const [i, tenant] of TENANTS.entries()) {
      // One call, and two with one that its client gave up.
      const calls = [1, 3][i];
      const by = { upstream: `${tenant}/hosted` };
      expect(counted('portcullis_requests_total', { ...by, status: '200' })).toEqual([calls]);
      expect(counted('portcullis_upstream_attempts_total', by)).toEqual([calls]);
      expect(counted('portcullis_tokens_total', { ...by, class: 'output' })).toHaveLength(1);
    }
    const principals = new Set(
      all.flatMap(({ name, labels }) => (name === 'portcullis_cost_usd_total' ? [labels['principal']] : [])),
    );
    expect(principals.size).toBe(principalLabel === 'None' ? 1 : 2);
    expect(principals.has('team-a/nightly') && principals.has('team-b/nightly')).toBe(principalLabel === 'Name');
  });

  test('are told apart wherever a word of theirs is written', async () => {
    const theirs = (await samples()).flatMap(({ name, labels }) =>
      Object.entries(labels)
        .filter(([, text]) => WORDS.some((word) => text.includes(word)))
        // Which of two models of one name it is, the upstream beside it says.
        .map(([label, text]) => ({ name, label, by: label === 'model' ? labels['upstream'] : text })),
    );
    expect(theirs.some(({ label }) => label === 'model')).toBe(true);
    expect(theirs.filter(({ by }) => !/^team-[ab]\/(hosted|nightly)$/.test(by ?? ''))).toEqual([]);
    expect(JSON.stringify(await samples())).not.toContain('gold-label');
  });

  test('a call for a model of theirs that reached no upstream is counted without its name', async () => {
    const refused = (await samples()).filter(
      ({ name, labels }) => name === 'portcullis_requests_total' && labels['status'] === '529',
    );
    expect(refused.map(({ labels }) => [labels['model'], labels['upstream']])).toEqual([['other', 'none']]);
  });
});
