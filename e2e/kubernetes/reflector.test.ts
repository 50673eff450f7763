// A reflector against a real API server behind networks and servers that misbehave. After every fault the cache equals the server's truth, and
// what listeners were told adds up to it.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Connection } from '#shared/kube/connection.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import { openConnection } from '#shared/kube/open-connection.ts';
import {
  startFaultHttpProxy,
  type Fault,
  type FaultHttpProxy,
  type ProxiedRequest,
} from '../harness/kubernetes/fault-http-proxy.ts';
import { startFaultProxy, type FaultProxy } from '../harness/kubernetes/fault-proxy.ts';
import { sharedControlPlane, testNamespace } from '../harness/kubernetes/shared-control-plane.ts';
import { edit, equalsServer, map, reflect, until, type Reflected } from './reflected.ts';

const plane = await sharedControlPlane();
const { admin } = plane;
const now = (): number => performance.now();

let namespace: string;
let reflected: Reflected | undefined;

beforeEach(async () => {
  namespace = await testNamespace('reflector');
  await edit(admin, namespace);
});
afterEach(async () => {
  await reflected?.stop();
  reflected = undefined;
});

const truth = (withinMs?: number): Promise<void> => equalsServer(reflected!, admin, namespace, withinMs);

/** May do everything in the namespace of the test. */
async function account(): Promise<string> {
  const grant = ['create', 'rolebinding', 'all', '--clusterrole=admin', `--serviceaccount=${namespace}:default`];
  expect(await plane.kubectl([...grant, '-n', namespace])).toMatchObject({ code: 0 });
  return plane.token(namespace, 'default');
}

describe('a network that', () => {
  let proxy: FaultProxy;
  beforeEach(async () => void (proxy = await startFaultProxy(plane.url)));
  afterEach(async () => proxy.close());

  async function through(silence = 60_000): Promise<void> {
    // The administrator's client certificate, by kubeconfig.
    const connection = await openConnection({ KUBECONFIG: plane.kubeconfig }, now);
    reflected = await reflect({ ...connection, server: proxy.url }, namespace, { watchTiming: { silence } });
    await until(() => reflected!.attempts.includes('watch 200'));
  }

  test('resets connections, again and again under churn', async () => {
    await through();
    for (let i = 1; i <= 3; i++) {
      await edit(admin, namespace);
      proxy.reset();
      await edit(admin, namespace);
      await truth();
    }
    expect(reflected!.counted).toMatchObject({ list: 1, failure: 3 });
    expect(reflected!.warnings).toHaveLength(3);
  });

  test('forgets a connection without a word', async () => {
    await through(2_000);
    proxy.freeze();
    await edit(admin, namespace);
    await edit(admin, namespace);
    await truth();
    expect(reflected!.warnings.join()).toContain('nothing heard');
  });

  test('forgets a connection that has not been used, and the next call', async () => {
    await through(2_000);
    proxy.freeze();
    proxy.refuse();
    await edit(admin, namespace);
    await until(() => reflected!.counted.failure > 1);
    proxy.admit();
    await truth(40_000);
  });

  test('is congested while 20 MB of changes wait: a slow consumer loses nothing', async () => {
    await through();
    proxy.freeze();
    const value = 'x'.repeat(200_000);
    for (let i = 0; i < 100; i++)
      await admin.patch(RESOURCE.ConfigMap, { namespace, name: 'changing' }, { data: { value: `${i} ${value}` } });
    await edit(admin, namespace);
    proxy.thaw();
    await truth(40_000);
    // The server gave up on it, so it did come to that.
    expect(reflected!.counted.watch).toBeGreaterThan(1);
  });
});

