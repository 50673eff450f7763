// The order of decisions: requests that are wrong in every combination of ways, and which of the faults is answered.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { basicResources, importedKey, policy, upstream, withObjects, type Resources } from '../harness/gateway.ts';
import { bearer, get, post, recordOf } from './caller.ts';
import { errorOf, messageBody } from './routing.ts';
import { startScene } from './scene.ts';

/** The steps in their order: what is wrong, and the answer that tells so. */
const STEPS = [
  { fault: 'credential', status: 401, type: 'authentication_error', reason: 'unknown_key' },
  { fault: 'revoked', status: 401, type: 'authentication_error', reason: 'revoked_key' },
  { fault: 'disabled', status: 403, type: 'permission_error', reason: 'disabled_key' },
  { fault: 'address', status: 403, type: 'permission_error', reason: 'network' },
  { fault: 'scope', status: 403, type: 'permission_error', reason: 'scope' },
  { fault: 'model', status: 400, type: 'invalid_request_error', reason: 'denied_model' },
  { fault: 'upstreams', status: 403, type: 'permission_error', reason: 'no_upstream' },
  { fault: 'provider', status: 529, type: 'overloaded_error', reason: 'upstream_529' },
] as const;
type Fault = (typeof STEPS)[number]['fault'];
const FAULTS = STEPS.map(({ fault }) => fault);
/** Faults that lie in the key, so that each combination needs a key of its own. */
const OF_KEY: readonly Fault[] = ['revoked', 'disabled', 'address', 'scope', 'upstreams'];

function subsets(faults: readonly Fault[]): Fault[][] {
  return faults.reduce<Fault[][]>((all, fault) => [...all, ...all.map((each) => [...each, fault])], [[]]);
}

function keyName(faults: readonly Fault[]): string {
  return ['k', ...OF_KEY.filter((fault) => faults.includes(fault))].join('-');
}

function keyValue(name: string): string {
  return `sk-pc-${createHash('sha256').update(name).digest('hex')}`;
}

function resources(upstreamUrl: string): Resources {
  // A key cannot be revoked and disabled at once.
  const keys = subsets(OF_KEY).filter((faults) => !(faults.includes('revoked') && faults.includes('disabled')));
  const objects = keys.map((faults) =>
    importedKey(
      keyName(faults),
      {
        state: faults.includes('revoked') ? 'Revoked' : faults.includes('disabled') ? 'Disabled' : 'Active',
        ...(faults.includes('address') ? { network: { allow: ['192.0.2.0/24'] } } : {}),
        ...(faults.includes('scope') ? { scopes: ['read'] } : {}),
      },
      { labels: faults.includes('upstreams') ? { reach: 'none' } : {} },
    ),
  );
  const values = Object.fromEntries(keys.map((faults) => [keyName(faults), keyValue(keyName(faults))]));
  return withObjects(
    basicResources(upstreamUrl),
    [
      ...objects,
      policy('everyone', { match: { everyone: {} }, models: { allow: ['claude-*'], deny: ['claude-opus-*'] } }),
      policy('stranded', {
        match: { keySelector: { matchLabels: { reach: 'none' } } },
        upstreams: { selector: { matchLabels: { is: 'nowhere' } } },
      }),
      upstream('anthropic', upstreamUrl, { retries: { connect: 0 } }),
    ],
    { 'default/keys': values },
  );
}

const { mock, gateway } = await startScene(resources);

function ask(faults: readonly Fault[], path = '/v1/messages') {
  mock.behave(() => (faults.includes('provider') ? { kind: 'status', status: 529 } : { kind: 'text' }));
  const credential = keyValue(faults.includes('credential') ? 'nobody' : keyName(faults));
  const model = faults.includes('model') ? 'claude-opus-5-5' : 'claude-sonnet-5-5';
  return post(gateway, bearer(credential), messageBody({ model }), path);
}

describe('of several faults the first step answers', () => {
  const combinations = subsets(FAULTS).filter(
    (faults) => !(faults.includes('revoked') && faults.includes('disabled')) && faults.length > 0,
  );
  // One test a first fault; each tries it with every combination of later ones.
  test.each(STEPS)('[AUTHZ-20] $fault: $status $type', async ({ fault, status, type, reason }) => {
    const mine = combinations.filter((faults) => FAULTS.find((each) => faults.includes(each)) === fault);
    for (const faults of mine) {
      const received = mock.received();
      const answer = await ask(faults);
      expect([faults, answer.status, errorOf(answer).error.type]).toEqual([faults, status, type]);
      expect([faults, (await recordOf(gateway, answer))['reason']]).toEqual([faults, reason]);
      expect(mock.received() - received).toBe(fault === 'provider' ? 1 : 0);
    }
    expect(mine.length).toBeGreaterThan(0);
  });

  test('[AUTHZ-20] no fault, no refusal', async () => {
    expect((await ask([])).status).toBe(200);
  });

  test('[AUTHZ-20] counting takes the same steps, and reading is enough for it', async () => {
    const path = '/v1/messages/count_tokens';
    expect((await ask([], path)).status).toBe(200);
    expect((await ask(['scope'], path)).status).toBe(200);
    expect((await ask(['address', 'model', 'upstreams'], path)).status).toBe(403);
    expect((await ask(['model', 'upstreams'], path)).status).toBe(400);
    expect((await ask(['upstreams'], path)).status).toBe(403);
  });

  test('[AUTHZ-20] the list of models takes the steps of the caller before it looks at a name', async () => {
    const status = async (faults: Fault[], path: string) =>
      (await get(gateway, path, bearer(keyValue(keyName(faults))))).status;
    for (const path of ['/v1/models', '/v1/models/claude-sonnet-5-5', '/v1/models/nobody-knows-it', '/v1/health']) {
      expect([path, await status(['revoked', 'address'], path)]).toEqual([path, 401]);
      expect([path, await status(['disabled', 'address'], path)]).toEqual([path, 403]);
      expect([path, await status(['address', 'upstreams'], path)]).toEqual([path, 403]);
    }
  });
});

describe('around these steps', () => {
  test('[AUTHZ-20] the listener’s networks come before the credential', async () => {
    const guarded = resources(mock.url);
    const [spec] = guarded.objects.filter(({ kind }) => kind === 'Gateway');
    const listen = { access: { deny: ['127.0.0.0/8'] } };
    gateway.reload(withObjects(guarded, [{ ...spec!, spec: { ...(spec!.spec as object), listen } }]));
    const answer = await ask(['credential', 'model']);
    expect([answer.status, (await recordOf(gateway, answer))['rule']]).toEqual([403, 'listen.access']);
    gateway.reload(guarded);
  });

  test('[AUTHZ-20] a body is looked at only when its sender may send one', async () => {
    for (const faults of [['credential'], ['disabled'], ['address'], ['scope']] as Fault[][]) {
      const key = keyValue(faults.includes('credential') ? 'nobody' : keyName(faults));
      const broken = await post(gateway, bearer(key), '{"model":');
      expect(broken.status).toBe(STEPS.find(({ fault }) => faults.includes(fault))!.status);
    }
    expect((await post(gateway, bearer(keyValue('k')), '{"model":')).status).toBe(400);
  });

  test('[AUTHZ-20] a model that is not known is told before a missing upstream', async () => {
    const answer = await post(gateway, bearer(keyValue('k-upstreams')), messageBody({ model: 'gpt-9' }));
    expect([answer.status, (await recordOf(gateway, answer))['reason']]).toEqual([400, 'unknown_model']);
  });
});
