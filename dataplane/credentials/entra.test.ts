// Entra tokens for Foundry against a fake authority and a fake metadata service.
import { expect, onTestFinished, test } from 'vitest';
import type { BearerSource } from './bearer-source.ts';
import { entra, type EntraSpec } from './entra.ts';
import { Refresher } from './refresher.ts';
import type { CredentialPorts } from './source.ts';
import { FakeClock, byName, endpoint, outgoing, ports } from './testing.ts';

const WORKLOAD = { type: 'WorkloadIdentity', tenantId: 'tenant-1', clientId: 'client-1', tokenFile: '/t' } as const;

function source(spec: Omit<EntraSpec, 'type'>, given: Partial<CredentialPorts>): BearerSource {
  const all = ports({ readFile: async () => 'eyJ-projected', ...given });
  const made = entra('id', { type: 'Entra', ...spec }, new Refresher(all.clock), all);
  onTestFinished(() => made.close());
  return made;
}

test('workload identity: the projected token for an access token, sent as a bearer', async () => {
  const authority = await endpoint(() => ({
    body: JSON.stringify({
      token_type: 'Bearer',
      expires_in: 3599,
      ext_expires_in: 3599,
      access_token: 'entra-planted',
    }),
  }));
  const clock = new FakeClock();
  const made = source({ identity: WORKLOAD }, { fetch: authority.fetch, clock });
  const request = outgoing();
  await made.authorize(request);
  expect(byName(request.headers)['authorization']).toBe('Bearer entra-planted');
  expect(made.state()).toMatchObject({ kind: 'Entra', validUntil: clock.now() + 3_599_000 });
  const [asked] = authority.asked;
  expect(asked).toMatchObject({
    host: 'login.microsoftonline.com',
    url: '/tenant-1/oauth2/v2.0/token',
    method: 'POST',
  });
  expect(Object.fromEntries(new URLSearchParams(asked!.body))).toEqual({
    grant_type: 'client_credentials',
    client_id: 'client-1',
    scope: 'https://ai.azure.com/.default',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: 'eyJ-projected',
  });
});

test('sovereign clouds: another authority and another audience', async () => {
  const authority = await endpoint(() => ({ body: JSON.stringify({ expires_in: 60, access_token: 'entra-planted' }) }));
  const made = source(
    { identity: { ...WORKLOAD, authority: 'https://login.microsoftonline.us' }, audience: 'https://ai.azure.us' },
    { fetch: authority.fetch },
  );
  await made.settled;
  expect(authority.asked[0]!.host).toBe('login.microsoftonline.us');
  expect(new URLSearchParams(authority.asked[0]!.body).get('scope')).toBe('https://ai.azure.us/.default');
});

test.each([
  ['the only one', {}, null],
  ['one of several', { clientId: 'client-2' }, 'client-2'],
])('managed identity, %s: the metadata service, never through a proxy', async (_name, extra, expected) => {
  const metadata = await endpoint(({ headers }) =>
    headers['metadata'] === 'true'
      ? { body: JSON.stringify({ access_token: 'entra-planted', expires_in: '86399', token_type: 'Bearer' }) }
      : { status: 400, body: '{}' },
  );
  const clock = new FakeClock();
  const made = source({ identity: { type: 'ManagedIdentity', ...extra } }, { fetchLocal: metadata.fetch, clock });
  const request = outgoing();
  await made.authorize(request);
  expect(byName(request.headers)['authorization']).toBe('Bearer entra-planted');
  expect(made.state().validUntil).toBe(clock.now() + 86_399_000);
  const asked = new URL(metadata.asked[0]!.url, 'http://x');
  expect(metadata.asked[0]!.host).toBe('169.254.169.254');
  expect(asked.pathname).toBe('/metadata/identity/oauth2/token');
  expect([asked.searchParams.get('resource'), asked.searchParams.get('client_id')]).toEqual([
    'https://ai.azure.com',
    expected,
  ]);
});

test('what the authority says of a refusal is kept, codes and all', async () => {
  const authority = await endpoint(() => ({
    status: 401,
    body: JSON.stringify({
      error: 'invalid_client',
      error_description: 'AADSTS700213: No matching federated identity record',
    }),
  }));
  const made = source({ identity: WORKLOAD }, { fetch: authority.fetch });
  await made.settled;
  expect(made.state().fault).toMatchObject({ code: 'refused', message: expect.stringContaining('AADSTS700213') });
});

test('a machine without managed identity says so', async () => {
  const made = source({ identity: { type: 'ManagedIdentity' } }, {});
  await made.settled;
  expect(made.state().fault).toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('no managed identity'),
  });
});
