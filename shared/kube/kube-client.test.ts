// What goes over the wire, and what is tried again.
import { describe, expect, test } from 'vitest';
import { ApiError, type KubeClient } from './client.ts';
import { DeadlineError } from './deadline.ts';
import { RESOURCE } from './object.ts';
import { broken, configMap, fakeApi, json, refusal, type Reply } from './testing.ts';

const AT = { namespace: 'a', name: 'm' };
const MAP = configMap('m', '7');
const LIST = { metadata: { resourceVersion: '9', continue: '' }, items: [{ metadata: { name: 'm', namespace: 'a' } }] };
const UNGUARDED = { metadata: { name: 'm', namespace: 'a' }, data: {} };
const silent: Reply = () => undefined;

async function failure(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

const CALLS: readonly [string, (client: KubeClient) => Promise<unknown>, string, object?][] = [
  ['get', (client) => client.get(RESOURCE.ConfigMap, AT), 'GET /api/v1/namespaces/a/configmaps/m'],
  [
    'get of a cluster-wide kind',
    (client) => client.get(RESOURCE.Namespace, { namespace: '', name: 'a' }),
    'GET /api/v1/namespaces/a',
  ],
  [
    'get of a group',
    (client) => client.get(RESOURCE.Lease, AT),
    'GET /apis/coordination.k8s.io/v1/namespaces/a/leases/m',
  ],
  [
    'list everywhere',
    (client) => client.list(RESOURCE.ConfigMap, { labelSelector: 'a=b,c' }, { limit: 5, continue: 'x' }),
    'GET /api/v1/configmaps?labelSelector=a%3Db%2Cc&limit=5&continue=x',
    LIST,
  ],
  [
    'list in a namespace',
    (client) => client.list(RESOURCE.Gateway, { namespace: 'a', fieldSelector: 'metadata.name=m' }, {}),
    'GET /apis/portcullis.dev/v1alpha1/namespaces/a/gateways?fieldSelector=metadata.name%3Dm',
    LIST,
  ],
  [
    'apply of a status',
    (client) => client.apply(RESOURCE.Gateway, UNGUARDED, { fieldManager: 'who', subresource: 'status' }),
    'PATCH /apis/portcullis.dev/v1alpha1/namespaces/a/gateways/m/status?fieldManager=who&force=true',
  ],
  ['create', (client) => client.create(RESOURCE.ConfigMap, UNGUARDED), 'POST /api/v1/namespaces/a/configmaps'],
  ['replace', (client) => client.replace(RESOURCE.ConfigMap, UNGUARDED), 'PUT /api/v1/namespaces/a/configmaps/m'],
  ['patch', (client) => client.patch(RESOURCE.ConfigMap, AT, {}), 'PATCH /api/v1/namespaces/a/configmaps/m'],
  [
    'delete',
    (client) => client.delete(RESOURCE.ConfigMap, AT),
    'DELETE /api/v1/namespaces/a/configmaps/m?propagationPolicy=Background',
  ],
];

test.each(CALLS)('%s asks where the API server looks', async (_name, call, expected, answer = MAP) => {
  const { client, heard } = await fakeApi([json(answer)]);
  await call(client);
  expect(heard.map(({ method, url }) => `${method} ${url}`)).toEqual([expected]);
});

test('bodies name their kind and their type of content', async () => {
  const { client, heard } = await fakeApi([json(MAP)]);
  await client.apply(RESOURCE.Lease, UNGUARDED, { fieldManager: 'who' });
  await client.patch(RESOURCE.Lease, AT, { b: 1, a: 2 });
  await client.create(RESOURCE.Lease, UNGUARDED);
  expect(heard.map(({ headers }) => headers['content-type'])).toEqual([
    'application/apply-patch+yaml',
    'application/merge-patch+json',
    'application/json',
  ]);
  expect(JSON.parse(heard[0]!.body)).toMatchObject({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' });
  expect(heard[1]!.body).toBe('{"a":2,"b":1}');
});

test('a page of metadata asks for metadata, and everything that arrives names its kind and namespace', async () => {
  const items = [{ metadata: { name: 'm' } }];
  const { client, heard } = await fakeApi([json({ metadata: { resourceVersion: '9', continue: 'more' }, items })]);
  expect(await client.list(RESOURCE.Namespace, { metadataOnly: true }, {})).toEqual({
    items: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'm', namespace: '' } }],
    resourceVersion: '9',
    continue: 'more',
  });
  expect(heard[0]!.headers.accept).toBe('application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1');
});

