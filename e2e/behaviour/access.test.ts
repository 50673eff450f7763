// What policies and keys grant, from the manifest to the answer: scopes, endpoints, upstreams, merging, tenants, and how refusals read.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { RawObject } from '#shared/compile/types.ts';
import { basicResources, importedKey, object, policy, upstream, withObjects } from '../harness/gateway.ts';
import { bearer, get, outcomeOf, post, recordOf, refusalOf } from './caller.ts';
import { errorOf, messageBody } from './routing.ts';
import { startScene } from './scene.ts';

const HAIKU = 'claude-haiku-5-5';
const OPUS = 'claude-opus-5-5';

const { mock, gateway } = await startScene();

function valueOf(name: string): string {
  return `sk-pc-${createHash('sha256').update(name).digest('hex')}`;
}

/** Loads these objects beside those of the basic resources; every key gets its value. */
function load(objects: readonly RawObject[], gatewaySpec: Record<string, unknown> = {}): void {
  const keys = objects.filter(({ kind }) => kind === 'VirtualKey');
  const secrets: Record<string, Record<string, string>> = {};
  for (const { metadata } of keys)
    (secrets[`${metadata.namespace}/keys`] ??= {})[metadata.name] = valueOf(metadata.name);
  gateway.reload(withObjects(basicResources(mock.url, gatewaySpec), objects, secrets));
}

const everyone = (spec: Record<string, unknown>) => policy('everyone', { match: { everyone: {} }, ...spec });

const messages = (key: string, model = HAIKU) => post(gateway, bearer(valueOf(key)), messageBody({ model }));
const count = (key: string) => post(gateway, bearer(valueOf(key)), messageBody(), '/v1/messages/count_tokens');
const models = (key: string) => get(gateway, '/v1/models', bearer(valueOf(key)));
const health = (key: string) => get(gateway, '/v1/health', bearer(valueOf(key)));

async function doors(key: string): Promise<string> {
  const answers = await Promise.all([messages(key), count(key), models(key), health(key)]);
  return answers.map(({ status }) => status).join(' ');
}

describe('scopes', () => {
  test.each([
    [['read'], '403 200 200 200'],
    [['write'], '200 403 403 403'],
    [['read', 'write'], '200 200 200 200'],
    [['anthropic:read'], '403 200 200 200'],
    [['anthropic:write'], '200 403 403 403'],
    [['chat:read', 'chat:write'], '200 200 200 200'],
    [undefined, '200 200 200 200'],
  ])('[AUTHZ-15] of a key %j: messages, counting, models, health %s', async (scopes, expected) => {
    load([importedKey('scoped', scopes === undefined ? {} : { scopes })]);
    expect(await doors('scoped')).toBe(expected);
  });

  test.each([
    ['read', messages, 'write'],
    ['write', models, 'read'],
  ] as const)(
    '[AUTHZ-16] [AUTH-12] [ERR-03] a key with %s only is told which it lacks',
    async (scope, ask, lacking) => {
      load([importedKey('scoped', { scopes: [scope] })]);
      const answer = await ask('scoped');
      expect(refusalOf(answer)).toBe(
        `403 permission_error: this key lacks the scope ${lacking}: ask your platform team`,
      );
      expect(answer.headers['content-type']).toBe('application/json');
      expect(await recordOf(gateway, answer)).toMatchObject({ reason: 'scope', rule: 'default/scoped' });
    },
  );

  test('[AUTHZ-16] a policy may grant fewer than the key has, never more', async () => {
    load([everyone({ scopes: ['anthropic:read'] }), importedKey('both'), importedKey('writer', { scopes: ['write'] })]);
    expect(await doors('both')).toBe('403 200 200 200');
    expect(await doors('writer')).toBe('403 403 403 403');
    const answer = await messages('both');
    expect(refusalOf(answer)).toMatch(/403 permission_error: your policy does not grant the scope write/);
    expect(await recordOf(gateway, answer)).toMatchObject({ rule: 'default/everyone' });
  });
});

