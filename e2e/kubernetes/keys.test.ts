// Keys from `kubectl apply` to a pod's answer: the operator and two pods under the rules they ship with, a client that knows nothing but the Secret.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StaleError, writeStored } from '#operator/keys/stored-write.ts';
import { keyView, storedKey } from '#operator/keys/view.ts';
import { KEYS_MANAGER, STATUS_MANAGER } from '#shared/kube/labels.ts';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import type { Secret } from '#shared/kube/types.ts';
import { install, type Installation } from '../harness/kubernetes/installation.ts';
import { EVERYONE, smallestGateway } from '../harness/kubernetes/smallest-gateway.ts';
import { eventually } from '../harness/resources.ts';

const MODEL = 'claude-haiku-5-5';
const POLL = { timeout: 30_000, interval: 50 };
let cluster: Installation;

beforeAll(async () => {
  cluster = await install();
  await cluster.apply(`
apiVersion: v1
kind: Secret
metadata: {name: anthropic}
stringData: {token: sk-ant-for-tests}
---
${smallestGateway(cluster.mock.url, { spec: 'environment: prod, deployment: {replicas: 2}' })}---${EVERYONE}`);
  await eventually(() => (cluster.ready().length === 2 ? true : undefined), 60_000);
}, 120_000);

afterAll(() => cluster?.close());

const key = (name: string, spec = '') =>
  cluster.apply(`
apiVersion: portcullis.dev/v1alpha1
kind: VirtualKey
metadata: {name: ${name}, labels: {team: build}}
spec:
  gatewayRef: {name: claude}
  owner: {type: Service, name: ${name}}
  credential: {type: Generated, generated: {secretName: ${name}-key, model: ${MODEL}}}
  ${spec}
`);

interface Key extends KubeObject {
  readonly status?: {
    readonly phase?: string;
    readonly credential?: { readonly serial: number };
    readonly previous?: { readonly until?: string; readonly lastUsedAt?: string; readonly uses?: number };
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
    readonly clientEnv?: unknown;
  };
}

const object = (name: string) =>
  cluster.plane.admin.get<Key>(RESOURCE.VirtualKey, { namespace: cluster.namespace, name });
const condition = async (name: string, type: string) =>
  (await object(name)).status?.conditions?.find((each) => each.type === type);

/** The value in a Secret, as soon as there is one that is not `old`. */
async function token(name: string, old?: string): Promise<string> {
  let value: string | undefined;
  await expect
    .poll(async () => {
      value = await cluster.secret(name, 'token');
      return value !== undefined && value !== old;
    }, POLL)
    .toBe(true);
  return value ?? '';
}

/** What every pod answers to a call with a value: `/v1/health` and a message. */
async function answers(value: string): Promise<number[]> {
  const headers = { authorization: `Bearer ${value}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ model: MODEL, max_tokens: 8, messages: [{ role: 'user', content: 'Hi' }] });
  const calls = cluster
    .ready()
    .flatMap(({ address }) => [
      fetch(`http://${address}:8080/v1/health`, { headers }),
      fetch(`http://${address}:8080/v1/messages`, { method: 'POST', headers, body }),
    ]);
  return Promise.all(
    calls.map(async (call) => {
      const answer = await call;
      await answer.arrayBuffer();
      return answer.status;
    }),
  );
}

const everywhere = (status: number) => [status, status, status, status];
const annotate = (name: string, value: string) =>
  cluster.kubectl('annotate', '--overwrite', 'virtualkey', name, `portcullis.dev/rotate=${value}`);
const edit = (name: string, spec: object) =>
  cluster.kubectl('patch', 'virtualkey', name, '--type=merge', '-p', JSON.stringify({ spec }));