test('an object that is gone already counts as deleted; its absence is an error elsewhere', async () => {
  const { client } = await fakeApi([refusal(404, 'NotFound')]);
  await client.delete(RESOURCE.ConfigMap, AT);
  expect(await failure(client.get(RESOURCE.ConfigMap, AT))).toMatchObject({ code: 404, reason: 'NotFound' });
});

test.each<[string, Reply, Partial<ApiError>]>([
  ['a Status', refusal(409, 'Conflict'), { code: 409, reason: 'Conflict' }],
  [
    'a Status with details',
    json({ kind: 'Status', code: 500, reason: 'ServerTimeout', details: { retryAfterSeconds: 2 } }, 500),
    { code: 500, reason: 'ServerTimeout', retryAfter: 2000 },
  ],
  [
    'a page of a balancer',
    (response) => void response.writeHead(403).end('<html>'),
    { code: 403, reason: 'Forbidden' },
  ],
])('%s becomes an ApiError', async (_name, reply, expected) => {
  const { client } = await fakeApi([reply]);
  const error = await failure(client.create(RESOURCE.ConfigMap, UNGUARDED));
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject(expected);
});

describe('trying again', () => {
  test.each<[string, (client: KubeClient) => Promise<unknown>, Reply, number]>([
    ['get, connection lost', (client) => client.get(RESOURCE.ConfigMap, AT), broken, 2],
    ['get, 503', (client) => client.get(RESOURCE.ConfigMap, AT), refusal(503, 'ServiceUnavailable'), 2],
    ['get, 500', (client) => client.get(RESOURCE.ConfigMap, AT), refusal(500, 'InternalError'), 1],
    [
      'get, 504 that says when',
      (client) => client.get(RESOURCE.ConfigMap, AT),
      refusal(504, 'Timeout', { 'retry-after': '0' }),
      2,
    ],
    ['apply, connection lost', (client) => client.apply(RESOURCE.ConfigMap, MAP, { fieldManager: 'w' }), broken, 2],
    ['create, connection lost', (client) => client.create(RESOURCE.ConfigMap, UNGUARDED), broken, 1],
    ['create, 503', (client) => client.create(RESOURCE.ConfigMap, UNGUARDED), refusal(503, 'ServiceUnavailable'), 1],
    [
      'create, 429: nothing was done',
      (client) => client.create(RESOURCE.ConfigMap, UNGUARDED),
      refusal(429, 'TooManyRequests', { 'retry-after': '0' }),
      2,
    ],
    ['replace of any version, connection lost', (client) => client.replace(RESOURCE.ConfigMap, UNGUARDED), broken, 2],
    ['replace of one version, connection lost', (client) => client.replace(RESOURCE.ConfigMap, MAP), broken, 1],
    [
      'patch of one version, connection lost',
      (client) => client.patch(RESOURCE.ConfigMap, AT, { metadata: { resourceVersion: '7' } }),
      broken,
      1,
    ],
    ['get, 409', (client) => client.get(RESOURCE.ConfigMap, AT), refusal(409, 'Conflict'), 1],
  ])('%s', async (_name, call, first, attempts) => {
    const { client, heard } = await fakeApi([first, json(MAP)]);
    const outcome = await call(client).then(
      () => 2,
      () => 1,
    );
    expect([outcome, heard.length]).toEqual([attempts, attempts]);
  });

  test('waits as long as the server says', async () => {
    const { client } = await fakeApi([refusal(429, 'TooManyRequests', { 'retry-after': '1' }), json(MAP)]);
    const start = performance.now();
    await client.get(RESOURCE.ConfigMap, AT);
    expect(performance.now() - start).toBeGreaterThanOrEqual(990);
  });

  test('the deadline covers the waiting, and the refusal is what the caller learns', async () => {
    const { client } = await fakeApi([refusal(429, 'TooManyRequests', { 'retry-after': '30' })]);
    const start = performance.now();
    const error = await failure(client.get(RESOURCE.ConfigMap, AT, { timeout: 200 }));
    expect(error).toMatchObject({ code: 429, retryAfter: 30_000 });
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  test('gives up in the end', async () => {
    const { client, heard } = await fakeApi([refusal(429, 'TooManyRequests', { 'retry-after': '0' })]);
    expect(await failure(client.get(RESOURCE.ConfigMap, AT))).toMatchObject({ code: 429 });
    expect(heard).toHaveLength(6);
  });

  test('401: reads the token again, once, for writes too', async () => {
    const asked: boolean[] = [];
    const credentials = async (refresh: boolean) => {
      asked.push(refresh);
      return { tls: {}, authorization: refresh ? 'Bearer new' : 'Bearer old' };
    };
    const { client, heard } = await fakeApi([refusal(401, 'Unauthorized'), json(MAP), refusal(401, 'Unauthorized')], {
      credentials,
    });
    await client.create(RESOURCE.ConfigMap, UNGUARDED);
    expect(heard.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer new']);
    expect(await failure(client.get(RESOURCE.ConfigMap, AT))).toMatchObject({ code: 401 });
    expect(asked).toEqual([false, true, false, true]);
  });
});

describe('limits', () => {
  test('a server that says nothing is left at the deadline', async () => {
    const { client } = await fakeApi([silent]);
    const error = await failure(client.get(RESOURCE.ConfigMap, AT, { timeout: 100 }));
    expect(error).toBeInstanceOf(DeadlineError);
    expect(String(error)).toContain('GET /api/v1/namespaces/a/configmaps/m');
  });

  test("a body that stops in the middle is left as well, and a caller's own signal wins", async () => {
    const half: Reply = (response) => void response.writeHead(200).write('{"metadata":');
    const { client } = await fakeApi([half]);
    expect(await failure(client.get(RESOURCE.ConfigMap, AT, { timeout: 100 }))).toBeInstanceOf(DeadlineError);
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 50);
    expect(await failure(client.get(RESOURCE.ConfigMap, AT, { signal: controller.signal }))).toBe(reason);
  });

  test('calls above the burst wait for their turn', async () => {
    const { client, heard } = await fakeApi([json(MAP)], { qps: 50, burst: 5 });
    const start = performance.now();
    await Promise.all(Array.from({ length: 15 }, async () => client.get(RESOURCE.ConfigMap, AT)));
    expect(performance.now() - start).toBeGreaterThanOrEqual(190);
    expect(heard).toHaveLength(15);
  });

  test('calls share connections: one after the other need one or two, many at once no more than 32', async () => {
    const { client, connections } = await fakeApi([json(MAP)]);
    for (let i = 0; i < 20; i++) await client.get(RESOURCE.ConfigMap, AT);
    expect(connections()).toBeLessThanOrEqual(2);
    await Promise.all(Array.from({ length: 200 }, async () => client.get(RESOURCE.ConfigMap, AT)));
    expect(connections()).toBeLessThanOrEqual(32);
  });

  test('every attempt is counted, by what came of it', async () => {
    const counted: string[] = [];
    const { client } = await fakeApi([broken, refusal(503, 'ServiceUnavailable'), json(MAP)], {
      count: (...what) => counted.push(what.join(' ')),
    });
    await client.get(RESOURCE.ConfigMap, AT);
    expect(counted).toEqual(['get configmaps error', 'get configmaps 503', 'get configmaps 200']);
  });
});

describe('a process that may not write', () => {
  const may = (allowed: () => boolean) => ({ qps: 20, burst: 1, mayWrite: allowed });

  const isRead = ([, , line]: (typeof CALLS)[number]): boolean => line.startsWith('GET ');

  test.each(CALLS.filter(isRead))('may %s', async (_name, call, line, answer = MAP) => {
    const { client, heard } = await fakeApi(
      [json(answer)],
      may(() => false),
    );
    await call(client);
    expect(heard.map(({ method, url }) => `${method} ${url}`)).toEqual([line]);
  });

  test.each(CALLS.filter((each) => !isRead(each)))('sends no %s', async (_name, call) => {
    const { client, heard } = await fakeApi(
      [json(MAP)],
      may(() => false),
    );
    expect(String(await failure(call(client)))).toContain('may not write');
    expect(heard).toEqual([]);
  });

  test('writes that waited for their turn when it was allowed stay unsent as well', async () => {
    let allowed = true;
    const { client, heard } = await fakeApi(
      [json(MAP)],
      may(() => allowed),
    );
    const writes = Array.from({ length: 4 }, () => client.patch(RESOURCE.ConfigMap, AT, {}));
    const results = Promise.allSettled(writes);
    await writes[0];
    allowed = false;
    expect((await results).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected']);
    expect(heard).toHaveLength(1);
  });

  test('nor is a write tried again', async () => {
    let allowed = true;
    const refuseAndForbid: Reply = (response, ...rest) => {
      allowed = false;
      return refusal(429, 'TooManyRequests')(response, ...rest);
    };
    const { client, heard } = await fakeApi(
      [refuseAndForbid, json(MAP)],
      may(() => allowed),
    );
    expect(String(await failure(client.patch(RESOURCE.ConfigMap, AT, {})))).toContain('may not write');
    expect(heard).toHaveLength(1);
  });
});
