// Upstreams with certificates of a company's own: what is trusted instead of the public authorities, what the gateway presents, and that
// nothing but the right certificate will do. A real TLS server, with authorities made for the run.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SecureVersion, TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { basicResources, startGateway, upstream, withObjects, type TestGateway } from '../harness/gateway.ts';
import { createAuthority, signCertificate, tlsOf } from '../harness/kubernetes/certificates.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { startTlsFront, type TlsFront } from '../harness/tls-front.ts';
import { startProxy } from './forward-proxy.ts';
import { send } from './http-client.ts';
import { turn } from './claude-code.ts';

interface Pem {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const HERE = 'IP:127.0.0.1';
const cleanUp: (() => Promise<unknown>)[] = [];
const folders: string[] = [];
let mock: MockAnthropic;
/** Of one authority: the server, a client, a server of another name; and a server of another authority. */
let own: Record<'server' | 'client' | 'elsewhere', Pem>;
let other: Pem;

async function authority<Name extends string>(
  names: Readonly<Record<Name, readonly string[]>>,
): Promise<Record<Name, Pem>> {
  const folder = await mkdtemp(join(tmpdir(), 'upstream-tls-'));
  folders.push(folder);
  await createAuthority(folder);
  const made = Object.entries<readonly string[]>(names).map(async ([name, subjects]) => {
    await signCertificate(folder, name, `/CN=${name}`, subjects);
    return [name, (await tlsOf(folder, name)) as Pem] as const;
  });
  return Object.fromEntries(await Promise.all(made)) as Record<Name, Pem>;
}

beforeAll(async () => {
  mock = await startMockAnthropic();
  own = await authority({
    server: [HERE, 'DNS:provider.internal'],
    client: ['DNS:gateway'],
    elsewhere: ['DNS:elsewhere'],
  });
  other = (await authority({ server: [HERE] })).server;
});

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of cleanUp.splice(0).toReversed()) await close();
});

afterAll(async () => {
  await mock.close();
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true })));
});

async function front(pem: Pem, options: Omit<TlsOptions, 'cert' | 'key'> = {}): Promise<TlsFront> {
  const server = await startTlsFront('127.0.0.1', mock.url, { cert: pem.cert, key: pem.key, ...options });
  cleanUp.push(() => server.close());
  return server;
}

/** One upstream behind TLS; `secrets` is what its Secret `tls` holds. */
function resources(baseUrl: string, tls: object | undefined, secrets: Record<string, string> = {}, proxy?: string) {
  const base = basicResources(mock.url, proxy === undefined ? {} : { proxy: { url: proxy } });
  const spec = { retries: { connect: 0 }, ...(tls === undefined ? {} : { tls }) };
  return withObjects(base, [upstream('anthropic', baseUrl, spec)], { 'default/tls': secrets });
}

const CA = { caRef: { name: 'tls', key: 'ca.crt' } };
const CLIENT = {
  clientCertificate: { certificateRef: { name: 'tls', key: 'tls.crt' }, keyRef: { name: 'tls', key: 'tls.key' } },
};

async function gatewayWith(...parts: Parameters<typeof resources>): Promise<TestGateway> {
  const gateway = await startGateway(resources(...parts));
  cleanUp.push(() => gateway.close());
  return gateway;
}

const ask = async (gateway: TestGateway): Promise<number> =>
  (await send(gateway.url, { body: turn({ stream: false }) })).status;

test('[PROV-30] a private CA is trusted where the Upstream names it, and nowhere else', async () => {
  const url = `https://127.0.0.1:${(await front(own.server)).port}`;
  expect(await ask(await gatewayWith(url, undefined))).toBe(502);
  expect(await ask(await gatewayWith(url, CA, { 'ca.crt': own.server.ca }))).toBe(200);
  expect(await ask(await gatewayWith(url, CA, { 'ca.crt': other.ca }))).toBe(502);
});