describe('a new key', () => {
  test('[CLI-01] [KEY-05] [TEN-16] its Secret alone is enough for a client, on every pod from the moment it is there', async () => {
    await key('ci');
    const value = await token('ci-key');
    expect(await answers(value)).toEqual(everywhere(200));
    const { data, metadata, type } = await cluster.plane.admin.get<Secret>(RESOURCE.Secret, {
      namespace: cluster.namespace,
      name: 'ci-key',
    });
    const lines = Object.entries(data ?? {}).map(([name, text]) => [name, Buffer.from(text, 'base64').toString()]);
    expect(Object.fromEntries(lines)).toEqual({
      token: value,
      ANTHROPIC_BASE_URL: 'http://localhost:8080',
      ANTHROPIC_AUTH_TOKEN: value,
      ANTHROPIC_MODEL: MODEL,
    });
    expect(type).toBe('Opaque');
    expect(metadata.ownerReferences).toMatchObject([{ kind: 'VirtualKey', name: 'ci', controller: true }]);
    // A server takes these as names of environment variables, all of them.
    const pod = {
      containers: [
        {
          name: 'c',
          image: 'x',
          envFrom: [{ secretRef: { name: 'ci-key' } }],
          env: (await object('ci')).status?.clientEnv,
        },
      ],
    };
    const manifest = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'client' }, spec: pod });
    const dry = await cluster.plane.kubectl(
      ['--namespace', cluster.namespace, 'apply', '--dry-run=server', '--validate=strict', '-f', '-'],
      manifest,
    );
    expect(dry).toMatchObject({ code: 0 });
  });

  test('the value is nowhere but in its Secret', async () => {
    const value = (await token('ci-key')).slice('sk-pc-'.length + 4);
    const everything = await cluster.kubectl('get', 'virtualkeys,gateways,configmaps,events,leases,pods', '-o', 'yaml');
    expect(everything).toContain('sk-pc-');
    expect(everything).not.toContain(value);
    const secrets = JSON.parse(await cluster.kubectl('get', 'secrets', '-o', 'json')) as { items: Secret[] };
    const holders = secrets.items.filter(({ data }) =>
      Object.values(data ?? {}).some((text) => Buffer.from(text, 'base64').toString('latin1').includes(value)),
    );
    expect(holders.map(({ metadata }) => metadata.name)).toEqual(['ci-key']);
    expect(cluster.operators.map((operator) => operator.log()).join('')).not.toContain(value);
  });

  test('[ADMIN-20] [KEY-16] kubectl get shows owner, team, phase and end', async () => {
    await key('dated', 'expiresAt: "2099-01-01T00:00:00Z"');
    await token('dated-key');
    await expect.poll(() => condition('dated', 'Ready'), POLL).toMatchObject({ status: 'True' });
    const table = await cluster.kubectl('get', 'pvk', 'dated', '-o', 'wide');
    const [head = '', row = ''] = table.trim().split('\n');
    const cell = (column: string) => row.slice(head.indexOf(column)).split(/\s{2,}/)[0];
    expect([cell('OWNER '), cell('TEAM'), cell('PHASE'), cell('EXPIRES')]).toEqual([
      'dated',
      'build',
      'Active',
      '2099-01-01T00:00:00.000Z',
    ]);
    expect(head).toMatch(/SECRET.*NEXT ROTATION.*GRACE UNTIL.*OLD SECRET USED/);
    expect(await cluster.kubectl('get', 'pvk', '-l', 'team=build', '-o', 'name')).toContain(
      'virtualkey.portcullis.dev/dated',
    );
  });
});

