// AWS credentials against fakes of STS, the container endpoint and the instance metadata service; what a call carries is checked as the
// provider checks it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { SecretText } from '#shared/secret-text.ts';
import { AwsSource, type AwsSpec } from './aws-source.ts';
import { accessKey, type AwsIdentity } from './aws-keys.ts';
import { Refresher } from './refresher.ts';
import type { AwsKeys } from './sigv4.ts';
import type { CredentialPorts } from './source.ts';
import {
  FakeClock,
  byName,
  endpoint,
  outgoing,
  ports,
  settle,
  systemClock,
  type Asked,
  type Answer,
} from './testing.ts';
import { signatureFault } from './testing-signature.ts';

const HOUR = 3_600_000;
const REGION = 'eu-central-1';
const STATIC: AwsKeys = {
  accessKeyId: 'AKIAEXAMPLE000000001',
  secretAccessKey: new SecretText('planted-static-secret'),
  sessionToken: undefined,
};

beforeEach(() => {
  // The SDK's chain looks at the environment of the machine the tests run on.
  for (const name of Object.keys(process.env).filter((name) => name.startsWith('AWS_'))) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent/credentials');
  vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent/config');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  return () => vi.unstubAllEnvs();
});

function source(identity: AwsIdentity, given: Partial<CredentialPorts> = {}, spec: Partial<AwsSpec> = {}): AwsSource {
  const given_ = ports({ clock: systemClock, readFile: (path) => readFile(path, 'utf8'), ...given });
  const made = new AwsSource(
    'id',
    { type: 'AWS', region: REGION, service: 'bedrock', identity, ...spec },
    new Refresher(given_.clock),
    given_,
  );
  onTestFinished(() => made.close());
  return made;
}

/** What the provider finds wrong with the signature of a call. */
async function faultOf(
  made: AwsSource,
  keys: AwsKeys,
  caller = 'ada',
  service = 'bedrock',
): Promise<string | undefined> {
  const request = outgoing();
  await made.authorize(request, caller);
  const received = { ...request, url: request.path, host: 'upstream.example', headers: byName(request.headers) };
  return signatureFault(received, { keys, service, region: REGION });
}

function keysOf(name: string): AwsKeys {
  return {
    accessKeyId: `ASIA${name
      .toUpperCase()
      .replace(/[^A-Z0-9]/g, '0')
      .padEnd(16, '0')}`,
    secretAccessKey: new SecretText(`planted-secret-${name}`),
    sessionToken: new SecretText(`planted-session-${name}`),
  };
}

/** STS: the keys it gives are named after the session. */
function stsAnswer(asked: Asked, lifetime = HOUR, now = Date.now()): Answer {
  const form = new URLSearchParams(asked.body);
  const action = form.get('Action')!;
  const keys = keysOf(form.get('RoleSessionName')!);
  return {
    headers: { 'content-type': 'text/xml', date: new Date(now).toUTCString() },
    body: `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result><Credentials>
      <AccessKeyId>${keys.accessKeyId}</AccessKeyId><SecretAccessKey>${keys.secretAccessKey.reveal()}</SecretAccessKey>
      <SessionToken>${keys.sessionToken!.reveal()}</SessionToken><Expiration>${new Date(now + lifetime).toISOString()}</Expiration>
      </Credentials></${action}Result></${action}Response>`,
  };
}

function stsError(status: number, code: string, message: string): Answer {
  return {
    status,
    headers: { 'content-type': 'text/xml' },
    body: `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`,
  };
}

function metadataKeys(keys: AwsKeys, extra: Record<string, string> = {}): string {
  return JSON.stringify({
    AccessKeyId: keys.accessKeyId,
    SecretAccessKey: keys.secretAccessKey.reveal(),
    Token: keys.sessionToken!.reveal(),
    Expiration: new Date(Date.now() + HOUR).toISOString(),
    ...extra,
  });
}

