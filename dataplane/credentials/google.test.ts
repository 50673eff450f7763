// Google credentials against fake token endpoints; what is signed is checked with the public key.
import { createVerify, generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SecretText } from '#shared/secret-text.ts';
import type { BearerSource } from './bearer-source.ts';
import { google, type GoogleSpec } from './google.ts';
import { Refresher } from './refresher.ts';
import type { CredentialPorts } from './source.ts';
import { FakeClock, byName, endpoint, outgoing, ports, type Asked } from './testing.ts';

const PAIR = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PRIVATE_KEY = PAIR.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const SERVICE_ACCOUNT = {
  type: 'service_account',
  project_id: 'project-1',
  private_key_id: 'key-1',
  private_key: PRIVATE_KEY,
  client_email: 'gateway@project-1.iam.gserviceaccount.com',
  token_uri: 'https://thief.example/token',
};
const AUDIENCE = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/eks';

function source(identity: GoogleSpec['identity'], given: Partial<CredentialPorts>): BearerSource {
  const all = ports(given);
  const made = google('id', { type: 'Google', identity }, new Refresher(all.clock), all);
  onTestFinished(() => made.close());
  return made;
}

async function bearerOf(made: BearerSource): Promise<string | undefined> {
  const request = outgoing();
  await made.authorize(request);
  return byName(request.headers)['authorization'];
}

const json = (body: unknown, status = 200) => ({
  status,
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
});
const token = () => json({ access_token: 'ya29.planted', expires_in: 3600, token_type: 'Bearer' });

/** The claims of an assertion, when its signature is good. */
function claims({ body }: Asked): Record<string, unknown> {
  const assertion = new URLSearchParams(body).get('assertion') ?? (JSON.parse(body) as { assertion: string }).assertion;
  const [head, payload, signature] = assertion.split('.');
  const good = createVerify('RSA-SHA256').update(`${head}.${payload}`).verify(PAIR.publicKey, signature!, 'base64url');
  expect(good).toBe(true);
  return JSON.parse(Buffer.from(payload!, 'base64url').toString()) as Record<string, unknown>;
}

describe('a service account key', () => {
  test('signs an assertion for Google, and its token is sent as a bearer', async () => {
    const oauth = await endpoint(token);
    const clock = new FakeClock();
    const key = new SecretText(JSON.stringify(SERVICE_ACCOUNT));
    const made = source({ type: 'ServiceAccountKey', key }, { fetch: oauth.fetch, clock });
    expect(await bearerOf(made)).toBe('Bearer ya29.planted');
    expect(oauth.asked[0]!.host).toBe('oauth2.googleapis.com');
    expect(claims(oauth.asked[0]!)).toMatchObject({
      iss: SERVICE_ACCOUNT.client_email,
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      aud: 'https://oauth2.googleapis.com/token',
      iat: clock.now() / 1000,
      exp: clock.now() / 1000 + 3600,
    });
    expect(made.state()).toMatchObject({ kind: 'Google', validUntil: clock.now() + 3_600_000 });
  });

  test.each<[string, string, string]>([
    ['no JSON', PRIVATE_KEY, 'not a JSON object'],
    ['another type', JSON.stringify({ ...SERVICE_ACCOUNT, type: 'external_account' }), 'service_account'],
    ['no key', JSON.stringify({ ...SERVICE_ACCOUNT, private_key: undefined }), 'private_key'],
    ['no address', JSON.stringify({ ...SERVICE_ACCOUNT, client_email: '' }), 'client_email'],
    ['a key that is none', JSON.stringify({ ...SERVICE_ACCOUNT, private_key: 'planted-not-a-key' }), 'private key'],
  ])('is incomplete with %s, in words that repeat nothing of it', async (_name, text, words) => {
    const oauth = await endpoint(token);
    const made = source({ type: 'ServiceAccountKey', key: new SecretText(text) }, { fetch: oauth.fetch });
    await made.settled;
    expect(made.state().fault).toMatchObject({ code: 'incomplete', message: expect.stringContaining(words) });
    expect(made.state().fault!.message).not.toMatch(/BEGIN|planted/);
    expect(oauth.asked).toHaveLength(0);
  });

  test.each([
    [
      json({ error: 'invalid_grant', error_description: 'Invalid JWT Signature.' }, 400),
      'refused',
      'invalid_grant: Invalid JWT',
    ],
    [json({}, 429), 'rate_limited', '429'],
    [json({}, 500), 'unavailable', '500'],
  ])('a refusal is told apart, asked once and shows no assertion: %#', async (answer, code, words) => {
    const oauth = await endpoint(() => answer);
    const key = new SecretText(JSON.stringify(SERVICE_ACCOUNT));
    const made = source({ type: 'ServiceAccountKey', key }, { fetch: oauth.fetch });
    await made.settled;
    expect(made.state().fault).toMatchObject({ code, message: expect.stringContaining(words) });
    expect(inspect(made, { depth: 12, showHidden: true }) + JSON.stringify(made.state())).not.toMatch(/eyJ|BEGIN/);
    expect(oauth.asked).toHaveLength(1);
  });

  test('Google out of reach', async () => {
    const made = source({ type: 'ServiceAccountKey', key: new SecretText(JSON.stringify(SERVICE_ACCOUNT)) }, {});
    await made.settled;
    expect(made.state().fault).toMatchObject({ code: 'unreachable' });
  });
});