describe('rotation', () => {
  test('[KEY-03] [KEY-05] [KEY-06] by annotation: the new value is good the moment the Secret holds it, the old one until the end of grace', async () => {
    await key('turn', 'rotation: {grace: 6s}');
    const old = await token('turn-key');
    await annotate('turn', 'one');
    const fresh = await token('turn-key', old);
    expect(await answers(fresh)).toEqual(everywhere(200));
    expect(await answers(old)).toEqual(everywhere(200));
    await expect.poll(async () => (await object('turn')).status?.phase, POLL).toBe('Grace');
    const until = Date.parse((await object('turn')).status?.previous?.until ?? '');
    await expect.poll(() => answers(old), POLL).toEqual(everywhere(401));
    expect(Date.now()).toBeGreaterThanOrEqual(until);
    expect(await answers(fresh)).toEqual(everywhere(200));
    await expect.poll(async () => (await object('turn')).status?.previous, POLL).toBeUndefined();
    await expect.poll(async () => (await object('turn')).status?.phase, POLL).toBe('Active');
  }, 60_000);

  test('[KEY-07] who still uses the old value during grace stands in the status', async () => {
    await key('stale');
    const old = await token('stale-key');
    await annotate('stale', 'one');
    await token('stale-key', old);
    await answers(old);
    await expect
      .poll(async () => (await object('stale')).status?.previous, { timeout: 60_000 })
      .toMatchObject({
        lastUsedAt: expect.any(String) as string,
        uses: expect.any(Number) as number,
        addresses: ['127.0.0.1'],
      });
  }, 90_000);

  test('[KEY-04] forty rotations side by side refuse nobody, and an operator killed in between goes on', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `many-${index}`);
    await Promise.all(names.map((name) => key(name)));
    let values = await Promise.all(names.map((name) => token(`${name}-key`)));
    const [operator] = cluster.operators;
    for (let round = 0; round < 2; round++) {
      const asked = Promise.all(names.map((name) => annotate(name, `round-${round}`)));
      if (round === 1) {
        await operator!.kill('SIGKILL');
        operator!.start();
      }
      await asked;
      const refused: string[] = [];
      const next = await Promise.all(
        names.map(async (name, index) => {
          const value = await token(`${name}-key`, values[index]);
          for (const good of [value, values[index] ?? '']) {
            const got = await answers(good);
            if (got.some((status) => status !== 200)) refused.push(`${name} round ${round}: ${got.join()}`);
          }
          return value;
        }),
      );
      expect(refused).toEqual([]);
      values = next;
    }
  }, 180_000);
});

test('a value is written only onto the state it was worked out from, and beside what others write into the status', async () => {
  const { admin } = cluster.plane;
  const { namespace } = cluster;
  // No Gateway of that name: the operator reports on the key and makes nothing for it.
  const spec = {
    gatewayRef: { name: 'nobody' },
    owner: { type: 'Service', name: 'x' },
    credential: { type: 'Generated', generated: { secretName: 'x' } },
  };
  const manifest = { metadata: { namespace, name: 'written' }, spec };
  const created = await admin.create<Key>(RESOURCE.VirtualKey, manifest);
  await expect.poll(() => condition('written', 'Accepted'), POLL).toMatchObject({ reason: 'GatewayNotFound' });
  const view = keyView(created)!;
  const value = (serial: number, delivered = false) => ({
    credential: {
      serial,
      hash: String(serial).repeat(64),
      prefix: 'sk-pc-',
      pepper: '0'.repeat(8),
      delivered,
      mintedAt: '2026-01-01T00:00:00.000Z',
    },
  });
  // Seen before the status was written: the version is old, the state it rests on is not.
  await writeStored(admin, view, {}, value(1));
  expect(storedKey((await object('written')).status)).toEqual(value(1));
  expect(await condition('written', 'Accepted')).toMatchObject({ reason: 'GatewayNotFound' });
  await expect(writeStored(admin, view, {}, value(2))).rejects.toThrow(StaleError);
  await writeStored(admin, view, value(1), value(1, true));
  await expect(writeStored(admin, { ...view, uid: 'another-life' }, value(1, true), value(3))).rejects.toThrow(
    StaleError,
  );
  expect(storedKey((await object('written')).status)).toEqual(value(1, true));

  const text = await cluster.kubectl('get', 'pvk', 'written', '-o', 'json', '--show-managed-fields');
  const { managedFields } = (JSON.parse(text) as { metadata: { managedFields: Managed[] } }).metadata;
  const owned = (manager: string) =>
    Object.keys(managedFields.find((each) => each.manager === manager)?.fieldsV1['f:status'] ?? {}).sort();
  expect(owned(KEYS_MANAGER)).toEqual(['f:credential']);
  expect(owned(STATUS_MANAGER)).not.toContain('f:credential');
  expect(owned(STATUS_MANAGER)).toContain('f:conditions');
});