describe('endpoints', () => {
  test.each([
    [['Messages'], '200 403 403 200'],
    [['CountTokens'], '403 200 403 200'],
    [['Models'], '403 403 200 200'],
    [['Messages', 'Models'], '200 403 200 200'],
  ])('[AUTHZ-17] of a key %j: messages, counting, models, health %s', async (endpoints, expected) => {
    load([importedKey('narrow', { endpoints })]);
    expect(await doors('narrow')).toBe(expected);
  });

  test('[AUTHZ-17] [AUTH-12] the refusal names the endpoint and the key behind it', async () => {
    load([importedKey('narrow', { endpoints: ['Models'] })]);
    const answer = await messages('narrow');
    expect(refusalOf(answer)).toMatch(/^403 permission_error: this key may not use the endpoint Messages/);
    expect(await recordOf(gateway, answer)).toMatchObject({ reason: 'endpoint', rule: 'default/narrow' });
  });
});

describe('policies', () => {
  const team = importedKey('team', { owner: { type: 'Team', name: 'build' } });

  test('[AUTHZ-06] priority decides who is first, and everyone is what it merges over', async () => {
    load([
      everyone({ priority: 900, models: { allow: [HAIKU], deny: ['claude-3-*'] } }),
      policy('low', { priority: 1, match: { groups: ['build'] }, models: { allow: [HAIKU] } }),
      policy('high', { priority: 2, match: { groups: ['build'] }, models: { allow: ['claude-*'] } }),
      team,
      importedKey('other'),
    ]);
    expect((await messages('team', OPUS)).status).toBe(200);
    expect((await messages('other', OPUS)).status).toBe(400);
    const denied = await messages('team', 'claude-3-5-haiku-20241022');
    expect(denied.status).toBe(400);
    expect(await recordOf(gateway, denied)).toMatchObject({ rule: 'default/everyone' });
  });

  test('[AUTHZ-08] one policy by team, one by label, one by address, for keys alike', async () => {
    load([
      policy('by-team', { match: { groups: ['build'] }, models: { allow: [OPUS] } }),
      policy('by-label', { match: { keySelector: { matchLabels: { tier: 'low' } } }, models: { allow: [HAIKU] } }),
      policy('by-domain', { match: { emailDomains: ['@Corp.com'] }, models: { allow: ['claude-sonnet-*'] } }),
      team,
      importedKey('low', {}, { labels: { tier: 'low' } }),
      importedKey('ana', { owner: { type: 'User', name: 'ana@corp.COM' } }),
    ]);
    const reach = async (key: string) => {
      const { data } = JSON.parse((await models(key)).body.toString()) as { data: { id: string }[] };
      return data.map(({ id }) => id);
    };
    expect(await reach('team')).toEqual([OPUS]);
    expect(await reach('low')).toEqual([HAIKU]);
    expect((await reach('ana')).every((id) => id.startsWith('claude-sonnet-'))).toBe(true);
    expect((await messages('ana', HAIKU)).status).toBe(400);
  });

  test('[AUTHZ-08] a policy of another Gateway matches nobody here', async () => {
    load([
      object('Gateway', 'second', { publicUrl: 'http://127.0.0.1:2' }),
      policy('elsewhere', {
        gatewayRef: { name: 'second' },
        priority: 9,
        match: { groups: ['build'] },
        models: { allow: [OPUS] },
      }),
      everyone({ models: { allow: [HAIKU] } }),
      team,
    ]);
    expect((await messages('team', OPUS)).status).toBe(400);
    expect((await messages('team', HAIKU)).status).toBe(200);
  });

  test.each([
    [undefined, '403 permission_error'],
    ['Deny', '403 permission_error'],
    ['Allow', '200'],
  ])('[AUTHZ-09] [AUTH-12] a caller without a policy, defaultAccess %s: %s', async (defaultAccess, expected) => {
    load(
      [policy('everyone', { match: { groups: ['nobody'] } }), importedKey('lone')],
      defaultAccess === undefined ? {} : { defaultAccess },
    );
    const answer = await messages('lone');
    expect(outcomeOf(answer)).toBe(expected);
    if (expected === '200') return;
    expect(errorOf(answer).error.message).toBe('no policy of this gateway covers this key: ask your platform team');
    expect(await recordOf(gateway, answer)).toMatchObject({ reason: 'no_policy', rule: 'default/lone' });
  });

  test('[AUTH-12] [ERR-03] [AUTHZ-21] no upstream granted: 403 with the advice and the rule of who decided', async () => {
    load([
      policy('stranded', {
        match: { groups: ['build'] },
        upstreams: { selector: { matchLabels: { is: 'nowhere' } } },
        denyMessage: 'Ask #ai-platform.',
      }),
      team,
    ]);
    const answer = await messages('team');
    expect(refusalOf(answer)).toBe(
      '403 permission_error: no upstream of this gateway is granted to you. Ask #ai-platform.',
    );
    expect(await recordOf(gateway, answer)).toMatchObject({ reason: 'no_upstream', rule: 'default/stranded' });
  });
});