function tokenFile(text: string): { path: string; write(text: string): void } {
  const folder = mkdtempSync(join(tmpdir(), 'token-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'token');
  const write = (text: string): void => writeFileSync(path, text);
  write(text);
  return { path, write };
}

describe('[PROV-05] a key pair from a Secret', () => {
  test.each(['bedrock', 'bedrock-mantle', 'aws-external-anthropic'])(
    '[PROV-05] signs for region and service %s without waiting',
    async (service) => {
      const made = source({ type: 'AccessKey', keys: STATIC }, {}, { service });
      await made.settled;
      expect(made.authorize(outgoing(), 'ada')).toBeUndefined();
      expect(await faultOf(made, STATIC, 'ada', service)).toBeUndefined();
      expect(made.state()).toEqual({ kind: 'AWS', status: 'Valid', validUntil: undefined, fault: undefined });
    },
  );

  test('[PROV-05] carries a session token', async () => {
    const keys = { ...STATIC, sessionToken: new SecretText('planted-session-token') };
    expect(await faultOf(source({ type: 'AccessKey', keys }), keys)).toBeUndefined();
    expect(await faultOf(source({ type: 'AccessKey', keys }), STATIC)).toBe('session token');
  });

  const [id, secret, session] = ['AKIAEXAMPLE', 'planted-secret', 'planted-session'].map(
    (text) => new SecretText(text),
  );
  test.each([
    ['no secret', { accessKeyId: id }, 'secret access key'],
    ['no id', { secretAccessKey: secret }, 'access key id'],
    ['an empty secret', { accessKeyId: id, secretAccessKey: new SecretText(' \n') }, 'secret access key'],
    ['only a session token', { sessionToken: session }, 'session token needs'],
    ['a session token and half a pair', { sessionToken: session, accessKeyId: id }, 'secret access key'],
    ['nothing', {}, 'access key id and the secret'],
  ])('[PROV-05] is refused with %s', (_name, parts, words) => {
    expect(() => accessKey(parts)).toThrow(
      expect.objectContaining({ code: 'incomplete', message: expect.stringContaining(words) }),
    );
  });

  test('[PROV-05] is taken whole, without the line feed of a file', () => {
    const keys = accessKey({
      accessKeyId: new SecretText('AKIAEXAMPLE\n'),
      secretAccessKey: secret,
      sessionToken: session,
    });
    expect([keys.accessKeyId, keys.secretAccessKey.reveal(), keys.sessionToken?.reveal()]).toEqual([
      'AKIAEXAMPLE',
      'planted-secret',
      'planted-session',
    ]);
  });
});

describe('[PROV-06] the identity of the machine', () => {
  test('[PROV-06] environment', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', STATIC.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', STATIC.secretAccessKey.reveal());
    expect(await faultOf(source({ type: 'Default' }), STATIC)).toBeUndefined();
  });

  test('[PROV-06] the shared credentials file of a developer, as it stands now', async () => {
    const file = tokenFile('');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file.path);
    for (const name of ['one', 'two']) {
      const keys = keysOf(name);
      file.write(
        `[default]\naws_access_key_id=${keys.accessKeyId}\naws_secret_access_key=${keys.secretAccessKey.reveal()}\naws_session_token=${keys.sessionToken!.reveal()}\n`,
      );
      expect(await faultOf(source({ type: 'Default' }), keys)).toBeUndefined();
    }
  });

  test('[PROV-06] IRSA: the projected token for a role, the file read anew when it was rotated', async () => {
    const token = tokenFile('eyJ-token-one');
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', token.path);
    vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::123456789012:role/irsa');
    vi.stubEnv('AWS_ROLE_SESSION_NAME', 'irsa-session');
    const sts = await endpoint((asked) => stsAnswer(asked));
    for (const expected of ['eyJ-token-one', 'eyJ-token-two']) {
      token.write(expected);
      expect(await faultOf(source({ type: 'Default' }, { fetch: sts.fetch }), keysOf('irsa-session'))).toBeUndefined();
      expect(sts.asked.at(-1)!.host).toBe(`sts.${REGION}.amazonaws.com`);
      expect(Object.fromEntries(new URLSearchParams(sts.asked.at(-1)!.body))).toMatchObject({
        Action: 'AssumeRoleWithWebIdentity',
        RoleArn: 'arn:aws:iam::123456789012:role/irsa',
        WebIdentityToken: expected,
      });
    }
  });

  test('[PROV-06] EKS Pod Identity and containers: the agent, with the token of the file', async () => {
    const keys = keysOf('pod');
    const agent = await endpoint(({ headers, url }) =>
      headers.authorization === 'pod-identity-token' && url === '/v1/credentials'
        ? { body: metadataKeys(keys), headers: { 'content-type': 'application/json' } }
        : { status: 401, body: '{}' },
    );
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${agent.url}/v1/credentials`);
    vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE', tokenFile('pod-identity-token').path);
    const made = source({ type: 'Default' });
    expect(await faultOf(made, keys)).toBeUndefined();
    expect(made.state().validUntil).toBeGreaterThan(Date.now() + HOUR - 60_000);
  });

  test('[PROV-06] the instance role, by a session token of the metadata service (IMDSv2)', async () => {
    const keys = keysOf('node');
    const metadata = await endpoint(({ method, url, headers }) => {
      if (method === 'PUT' && url === '/latest/api/token') return { body: 'imds-session' };
      if (headers['x-aws-ec2-metadata-token'] !== 'imds-session') return { status: 401, body: '' };
      const path = '/latest/meta-data/iam/security-credentials';
      if (url.replace(/\/$/, '').replace('-extended', '') === path) return { body: 'node-role' };
      return { body: metadataKeys(keys, { Code: 'Success', LastUpdated: new Date().toISOString(), Type: 'AWS-HMAC' }) };
    });
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', undefined);
    vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', metadata.url);
    expect(await faultOf(source({ type: 'Default' }), keys)).toBeUndefined();
    expect(metadata.asked[0]!.method).toBe('PUT');
  });

  test('[PROV-26] a machine without one says so at load, before any call', async () => {
    const made = source({ type: 'Default' });
    await made.settled;
    expect(made.state()).toMatchObject({ status: 'Unusable', fault: { code: 'not_found' } });
  });
});

describe('[PROV-27] a projected token of another cloud for a role', () => {
  const identity = {
    type: 'WebIdentity',
    roleArn: 'arn:aws:iam::123456789012:role/gke',
    tokenFile: '/var/run/token',
  } as const;

  test('[PROV-27] is exchanged at STS and read anew before each exchange', async () => {
    let token = 'eyJ-one';
    const sts = await endpoint((asked) => stsAnswer(asked, HOUR, clock.now()));
    const clock = new FakeClock();
    const made = source(identity, { fetch: sts.fetch, readFile: async () => token, clock });
    await made.settled;
    expect(made.authorize(outgoing(), 'ada')).toBeUndefined();
    token = 'eyJ-two';
    await clock.advance(HOUR - 400_000);
    await vi.waitFor(async () => {
      await clock.advance(10_000);
      expect(sts.asked).toHaveLength(2);
    });
    expect(sts.asked.map(({ body }) => new URLSearchParams(body).get('WebIdentityToken'))).toEqual([
      'eyJ-one',
      'eyJ-two',
    ]);
  });

  test.each([
    ['a file that is not there', {}, 'token_file', '/var/run/token'],
    ['an empty file', { readFile: async () => '\n' }, 'token_file', 'empty'],
    ['STS out of reach', { readFile: async () => 'eyJ' }, 'unreachable', 'ECONNREFUSED'],
  ])('is told apart: %s', async (_name, given, code, words) => {
    const made = source(identity, { readFile: ports().readFile, ...given });
    await made.settled;
    expect(made.state().fault).toMatchObject({ code, message: expect.stringContaining(words) });
  });

  test.each([
    [403, 'AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity', 'refused'],
    [400, 'ExpiredTokenException', 'Token expired', 'refused'],
    [400, 'Throttling', 'Rate exceeded', 'rate_limited'],
    [503, 'ServiceUnavailable', 'later', 'unavailable'],
  ])('is told apart: STS answers %s %s', async (status, name, message, code) => {
    const sts = await endpoint(() => stsError(status, name, message));
    const made = source(identity, {
      fetch: sts.fetch,
      readFile: async () => 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln',
    });
    await made.settled;
    expect(made.state().fault).toMatchObject({ code, message: expect.stringContaining(name) });
    expect(sts.asked).toHaveLength(1);
  });
});

describe('[PROV-08] a role per upstream, a session per caller', () => {
  const role = { roleArn: 'arn:aws:iam::210987654321:role/bedrock', externalId: 'ext-42', sessionName: 'pc-{user}' };

  test('[PROV-08] STS hears the external id and the caller, and calls are signed with the keys of that session', async () => {
    const sts = await endpoint((asked) => stsAnswer(asked));
    const made = source({ type: 'AccessKey', keys: STATIC }, { fetch: sts.fetch }, { assumeRole: role });
    expect(await faultOf(made, keysOf('pc-ada@corp.example'), 'ada@corp.example')).toBeUndefined();
    expect(await faultOf(made, keysOf('pc-bob'), 'bob')).toBeUndefined();
    for (const asked of sts.asked) {
      expect(signatureFault(asked, { keys: STATIC, service: 'sts', region: REGION })).toBeUndefined();
      expect(Object.fromEntries(new URLSearchParams(asked.body))).toMatchObject({
        Action: 'AssumeRole',
        RoleArn: role.roleArn,
        ExternalId: 'ext-42',
      });
    }
    const names = sts.asked.map(({ body }) => new URLSearchParams(body).get('RoleSessionName'));
    expect(names).toEqual(['pc-portcullis', 'pc-ada@corp.example', 'pc-bob']);
  });

  test('[PROV-08] 1,000 calls of one caller are one session, and the next needs no waiting', async () => {
    const sts = await endpoint((asked) => stsAnswer(asked));
    const made = source({ type: 'AccessKey', keys: STATIC }, { fetch: sts.fetch }, { assumeRole: role });
    await Promise.all(Array.from({ length: 1_000 }, async () => made.authorize(outgoing(), 'ada')));
    expect(sts.asked).toHaveLength(2);
    expect(made.authorize(outgoing(), 'ada')).toBeUndefined();
  });

  test('[PROV-08] without {user} in the name one session serves all', async () => {
    const sts = await endpoint((asked) => stsAnswer(asked));
    const fixed = { ...role, sessionName: 'gateway' };
    const made = source({ type: 'AccessKey', keys: STATIC }, { fetch: sts.fetch }, { assumeRole: fixed });
    for (const caller of ['ada', 'bob']) expect(await faultOf(made, keysOf('gateway'), caller)).toBeUndefined();
    expect([sts.asked.length, made.sessions]).toEqual([1, 0]);
  });

  test('[PROV-08] a session that AWS rejects is opened anew, and only that of the caller', async () => {
    const clock = new FakeClock();
    const sts = await endpoint((asked) => stsAnswer(asked, HOUR, clock.now()));
    const made = source({ type: 'AccessKey', keys: STATIC }, { fetch: sts.fetch, clock }, { assumeRole: role });
    for (const caller of ['ada', 'bob']) await made.authorize(outgoing(), caller);
    await clock.advance(60_000);
    made.rejected('ada', undefined);
    const names = (): (string | null)[] =>
      sts.asked.map(({ body }) => new URLSearchParams(body).get('RoleSessionName'));
    await vi.waitFor(() => expect(names()).toEqual(['pc-portcullis', 'pc-ada', 'pc-bob', 'pc-ada']));
  });

  test('sessions are bounded: beyond 10,000 the oldest goes', () => {
    const identity = { type: 'WebIdentity', roleArn: 'arn:aws:iam::1:role/x', tokenFile: '/t' } as const;
    const made = source(identity, { readFile: () => new Promise(() => undefined) }, { assumeRole: role });
    for (let i = 0; i < 10_050; i++) void made.authorize(outgoing(), `caller-${i}`);
    expect(made.sessions).toBe(10_000);
  });

  test('[PROV-08] a call that was in flight when the configuration changed still goes under its caller, once', async () => {
    const sts = await endpoint((asked) => stsAnswer(asked));
    const made = source({ type: 'AccessKey', keys: STATIC }, { fetch: sts.fetch }, { assumeRole: role });
    await made.settled;
    made.close();
    expect(await faultOf(made, keysOf('pc-ada'), 'ada')).toBeUndefined();
    expect(made.sessions).toBe(0);
  });

  test('[PROV-26] a role that cannot be assumed is known at load', async () => {
    const sts = await endpoint(() => stsError(403, 'AccessDenied', 'not authorized to perform: sts:AssumeRole'));
    const made = source({ type: 'AccessKey', keys: STATIC }, { fetch: sts.fetch }, { assumeRole: role });
    await made.settled;
    expect(made.state()).toMatchObject({ status: 'Unusable', fault: { code: 'refused' } });
  });

  test('[PROV-08] a session is refreshed while its caller calls and dropped when nobody asked for it since', async () => {
    const clock = new FakeClock();
    const sts = await endpoint((asked) => stsAnswer(asked, HOUR, clock.now()));
    const made = source({ type: 'AccessKey', keys: STATIC }, { fetch: sts.fetch, clock }, { assumeRole: role });
    const opened = (name: string): number =>
      sts.asked.filter(({ body }) => new URLSearchParams(body).get('RoleSessionName') === name).length;
    const untilOpened = async (expected: readonly number[]): Promise<void> => {
      await clock.advance(HOUR - 380_000);
      await vi.waitFor(async () => {
        await clock.advance(1_000);
        expect([opened('pc-ada'), opened('pc-bob'), opened('pc-portcullis')]).toEqual(expected);
      });
    };
    await Promise.all(['ada', 'bob'].map(async (caller) => made.authorize(outgoing(), caller)));
    await untilOpened([2, 2, 2]);
    expect(made.authorize(outgoing(), 'ada')).toBeUndefined();
    await untilOpened([3, 2, 3]);
    expect(made.sessions).toBe(1);
    expect(made.authorize(outgoing(), 'ada')).toBeUndefined();
  });
});

describe('a clock that is wrong', () => {
  test('a node two hours ahead signs by the clock of the provider after its first refusal', async () => {
    const clock = new FakeClock();
    const made = source({ type: 'AccessKey', keys: STATIC }, { clock });
    await made.settled;
    const truth = clock.now() - 2 * HOUR;
    made.rejected('ada', new Date(truth).toUTCString());
    const request = outgoing();
    await made.authorize(request, 'ada');
    const stamp = new Date(truth).toISOString().replace(/[-:]|\.\d+/g, '');
    expect(byName(request.headers)['x-amz-date']).toBe(stamp);
  });

  test('keys of STS are not taken for expired, since its answer tells the time', async () => {
    const clock = new FakeClock();
    const truth = clock.now() - 2 * HOUR;
    const sts = await endpoint((asked) => {
      return stsAnswer(asked, HOUR, truth);
    });
    const identity = { type: 'WebIdentity', roleArn: 'arn:aws:iam::1:role/x', tokenFile: '/t' } as const;
    const made = source(identity, { fetch: sts.fetch, clock, readFile: async () => 'eyJ' });
    expect(await faultOf(made, keysOf('portcullis'))).toBeUndefined();
    expect(made.state()).toMatchObject({ status: 'Valid', validUntil: clock.now() + HOUR });
  });

  test('seconds of difference and dates that are none change nothing', async () => {
    const clock = new FakeClock();
    const made = source({ type: 'AccessKey', keys: STATIC }, { clock });
    await made.settled;
    const stamp = new Date(clock.now()).toISOString().replace(/[-:]|\.\d+/g, '');
    for (const date of [new Date(clock.now() + 5_000).toUTCString(), 'soon', undefined]) {
      made.rejected('ada', date);
      const request = outgoing();
      await made.authorize(request, 'ada');
      expect(byName(request.headers)['x-amz-date']).toBe(stamp);
    }
  });
});

describe('[SEC-21] secrets of AWS stay inside', () => {
  test('[SEC-21] they are found in what would go to a client, sessions of callers included', async () => {
    const sts = await endpoint((asked) => stsAnswer(asked));
    const role = { roleArn: 'arn:aws:iam::1:role/x', sessionName: '{user}' };
    const made = source({ type: 'AccessKey', keys: STATIC }, { fetch: sts.fetch }, { assumeRole: role });
    await made.authorize(outgoing(), 'ada');
    await made.settled;
    for (const text of [
      'planted-static-secret',
      'planted-secret-portcullis',
      'planted-session-portcullis',
      "The Canonical String should have been 'POST\n/\n\nx-amz-security-token:planted-session-ada'",
      `Credential=${keysOf('ada').accessKeyId}/20261121`,
    ])
      expect([made.leaksInto(text), made.leaksInto(Buffer.from(text))]).toEqual([true, true]);
    expect(made.leaksInto('the model answered')).toBe(false);
  });

  test('[SEC-21] neither inspection, JSON nor state shows them', async () => {
    const sts = await endpoint(() =>
      stsError(403, 'AccessDenied', 'token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln is bad'),
    );
    const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln';
    const identity = { type: 'WebIdentity', roleArn: 'arn:aws:iam::1:role/x', tokenFile: '/t' } as const;
    const refused = source(identity, { fetch: sts.fetch, readFile: async () => token });
    const made = source({ type: 'AccessKey', keys: STATIC });
    await Promise.all([refused.settled, made.settled]);
    await settle();
    const shown = [refused, made].map(
      (each) => inspect(each, { depth: 9, showHidden: true }) + JSON.stringify([each, each.state()]),
    );
    for (const secret of [token, 'planted-static-secret']) expect(shown.join()).not.toContain(secret);
    expect(refused.state().fault?.message).toContain('[redacted]');
  });
});