interface Managed {
  readonly manager: string;
  readonly fieldsV1: Readonly<Record<string, object>>;
}

describe('the end of a key', () => {
  test('[KEY-01] a ttl ends it on every pod', async () => {
    await key('brief', 'ttl: 8s');
    const value = await token('brief-key');
    expect(await answers(value)).toEqual(everywhere(200));
    await expect.poll(() => answers(value), POLL).toEqual(everywhere(401));
    await expect.poll(async () => (await object('brief')).status?.phase, POLL).toBe('Expired');
  }, 60_000);

  test('[KEY-10] disabled and back, revoked for good, deleted and never imported again', async () => {
    await key('end');
    const value = await token('end-key');
    await edit('end', { state: 'Disabled' });
    await expect.poll(() => answers(value), POLL).toEqual(everywhere(403));
    await edit('end', { state: 'Active' });
    await expect.poll(() => answers(value), POLL).toEqual(everywhere(200));
    await edit('end', { state: 'Revoked' });
    await expect.poll(() => answers(value), POLL).toEqual(everywhere(401));
    await expect(edit('end', { state: 'Active' })).rejects.toThrow('a revoked key stays revoked');

    await key('gone');
    const lost = await token('gone-key');
    await cluster.kubectl('delete', 'virtualkey', 'gone', 'end');
    await expect.poll(() => answers(lost), POLL).toEqual(everywhere(401));
    // Owned by the key, it goes with it.
    await expect.poll(() => cluster.secret('gone-key', 'token'), POLL).toBeUndefined();
    for (const [name, buried] of Object.entries({ back: lost, again: value })) {
      await cluster.apply(`
apiVersion: v1
kind: Secret
metadata: {name: ${name}}
stringData: {value: ${buried}}
---
apiVersion: portcullis.dev/v1alpha1
kind: VirtualKey
metadata: {name: ${name}}
spec:
  gatewayRef: {name: claude}
  owner: {type: Service, name: ${name}}
  credential: {type: Imported, imported: {secretRef: {name: ${name}, key: value}}}
`);
      await expect
        .poll(() => condition(name, 'Accepted'), POLL)
        .toMatchObject({ status: 'False', reason: 'Tombstoned' });
      expect(await answers(buried)).toEqual(everywhere(401));
    }
  }, 90_000);

  test('[KEY-14] a key of another environment is refused, and says so', async () => {
    await key('foreign', 'environment: dev');
    await expect
      .poll(() => condition('foreign', 'Accepted'), POLL)
      .toMatchObject({ status: 'False', reason: 'EnvironmentMismatch' });
    const value = await token('foreign-key');
    expect((await answers(value)).every((status) => status >= 400)).toBe(true);
  });

  test('[KEY-05] a Secret deleted by hand takes nothing from the key, and rotation brings a new one', async () => {
    await key('lost');
    const value = await token('lost-key');
    await expect.poll(() => condition('lost', 'ResolvedRefs'), POLL).toMatchObject({ status: 'True' });
    await cluster.kubectl('delete', 'secret', 'lost-key');
    await expect
      .poll(() => condition('lost', 'ResolvedRefs'), POLL)
      .toMatchObject({ status: 'False', reason: 'SecretLost' });
    expect(await answers(value)).toEqual(everywhere(200));
    await annotate('lost', 'new');
    const fresh = await token('lost-key');
    expect(fresh).not.toBe(value);
    expect(await answers(fresh)).toEqual(everywhere(200));
    await expect.poll(() => condition('lost', 'ResolvedRefs'), POLL).toMatchObject({ status: 'True' });
  }, 60_000);
});
