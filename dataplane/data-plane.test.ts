// Parts of a process that only show when they are wired: the address it listens on, old secrets of rotated keys, where its source stands.
import { Agent, createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { GatewayConfig, KeyEntry } from '#shared/bundle/bundle.ts';
import { keyHash } from '#shared/bundle/key-hash.ts';
import { SecretText } from '#shared/secret-text.ts';
import { bundleOf, keyEntry, policyEntry, upstreamEntry } from './admit/testing.ts';
import { buildSnapshot, SnapshotHolder } from './config/snapshot.ts';
import { createDataPlane, type DataPlane } from './data-plane.ts';
import { KeyIndex } from './identify/key-index.ts';
import { openCredentials } from './providers/testing.ts';
import type { SourceFigures } from './telemetry/metrics.ts';

const PEPPER = new SecretText('pepper'.repeat(8));
const HOUR = 3_600_000;
const PATIENT = {
  body: 5_000,
  queue: 5_000,
  connect: 5_000,
  firstByte: 5_000,
  streamIdle: 5_000,
  ping: 5_000,
  keepAlive: 5_000,
};
const BODY = JSON.stringify({ model: 'claude-haiku-5-5', max_tokens: 1, messages: [] });

let upstream: Server;
let holder: SnapshotHolder;
let plane: DataPlane;
let audit: Record<string, unknown>[];
let ports: { http: number; metrics: number };

/** The new secret of a rotated key, and the old one for as long as it is good. */
function rotated(graceEnds: number): KeyEntry[] {
  return [entry('new'), entry('old', { previous: true, expiresAt: graceEnds })];
}

function entry(value: string, parts: Partial<KeyEntry> = {}): KeyEntry {
  return keyEntry({ hash: keyHash(PEPPER.reveal(), value), prefix: value, ...parts });
}

function load(keys: readonly KeyEntry[]): void {
  const { port } = upstream.address() as AddressInfo;
  const { listen } = bundleOf({}).gateway;
  const gateway: Partial<GatewayConfig> = {
    publicUrl: 'https://claude.example.test',
    listen: {
      ...listen,
      port: ports.http,
      limits: { maxBodyBytes: 9_999, maxHeaderBytes: 9_999, maxUrlBytes: 999, maxConcurrentUpstream: 9, maxQueued: 9 },
      timeouts: {
        ...PATIENT,
        drain: 3_000,
      },
    },
    virtualKeys: { prefix: 'sk-pc-', onRevoke: 'Cut' },
    metrics: { port: ports.metrics, principalLabel: 'None' },
  };
  const upstreams = [{ ...upstreamEntry('anthropic'), baseUrl: `http://127.0.0.1:${port}` }];
  const bundle = bundleOf({ gateway, upstreams, policies: [policyEntry('all')] });
  const sorted = keys.toSorted((a, b) => (a.hash < b.hash ? -1 : 1));
  holder.swap(
    buildSnapshot('r', bundle, { pepper: PEPPER, values: {} }, KeyIndex.of(PEPPER, sorted), openCredentials()),
  );
}

async function start(source?: SourceFigures, lingerMs?: number): Promise<void> {
  plane = createDataPlane({
    holder,
    audit: { write: (line) => void audit.push(JSON.parse(line) as Record<string, unknown>), lost: 7 },
    log: pino({ level: 'silent' }),
    version: '0.0.0-test',
    environmentProxy: undefined,
    listenHost: '127.0.0.2',
    source,
    lingerMs,
  });
  await plane.listen();
}

const send = (value: string, path = '/v1/models', body?: string): Promise<Response> =>
  fetch(`http://127.0.0.2:${ports.http}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'x-api-key': value, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body }),
  });

const recordOf = async (reply: Response): Promise<Record<string, unknown>> => {
  const id = reply.headers.get('x-request-id');
  const find = (): Record<string, unknown> | undefined => audit.find((record) => record['request_id'] === id);
  await expect.poll(find).toBeDefined();
  return find()!;
};

beforeEach(async () => {
  upstream = createServer();
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  ports = { http: await freePort(), metrics: await freePort() };
  holder = new SnapshotHolder();
  audit = [];
});
afterEach(async () => {
  await plane.drain();
  upstream.closeAllConnections();
  await new Promise((resolve) => upstream.close(resolve));
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.2', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('[KEY-07] the old secret of a rotated key', () => {
  test('works until grace ends, and audit and report tell who still uses it', async () => {
    load(rotated(Date.now() + HOUR));
    await start();
    const [byNew, byOld] = [await send('new'), await send('old')];
    expect([byNew.status, byOld.status]).toEqual([200, 200]);
    expect(await recordOf(byNew)).not.toHaveProperty('secret');
    expect(await recordOf(byOld)).toMatchObject({ key: 'platform/ci', key_prefix: 'old', secret: 'previous' });
    expect(plane.previousSecrets.report(() => true)).toEqual({
      'platform/ci': { at: expect.any(String) as string, count: 1, addresses: ['127.0.0.1'] },
    });
  });

  test('ends with grace, and the refusal says which one to use', async () => {
    load(rotated(Date.now() - 1));
    await start();
    const refused = await send('old');
    expect(refused.status).toBe(401);
    expect(await refused.text()).toMatch(/key old… was rotated and its old secret ended at .*: use the new one/);
    expect(plane.previousSecrets.report(() => true)).toEqual({});
    expect((await send('new')).status).toBe(200);
  });

  test.each([
    ['when its grace is over, and what began under it finishes', 200, 200],
    ['before its grace is over, which is a revocation and cuts', HOUR, 401],
  ])('goes from the configuration %s', async (_name, grace, status) => {
    load(rotated(Date.now() + grace));
    await start();
    const arrived = new Promise<() => void>((resolve) => {
      upstream.once('request', (request, response) => {
        request.resume();
        resolve(() => void response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
      });
    });
    const running = send('old', '/v1/messages', BODY);
    const answer = await arrived;
    await new Promise((resolve) => setTimeout(resolve, 250));
    load([entry('new')]);
    answer();
    expect((await running).status).toBe(status);
  });
});

test('where the source stands is on the metrics page, and what could not be loaded or written is counted', async () => {
  load([]);
  await start({ sequence: () => 41, seen: () => 42, age: () => 1_500 });
  plane.metrics.configFault('bad_part');
  const page = await (await fetch(`http://127.0.0.2:${ports.metrics}/metrics`)).text();
  for (const line of [
    'portcullis_config_sequence 41',
    'portcullis_config_seen_sequence 42',
    'portcullis_config_confirmed_age_seconds 1.5',
    'portcullis_config_faults_total{reason="bad_part"} 1',
    'portcullis_audit_records_lost_total 7',
  ])
    expect(page).toContain(`\n${line}\n`);
  // The same when asked again: it is no sum of what each scrape saw.
  expect(await (await fetch(`http://127.0.0.2:${ports.metrics}/metrics`)).text()).toContain(
    '\nportcullis_audit_records_lost_total 7\n',
  );
});