describe('[PROV-27] workload identity federation', () => {
  const identity = { type: 'WorkloadIdentity', audience: AUDIENCE, tokenFile: '/t' } as const;
  const federated = () =>
    json({ access_token: 'federated', expires_in: 3600, issued_token_type: 'x', token_type: 'Bearer' });

  test('[PROV-27] the projected token of another cloud is exchanged at Google', async () => {
    const sts = await endpoint(federated);
    const made = source(identity, { fetch: sts.fetch, readFile: async () => 'eyJ-projected\n' });
    expect(await bearerOf(made)).toBe('Bearer federated');
    expect(sts.asked[0]).toMatchObject({ host: 'sts.googleapis.com', url: '/v1/token' });
    expect(Object.fromEntries(new URLSearchParams(sts.asked[0]!.body))).toMatchObject({
      audience: AUDIENCE,
      subject_token: 'eyJ-projected',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    });
  });

  test('[PROV-27] and acts as a service account where one is named', async () => {
    const clock = new FakeClock();
    const end = new Date(clock.now() + 3_600_000).toISOString();
    const google = await endpoint(({ host }) =>
      host === 'sts.googleapis.com' ? federated() : json({ accessToken: 'impersonated', expireTime: end }),
    );
    const made = source(
      { ...identity, serviceAccount: 'sa@project-1.iam.gserviceaccount.com' },
      { fetch: google.fetch, readFile: async () => 'eyJ-projected', clock },
    );
    expect(await bearerOf(made)).toBe('Bearer impersonated');
    expect(made.state().validUntil).toBe(clock.now() + 3_600_000);
    expect(google.asked[1]).toMatchObject({
      host: 'iamcredentials.googleapis.com',
      url: '/v1/projects/-/serviceAccounts/sa%40project-1.iam.gserviceaccount.com:generateAccessToken',
    });
    expect(google.asked[1]!.headers.authorization).toBe('Bearer federated');
  });
});

describe('application default credentials', () => {
  test('the metadata server of the machine, never through a proxy', async () => {
    const metadata = await endpoint(({ headers }) =>
      headers['metadata-flavor'] === 'Google' ? token() : json({}, 403),
    );
    expect(await bearerOf(source({ type: 'Default' }, { fetchLocal: metadata.fetch }))).toBe('Bearer ya29.planted');
    expect(metadata.asked[0]).toMatchObject({
      host: 'metadata.google.internal',
      url: '/computeMetadata/v1/instance/service-accounts/default/token',
    });
  });

  test('[PROV-26] a machine without one says so at load', async () => {
    const made = source({ type: 'Default' }, {});
    await made.settled;
    expect(made.state()).toMatchObject({ status: 'Unusable', fault: { code: 'not_found' } });
  });

  const IMPERSONATE = 'https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts';
  test.each<[string, object, string]>([
    ['a service account', SERVICE_ACCOUNT, 'oauth2.googleapis.com'],
    [
      'a developer',
      { type: 'authorized_user', client_id: 'c', client_secret: 's', refresh_token: 'r' },
      'oauth2.googleapis.com',
    ],
    [
      'an external account',
      {
        type: 'external_account',
        audience: AUDIENCE,
        credential_source: { file: '/t' },
        token_url: 'https://thief.example/',
      },
      'sts.googleapis.com',
    ],
  ])('a file that the environment names, of %s', async (_name, file, host) => {
    const google = await endpoint(token);
    const made = source(
      { type: 'Default' },
      {
        fetch: google.fetch,
        googleCredentialsFile: '/adc.json',
        readFile: async (path) => (path === '/adc.json' ? JSON.stringify(file) : 'eyJ-projected'),
      },
    );
    expect(await bearerOf(made)).toBe('Bearer ya29.planted');
    expect(google.asked.map((asked) => asked.host)).toEqual([host]);
  });

  test('a file of an external account that acts as a service account', async () => {
    const clock = new FakeClock();
    const google = await endpoint(({ host }) =>
      host === 'sts.googleapis.com'
        ? token()
        : json({ accessToken: 'impersonated', expireTime: new Date(clock.now() + 60_000).toISOString() }),
    );
    const file = {
      type: 'external_account',
      audience: AUDIENCE,
      credential_source: { file: '/t' },
      service_account_impersonation_url: `${IMPERSONATE}/sa@p.iam.gserviceaccount.com:generateAccessToken`,
    };
    const readFile = async (path: string): Promise<string> => (path === '/adc.json' ? JSON.stringify(file) : 'eyJ');
    const made = source(
      { type: 'Default' },
      { fetch: google.fetch, googleCredentialsFile: '/adc.json', readFile, clock },
    );
    expect(await bearerOf(made)).toBe('Bearer impersonated');
  });

  test.each<[string, object | undefined, string]>([
    ['that is not there', undefined, 'not_found'],
    ['of another type', { type: 'gdch_service_account' }, 'incomplete'],
    [
      'that runs a program',
      { type: 'external_account', audience: AUDIENCE, credential_source: { executable: {} } },
      'incomplete',
    ],
    [
      'that impersonates elsewhere',
      {
        type: 'external_account',
        audience: AUDIENCE,
        credential_source: { file: '/t' },
        service_account_impersonation_url: `${IMPERSONATE}/`,
      },
      'incomplete',
    ],
  ])('a file %s', async (_name, file, code) => {
    const made = source(
      { type: 'Default' },
      {
        googleCredentialsFile: '/adc.json',
        readFile: file === undefined ? ports().readFile : async () => JSON.stringify(file),
      },
    );
    await made.settled;
    expect(made.state().fault?.code).toBe(code);
  });
});