test('[PROV-30] a certificate of that CA for another name is refused', async () => {
  const url = `https://127.0.0.1:${(await front(own.elsewhere)).port}`;
  expect(await ask(await gatewayWith(url, CA, { 'ca.crt': own.server.ca }))).toBe(502);
});

test('[PROV-30] no setting of the process switches verification off', async () => {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  const url = `https://127.0.0.1:${(await front(own.server)).port}`;
  expect(await ask(await gatewayWith(url, undefined))).toBe(502);
  expect(await ask(await gatewayWith(url, CA, { 'ca.crt': other.ca }))).toBe(502);
});

test('[PROV-30] a client certificate is presented to a server that asks for one', async () => {
  const server = await front(own.server, { requestCert: true, rejectUnauthorized: true, ca: own.server.ca });
  const url = `https://127.0.0.1:${server.port}`;
  const { cert, key, ca } = own.client;
  expect(await ask(await gatewayWith(url, CA, { 'ca.crt': ca }))).toBe(502);
  const secrets = { 'ca.crt': ca, 'tls.crt': cert, 'tls.key': key };
  expect(await ask(await gatewayWith(url, { ...CA, ...CLIENT }, secrets))).toBe(200);
});

describe('minimum version', () => {
  const cases: [minVersion: string | undefined, server: SecureVersion, status: number][] = [
    [undefined, 'TLSv1.2', 200],
    ['TLSv1.3', 'TLSv1.2', 502],
    ['TLSv1.3', 'TLSv1.3', 200],
  ];
  test.each(cases)('[PROV-30] %s against a server of %s: %i', async (minVersion, maxVersion, status) => {
    const url = `https://127.0.0.1:${(await front(own.server, { maxVersion })).port}`;
    const tls = minVersion === undefined ? CA : { ...CA, minVersion };
    expect(await ask(await gatewayWith(url, tls, { 'ca.crt': own.server.ca }))).toBe(status);
  });
});

test('[PROV-30] the same holds at the end of a tunnel through a forward proxy', async () => {
  const server = await front(own.server, { requestCert: true, rejectUnauthorized: true, ca: own.server.ca });
  const proxy = await startProxy(`http://127.0.0.1:${server.port}`);
  cleanUp.push(() => proxy.close());
  const { cert, key, ca } = own.client;
  const secrets = { 'ca.crt': ca, 'tls.crt': cert, 'tls.key': key };
  const at = 'https://provider.internal';
  expect(await ask(await gatewayWith(at, { ...CA, ...CLIENT }, secrets, proxy.url))).toBe(200);
  expect(proxy.asked.at(-1)).toBe('provider.internal:443');
  expect(await ask(await gatewayWith(at, CLIENT, secrets, proxy.url))).toBe(502);
  expect(await ask(await gatewayWith('https://elsewhere.internal', { ...CA, ...CLIENT }, secrets, proxy.url))).toBe(
    502,
  );
});

test('[PROV-30] a renewed CA is in force with the next call, and a stream under the old one goes on to its end', async () => {
  const server = await front(own.server);
  const url = `https://127.0.0.1:${server.port}`;
  const gateway = await gatewayWith(url, CA, { 'ca.crt': own.server.ca });
  mock.behave(() => ({ kind: 'events', count: 40, gapMs: 10 }));
  const stream = send(gateway.url, { body: turn({ stream: true }) });
  await vi.waitFor(() => expect(server.accepted()).toBe(1));
  mock.behave(() => ({ kind: 'text' }));
  server.renew({ cert: other.cert, key: other.key });
  gateway.reload(resources(url, CA, { 'ca.crt': other.ca }));
  expect(await ask(gateway)).toBe(200);
  expect(server.accepted()).toBe(2);
  const { status, complete, body } = await stream;
  expect([status, complete, body.toString().includes('message_stop')]).toEqual([200, true, true]);
  gateway.reload(resources(url, CA, { 'ca.crt': own.server.ca }));
  expect(await ask(gateway)).toBe(502);
});
