// Anthropic workload identity federation against a fake token endpoint.
import { expect, onTestFinished, test, vi } from 'vitest';
import { inspect } from 'node:util';
import { anthropicFederation, type AnthropicFederationSpec } from './anthropic-federation.ts';
import type { BearerSource } from './bearer-source.ts';
import { Refresher } from './refresher.ts';
import type { CredentialPorts } from './source.ts';
import { FakeClock, byName, endpoint, outgoing, ports, type Answer } from './testing.ts';

const SPEC: AnthropicFederationSpec = {
  type: 'AnthropicFederation',
  baseUrl: 'https://api.anthropic.com',
  federationRuleId: 'fdrl_1',
  organizationId: '00000000-0000-0000-0000-000000000001',
  tokenFile: '/var/run/secrets/anthropic/token',
};
const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJwb2QifQ.cGxhbnRlZA';

function source(given: Partial<CredentialPorts>, spec: Partial<AnthropicFederationSpec> = {}): BearerSource {
  const all = ports({ readFile: async () => JWT, ...given });
  const made = anthropicFederation('id', { ...SPEC, ...spec }, new Refresher(all.clock), all);
  onTestFinished(() => made.close());
  return made;
}

const token = (access_token: string, expires_in: unknown = 3600): Answer => ({
  body: JSON.stringify({ access_token, expires_in, token_type: 'Bearer' }),
});

test('[PROV-14] exchanges the projected token and sends the bearer with its beta', async () => {
  const exchange = await endpoint(() => token('sk-ant-oat01-planted'));
  const clock = new FakeClock();
  const made = source({ fetch: exchange.fetch, clock }, { workspaceId: 'wrkspc_1', serviceAccountId: 'svac_1' });
  await made.settled;
  const [asked] = exchange.asked;
  expect(asked).toMatchObject({ method: 'POST', url: '/v1/oauth/token', host: 'api.anthropic.com' });
  expect(asked!.headers['anthropic-beta']).toBe('oauth-2025-04-20,oidc-federation-2026-04-01');
  expect(JSON.parse(asked!.body)).toEqual({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: JWT,
    federation_rule_id: 'fdrl_1',
    organization_id: SPEC.organizationId,
    workspace_id: 'wrkspc_1',
    service_account_id: 'svac_1',
  });
  const request = outgoing();
  expect(made.authorize(request)).toBeUndefined();
  expect(byName(request.headers)).toMatchObject({
    authorization: 'Bearer sk-ant-oat01-planted',
    'anthropic-beta': 'oauth-2025-04-20',
  });
  expect(made.state()).toMatchObject({
    kind: 'AnthropicFederation',
    status: 'Valid',
    validUntil: clock.now() + 3_600_000,
  });
});

test('[PROV-14] workspace and service account are left out where none is set', async () => {
  const exchange = await endpoint(() => token('sk-ant-oat01-planted'));
  await source({ fetch: exchange.fetch }).settled;
  expect(Object.keys(JSON.parse(exchange.asked[0]!.body) as object)).toEqual([
    'grant_type',
    'assertion',
    'federation_rule_id',
    'organization_id',
  ]);
});

test.each([
  ['none', [], 'oauth-2025-04-20'],
  ['others', ['anthropic-beta', 'a-1, b-2'], 'a-1, b-2,oauth-2025-04-20'],
  ['the same already', ['anthropic-beta', 'a-1, oauth-2025-04-20'], 'a-1, oauth-2025-04-20'],
])('[PROV-14] keeps the betas of the call: %s', async (_name, headers, expected) => {
  const exchange = await endpoint(() => token('sk-ant-oat01-planted'));
  const made = source({ fetch: exchange.fetch });
  const request = outgoing({ headers: [...headers] });
  await made.authorize(request);
  expect(byName(request.headers)['anthropic-beta']).toBe(expected);
  expect(request.headers.filter((name) => name === 'anthropic-beta')).toHaveLength(1);
});

test('[PROV-14] is refreshed ahead of its end, and the token file read anew for it', async () => {
  const clock = new FakeClock();
  const exchange = await endpoint(() => token(`sk-ant-oat01-${exchange.asked.length}`));
  let file = 'first';
  const made = source({ fetch: exchange.fetch, clock, readFile: async () => `${file}\n` });
  await made.settled;
  file = 'rotated';
  await clock.advance(3_600_000 - 380_000);
  await vi.waitFor(async () => {
    await clock.advance(1_000);
    const request = outgoing();
    expect(made.authorize(request)).toBeUndefined();
    expect(byName(request.headers)['authorization']).toBe('Bearer sk-ant-oat01-2');
  });
  // A call that carries the old one may still be under way.
  for (const token of ['sk-ant-oat01-1', 'sk-ant-oat01-2']) expect(made.leaksInto(token)).toBe(true);
  const assertions = exchange.asked.map(({ body }) => (JSON.parse(body) as { assertion: string }).assertion);
  expect(assertions).toEqual(['first', 'rotated']);
});