describe('tenants', () => {
  const admitting = {
    allowedNamespaces: { virtualKeys: { from: 'All' }, policies: { from: 'All' }, upstreams: { from: 'All' } },
  };
  const gatewayRef = { name: 'claude', namespace: 'default' };
  const inTenant = { namespace: 'team-a' };
  const credential = (name: string) => ({ type: 'Imported', imported: { secretRef: { name: 'keys', key: name } } });
  const tenantKey = (name: string, spec = {}, metadata = {}) =>
    object(
      'VirtualKey',
      name,
      { gatewayRef, owner: { type: 'Team', name: 'build' }, credential: credential(name), ...spec },
      { ...inTenant, ...metadata },
    );

  test('[AUTHZ-06] a policy of a tenant narrows its own keys and nobody else’s', async () => {
    load(
      [
        everyone({ models: { allow: ['claude-haiku-*', 'claude-sonnet-*'] } }),
        policy(
          'own',
          { gatewayRef, priority: 1000, match: { everyone: {} }, models: { allow: ['*'], deny: ['claude-sonnet-*'] } },
          inTenant,
        ),
        tenantKey('theirs'),
        importedKey('ours'),
      ],
      admitting,
    );
    expect((await messages('theirs', HAIKU)).status).toBe(200);
    expect((await messages('theirs', 'claude-sonnet-5-5')).status).toBe(400);
    expect((await messages('theirs', OPUS)).status).toBe(400);
    expect((await messages('ours', 'claude-sonnet-5-5')).status).toBe(200);
  });

  test('[AUTHZ-08] names, domains and labels a tenant writes do not make it somebody else', async () => {
    load(
      [
        everyone({ models: { allow: [HAIKU] } }),
        policy('team', { match: { groups: ['build'] }, models: { allow: ['*'] } }),
        policy('user', { match: { users: ['ana@corp.com'] }, models: { allow: ['*'] } }),
        policy('domain', { match: { emailDomains: ['corp.com'] }, models: { allow: ['*'] } }),
        policy('label', { match: { keySelector: { matchLabels: { tier: 'gold' } } }, models: { allow: ['*'] } }),
        tenantKey('as-team'),
        tenantKey('as-user', { owner: { type: 'User', name: 'ana@corp.com' } }),
        tenantKey('as-gold', {}, { labels: { tier: 'gold', team: 'payments' } }),
      ],
      admitting,
    );
    for (const key of ['as-team', 'as-user', 'as-gold']) {
      expect((await messages(key, HAIKU)).status).toBe(200);
      const denied = await messages(key, OPUS);
      expect([key, denied.status]).toEqual([key, 400]);
    }
    const record = await recordOf(gateway, await messages('as-user'));
    expect(record).toMatchObject({ user_id: 'team-a/ana@corp.com', key: 'team-a/as-user' });
    expect(record['email']).toBeUndefined();
  });

  test('[AUTHZ-03] what a tenant’s upstream calls models opens and closes nothing for others', async () => {
    load(
      [
        everyone({ models: { allow: ['claude-haiku-*', 'claude-sonnet-*'], deny: ['claude-opus-*'] } }),
        importedKey('ours'),
        upstream(
          'own',
          mock.url,
          {
            gatewayRef,
            anthropic: { auth: { type: 'APIKey', apiKey: { name: 'keys', key: 'theirs' } } },
            models: [
              { id: OPUS, upstreamId: HAIKU },
              { id: 'claude-sonnet-5-5', upstreamId: OPUS },
            ],
          },
          inTenant,
        ),
        tenantKey('theirs'),
      ],
      admitting,
    );
    expect((await messages('ours', OPUS)).status).toBe(400);
    expect((await messages('ours', 'claude-sonnet-5-5')).status).toBe(200);
    expect(mock.requests.at(-1)!.json()?.['model']).toBe('claude-sonnet-5-5');
  });
});