describe('a server that', () => {
  let proxy: FaultHttpProxy;
  beforeEach(async () => void (proxy = await startFaultHttpProxy(plane.url, plane.caFile)));
  afterEach(async () => proxy.close());

  async function through(pageSize?: number): Promise<void> {
    const credentials = { tls: { ca: proxy.ca }, authorization: `Bearer ${await account()}` };
    const connection: Connection = { server: proxy.url, namespace: undefined, credentials: async () => credentials };
    reflected = await reflect(connection, namespace, {
      watchTiming: { shortest: 1_000, longest: 2_000 },
      ...(pageSize === undefined ? {} : { pageSize }),
    });
  }

  /** The next requests that match get the faults, one each. */
  function next(matches: (request: ProxiedRequest) => boolean, ...faults: readonly Fault[]): void {
    const left = [...faults];
    proxy.rule = (request) => (matches(request) ? left.shift() : undefined);
  }
  const isWatch = ({ watch }: ProxiedRequest): boolean => watch;
  const isList = ({ list }: ProxiedRequest): boolean => list;

  const ERROR = {
    type: 'ERROR',
    object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' },
  };

  test.each<[string, Fault]>([
    ['an answer', { code: 410, reason: 'Expired' }],
    ['an event', { events: [ERROR] }],
  ])('says 410 twice over, as %s', async (_shape, fault) => {
    await through();
    next(isWatch, fault, fault);
    await until(() => reflected!.counted.expired === 1);
    await edit(admin, namespace);
    await until(() => reflected!.counted.expired === 2);
    await edit(admin, namespace);
    await truth();
    expect(reflected!.counted.list).toBe(3);
  });

  test('breaks off in the middle of a line', async () => {
    await through();
    // Inside of the first event, at its first byte and near its end, or of a later one.
    next(isWatch, { cutAfter: 1 }, { cutAfter: 333 }, { cutAfter: 1_000 });
    while (reflected!.counted.failure < 3) await edit(admin, namespace);
    await truth();
  });

  test('is busy and says for how long', async () => {
    await through();
    next(
      isWatch,
      { code: 429, reason: 'TooManyRequests', retryAfter: 1 },
      { code: 429, reason: 'TooManyRequests', retryAfter: 1 },
    );
    await until(() => reflected!.attempts.filter((attempt) => attempt === 'watch 429').length === 2);
    const refused = proxy.seen.length;
    const at = now();
    await edit(admin, namespace);
    await until(() => proxy.seen.length > refused);
    expect(now() - at).toBeGreaterThan(500);
    await truth();
    expect(reflected!.counted).toMatchObject({ list: 1, failure: 0 });
  });

  test('fails at page 3 of a list: the list is begun anew, nothing of its half is shown', async () => {
    await Promise.all(
      Array.from({ length: 9 }, async (_, i) => admin.create(RESOURCE.ConfigMap, map(namespace, `m${i}`, ''))),
    );
    await through(3);
    await truth();
    const { size } = reflected!.reflector;
    let lists = 0;
    let lowest = size;
    proxy.rule = (request) => {
      lowest = Math.min(lowest, reflected!.reflector.size);
      if (request.watch && reflected!.counted.expired === 0) return { code: 410, reason: 'Expired' };
      return isList(request) && ++lists === 3 ? { code: 500, reason: 'InternalError' } : undefined;
    };
    await until(() => reflected!.counted.expired === 1);
    await edit(admin, namespace);
    await truth();
    expect(lists).toBeGreaterThan(3 + 3);
    expect(lowest).toBeGreaterThanOrEqual(size);
  });
});

test('a certificate authority that was replaced is read again', async () => {
  const proxy = await startFaultHttpProxy(plane.url, plane.caFile);
  try {
    const authorization = `Bearer ${await account()}`;
    let ca = await readFile(plane.caFile, 'utf8');
    const credentials: Connection['credentials'] = async (refresh) => {
      if (refresh) ({ ca } = proxy);
      return { tls: { ca }, authorization };
    };
    reflected = await reflect({ server: proxy.url, namespace: undefined, credentials }, namespace);
    await edit(admin, namespace);
    await truth();
    expect(reflected.attempts).toEqual(['list error', 'list 200', 'watch 200']);
  } finally {
    await proxy.close();
  }
});

test('a token that was replaced is read again on the first 401', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'portcullis-account-'));
  const proxy = await startFaultProxy(plane.url);
  try {
    await writeFile(join(folder, 'token'), await account());
    await writeFile(join(folder, 'ca.crt'), await readFile(plane.caFile));
    const environment = {
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: String(proxy.port),
      PORTCULLIS_SERVICE_ACCOUNT_DIR: folder,
    };
    reflected = await reflect(await openConnection(environment, now), namespace);
    // Tokens of a service account that was made anew are void; the server remembers for some seconds that they were good.
    expect(await plane.kubectl(['delete', 'serviceaccount', 'default', '-n', namespace])).toMatchObject({ code: 0 });
    const refused = (): boolean => reflected!.attempts.at(-1)?.endsWith('401') === true;
    await new Promise((resolve) => setTimeout(resolve, 11_000));
    proxy.reset();
    await until(refused);
    await writeFile(join(folder, 'token'), await plane.token(namespace, 'default'));
    await edit(admin, namespace);
    await truth(40_000);
    const { attempts } = reflected;
    const last = attempts.findLastIndex((attempt) => attempt.endsWith('401'));
    expect(attempts[last + 1]).toBe(attempts[last]!.replace('401', '200'));
  } finally {
    await proxy.close();
    await rm(folder, { recursive: true });
  }
});