test('listens where it is told, and nowhere else', async () => {
  load([]);
  await start();
  await expect(fetch(`http://127.0.0.1:${ports.http}/healthz`)).rejects.toThrow('fetch failed');
  expect((await fetch(`http://127.0.0.2:${ports.http}/healthz`)).status).toBe(200);
});

describe('[OPS-11] a kept connection when the pod is told to stop', () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (): Promise<{
    status: number | undefined;
    connection: string | undefined;
    reused: boolean;
  }> =>
    new Promise((resolve, reject) => {
      const sent = request(`http://127.0.0.2:${ports.http}/v1/models`, {
        agent,
        headers: { 'x-api-key': 'new' },
      });
      sent.once('error', reject).once('response', (response: IncomingMessage) => {
        const { statusCode: status, headers } = response.resume();
        response.once('end', () => resolve({ status, connection: headers.connection, reused: sent.reusedSocket }));
      });
      sent.end();
    });

  test('gets one more answer and closes with it, and the process does not wait longer', async () => {
    load([entry('new')]);
    await start(undefined, 2_000);
    expect(await ask()).toEqual({ status: 200, connection: 'keep-alive', reused: false });
    const begun = performance.now();
    const drained = plane.drain();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await ask()).toEqual({ status: 200, connection: 'close', reused: true });
    await drained;
    expect(performance.now() - begun).toBeLessThan(1_500);
  });

  test('is closed all the same when it stays silent', async () => {
    load([entry('new')]);
    await start(undefined, 300);
    await ask();
    const begun = performance.now();
    await plane.drain();
    expect(performance.now() - begun).toBeGreaterThanOrEqual(290);
    await expect(ask()).rejects.toThrow(/ECONNREFUSED|ECONNRESET|socket hang up|fetch failed/);
  });
});