describe('attribution', () => {
  test.each([
    [
      'a user',
      { owner: { type: 'User', name: 'ana@corp.com' } },
      { team: 'core' },
      { user_id: 'ana@corp.com', email: 'ana@corp.com', owner_type: 'User', team: 'core' },
    ],
    [
      'a team',
      { owner: { type: 'Team', name: 'build' } },
      { team: 'other' },
      { user_id: 'build', owner_type: 'Team', team: 'build' },
    ],
    [
      'a service',
      { owner: { type: 'Service', name: 'ci' } },
      { team: 'core' },
      { user_id: 'ci', owner_type: 'Service', team: 'core' },
    ],
  ])('[AUDIT-05] %s: on served and refused calls of every kind', async (_name, spec, labels, expected) => {
    load([everyone({ models: { allow: [HAIKU] } }), importedKey('who', spec, { labels })]);
    const answers = [
      await messages('who'),
      await messages('who', OPUS),
      await count('who'),
      await models('who'),
      await get(gateway, '/nowhere', bearer(valueOf('who'))),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 400, 200, 404]);
    for (const answer of answers)
      expect(await recordOf(gateway, answer)).toMatchObject({ ...expected, key: 'default/who' });
  });

  test('[AUDIT-05] a team that a tenant wrote carries its namespace', async () => {
    load(
      [
        object(
          'VirtualKey',
          'theirs',
          {
            gatewayRef: { name: 'claude', namespace: 'default' },
            owner: { type: 'Service', name: 'ci' },
            credential: { type: 'Imported', imported: { secretRef: { name: 'keys', key: 'theirs' } } },
          },
          { namespace: 'team-a', labels: { team: 'payments' } },
        ),
      ],
      { allowedNamespaces: { virtualKeys: { from: 'All' } } },
    );
    expect(await recordOf(gateway, await messages('theirs'))).toMatchObject({
      user_id: 'team-a/ci',
      team: 'team-a/payments',
    });
  });

  test('[API-14] session and agents are recorded, and are nobody’s identity', async () => {
    load([importedKey('who')]);
    const named = {
      'X-Claude-Code-Session-Id': 's-1',
      'x-claude-code-agent-id': 'a-1',
      'x-claude-code-parent-agent-id': 'a-0',
    };
    const answer = await post(gateway, { ...bearer(valueOf('who')), ...named });
    expect(await recordOf(gateway, answer)).toMatchObject({
      session_id: 's-1',
      agent_id: 'a-1',
      parent_agent_id: 'a-0',
      user_id: 'who',
      key: 'default/who',
    });
    const alone = await post(gateway, named);
    expect(alone.status).toBe(401);
    const record = await recordOf(gateway, alone);
    expect(record['user_id']).toBeUndefined();
    expect(record).toMatchObject({ session_id: 's-1' });
    const posing = {
      ...bearer(valueOf('who')),
      'X-Claude-Code-Session-Id': 'default/ci',
      'x-user-id': 'root',
      'x-claude-gateway-user-id': 'root',
    };
    expect(await recordOf(gateway, await post(gateway, posing))).toMatchObject({ user_id: 'who', key: 'default/who' });
  });
});
