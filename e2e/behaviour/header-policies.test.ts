// Policies for calls with a header of the client's own, from the manifest to the answer: they narrow and never grant.
import { expect, test } from 'vitest';
import { basicResources, CI_KEY, policy, upstream, withObjects } from '../harness/gateway.ts';
import { bearer, get, post, recordOf, refusalOf, type Headers } from './caller.ts';
import { messageBody } from './routing.ts';
import { startScene } from './scene.ts';

const HAIKU = 'claude-haiku-5-5';
const OPUS = 'claude-opus-5-5';
const { mock, gateway } = await startScene();

const load = (...policies: Parameters<typeof withObjects>[1]): void =>
  gateway.reload(withObjects(basicResources(mock.url), policies));
const ask = (headers: Headers, model = HAIKU) =>
  post(gateway, { ...bearer(CI_KEY), ...headers }, messageBody({ model }));
const tenant = (...values: string[]) => ({ match: { everyone: {}, headers: [{ name: 'x-tenant', values }] } });

test('[AUTH-31] a client header narrows what its key may do, in calls and lists, and never adds to it', async () => {
  load(
    policy('everyone', { match: { everyone: {} }, models: { allow: ['claude-haiku-*'] } }),
    policy('search', { ...tenant('search'), models: { allow: ['claude-opus-*'] }, denyMessage: 'Ask #search.' }),
    policy('build', { ...tenant('build', 'ci'), models: { allow: [OPUS, HAIKU] } }),
  );
  expect((await ask({})).status).toBe(200);
  expect((await ask({ 'x-tenant': 'nobody' })).status).toBe(200);
  expect((await ask({ 'X-Tenant': 'ci' })).status).toBe(200);
  expect((await ask({ 'x-tenant': 'ci' }, OPUS)).status).toBe(400);
  const refused = await ask({ 'x-tenant': 'search' });
  expect(refusalOf(refused)).toBe(`400 invalid_request_error: model ${HAIKU} is not allowed for you. Ask #search.`);
  expect(await recordOf(gateway, refused)).toMatchObject({ reason: 'denied_model', rule: 'default/search' });
  const list = await get(gateway, '/v1/models', { ...bearer(CI_KEY), 'x-tenant': 'search' });
  expect(JSON.parse(list.body.toString())).toMatchObject({ data: [] });
});

test('[AUTH-31] on its own one grants nothing', async () => {
  load(policy('everyone', tenant('a')));
  expect((await ask({ 'x-tenant': 'a' })).status).toBe(403);
});

test('[AUTH-31] [ROUTE-30] a route header leads to the upstream it stands for, and to no other', async () => {
  const route = (name: string) =>
    policy(name, {
      match: { everyone: {}, headers: [{ name: 'x-org-route', values: [name] }] },
      upstreams: { names: [name] },
    });
  load(
    upstream('eu', mock.url, { priority: 50 }),
    upstream('closed', mock.url),
    policy('everyone', { match: { everyone: {} }, upstreams: { names: ['anthropic', 'eu'] } }),
    route('eu'),
    route('closed'),
  );
  const servedBy = async (headers: Headers) => (await recordOf(gateway, await ask(headers)))['upstream'];
  expect(await servedBy({})).toBe('default/anthropic');
  expect(await servedBy({ 'x-org-route': 'us' })).toBe('default/anthropic');
  expect(await servedBy({ 'x-org-route': 'eu' })).toBe('default/eu');
  const refused = await ask({ 'x-org-route': 'closed' });
  expect([refused.status, (await recordOf(gateway, refused))['rule']]).toEqual([403, 'default/closed']);
});