test('[PROV-14] a token that the provider rejects is exchanged anew while it stays in use', async () => {
  const clock = new FakeClock();
  const exchange = await endpoint(() => token(`sk-ant-oat01-${exchange.asked.length}`));
  const made = source({ fetch: exchange.fetch, clock });
  await made.settled;
  await clock.advance(60_000);
  made.rejected();
  const sent = (): string | undefined => {
    const request = outgoing();
    expect(made.authorize(request)).toBeUndefined();
    return byName(request.headers)['authorization'];
  };
  expect(sent()).toBe('Bearer sk-ant-oat01-1');
  await vi.waitFor(() => expect(sent()).toBe('Bearer sk-ant-oat01-2'));
});

test('[PROV-14] 1,000 calls before the first token are one exchange', async () => {
  const exchange = await endpoint(() => token('sk-ant-oat01-planted'));
  const made = source({ fetch: exchange.fetch });
  await Promise.all(Array.from({ length: 1_000 }, async () => made.authorize(outgoing())));
  expect(exchange.asked).toHaveLength(1);
});

const refused = (status: number, body: unknown): Answer => ({ status, body: JSON.stringify(body) });
test.each<[string, Answer, string, string]>([
  [
    'a rule that does not match',
    refused(401, { type: 'error', error: { type: 'authentication_error', message: 'no rule' } }),
    'refused',
    'authentication_error: no rule',
  ],
  [
    'a bad grant',
    refused(400, { error: 'invalid_grant', error_description: 'assertion expired' }),
    'refused',
    'invalid_grant: assertion expired',
  ],
  ['too many exchanges', refused(429, {}), 'rate_limited', '429'],
  ['an endpoint that fails', { status: 503, body: '<html>' }, 'unavailable', '503'],
  ['a redirect', { status: 302, body: '', headers: { location: 'https://elsewhere.example/' } }, 'malformed', '302'],
  ['no JSON', { body: '<html>' }, 'malformed', 'without a token'],
  ['an answer without end', { body: ' '.repeat(2 * 1024 * 1024) }, 'malformed', 'without a token'],
  ['no token', refused(200, { expires_in: 60 }), 'malformed', 'without a token'],
  ['a token that would break the header', token('sk\r\nx-evil: 1'), 'malformed', 'without a token'],
  ['no lifetime', refused(200, { access_token: 'sk-ant-oat01-planted' }), 'malformed', 'how long'],
  [
    'a token of another type',
    refused(200, { access_token: 'x', expires_in: 60, token_type: 'mac' }),
    'malformed',
    'bearer',
  ],
  ['a lifetime that is over', token('sk-ant-oat01-planted', 0), 'expired', 'clock'],
])('tells apart: %s', async (_name, answer, code, words) => {
  const exchange = await endpoint(() => answer);
  const made = source({ fetch: exchange.fetch });
  await made.settled;
  expect(made.state()).toMatchObject({ status: 'Unusable', fault: { code, message: expect.stringContaining(words) } });
  await expect(made.authorize(outgoing())).rejects.toMatchObject({ code });
  expect(exchange.asked).toHaveLength(1);
});

test.each([
  ['a token file that is not there', { readFile: ports().readFile }, 'token_file'],
  ['a token file far too long', { readFile: async () => 'x'.repeat(20_000) }, 'token_file'],
  ['an endpoint out of reach', {}, 'unreachable'],
])('tells apart: %s', async (_name, given, code) => {
  const made = source(given);
  await made.settled;
  expect(made.state().fault?.code).toBe(code);
});

test('[SEC-21] sends no assertion in clear text', async () => {
  const exchange = await endpoint(() => token('sk-ant-oat01-planted'));
  const made = source({ fetch: exchange.fetch }, { baseUrl: 'http://api.anthropic.example' });
  await made.settled;
  expect([made.state().fault?.code, exchange.asked.length]).toEqual(['incomplete', 0]);
});

test('[SEC-21] no secret shows in inspection, JSON, state or an error that repeats what was sent', async () => {
  const exchange = await endpoint(({ body }) =>
    exchange.asked.length === 1
      ? token('sk-ant-oat01-planted')
      : refused(400, { error: 'invalid_grant', error_description: body }),
  );
  const good = source({ fetch: exchange.fetch });
  await good.settled;
  const bad = source({ fetch: exchange.fetch });
  await bad.settled;
  const shown = [good, bad].map(
    (each) => inspect(each, { depth: 9, showHidden: true }) + JSON.stringify([each, each.state()]),
  );
  for (const secret of ['sk-ant-oat01-planted', JWT]) expect(shown.join()).not.toContain(secret);
  expect(good.leaksInto('you sent sk-ant-oat01-planted')).toBe(true);
  expect(good.leaksInto(Buffer.from('you sent nothing'))).toBe(false);
});
