// Publishing to a real API server, as an operator that may do exactly what it needs: what is published is what a reader gets; killed between any
// two writes; two operators at once; the size we promise; and what goes when the Gateway goes.
import { createHash, randomBytes } from 'node:crypto';
import pino from 'pino';
import { beforeAll, describe, expect, test } from 'vitest';
import { ROLES, type GatewayIdentity } from '#operator/publish/objects.ts';
import { createPublisher, type Publisher } from '#operator/publish/publisher.ts';
import { compiledOf, entryOf, presentOf } from '#operator/publish/testing.ts';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import { readIndex } from '#shared/bundle/index-text.ts';
import { decodePart, parseJson, readBundle, readCredentials } from '#shared/bundle/parts.ts';
import {
  INDEX_KEY,
  indexName,
  MAX_PART_BYTES,
  PART_KEY,
  partName,
  type BundleIndex,
} from '#shared/bundle/publication.ts';
import type { KubeClient } from '#shared/kube/client.ts';
import { GATEWAY_LABEL, ROLE_LABEL } from '#shared/kube/labels.ts';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import type { ConfigMap, Role, RoleBinding, Secret } from '#shared/kube/types.ts';
import { sharedControlPlane, testNamespace } from '../harness/kubernetes/shared-control-plane.ts';

const plane = await sharedControlPlane();
const silent = pino({ level: 'silent' });
let namespace: string;
let operator: KubeClient;
let processes = 0;

beforeAll(async () => {
  namespace = await testNamespace('publish');
  const role: Role = {
    metadata: { name: 'publisher', namespace },
    rules: [
      {
        apiGroups: [''],
        resources: ['configmaps', 'secrets'],
        // To change an owner reference takes leave to delete, where owner references are checked.
        verbs: ['get', 'list', 'create', 'update', 'patch', 'delete'],
      },
    ],
  };
  await plane.admin.create(RESOURCE.Role, role);
  const binding: RoleBinding = {
    metadata: { name: 'publisher', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'publisher' },
    subjects: [{ kind: 'ServiceAccount', name: 'default', namespace }],
  };
  await plane.admin.create(RESOURCE.RoleBinding, binding);
  operator = await plane.clientAs(namespace, 'default');
});

/** A Gateway that exists, or the garbage collector would take what it owns. */
async function makeGateway(name: string): Promise<GatewayIdentity> {
  const gateway = { metadata: { name, namespace }, spec: { publicUrl: 'https://claude.corp' } };
  const { metadata } = await plane.admin.create<KubeObject>(RESOURCE.Gateway, gateway);
  return { name, namespace, uid: metadata.uid! };
}

const publisherOf = (client: KubeClient = operator): Publisher =>
  createPublisher(client, {
    identity: `operator-${++processes}`,
    writer: '1.0.0',
    now: Date.now,
    randomBytes,
    log: silent,
  });

interface Reading {
  readonly index: BundleIndex;
  readonly bundle: string;
  readonly secret: string;
  readonly keys: readonly KeyEntry[];
}

/** Reads as a pod does; again when it was overtaken. */
async function read(gateway: GatewayIdentity): Promise<Reading | undefined> {
  for (let attempt = 0; ; attempt++) {
    const object = await plane.admin.get<ConfigMap>(RESOURCE.ConfigMap, { namespace, name: indexName(gateway.name) });
    const text = object.data?.[INDEX_KEY];
    if (text === undefined) return undefined;
    const index = readIndex(text);
    try {
      const json = new Map<string, Buffer>();
      for (const [part, entry] of Object.entries(index.parts)) {
        const at = { namespace, name: partName(gateway.name, part, entry.slot) };
        const content =
          part === 'bundle'
            ? (await plane.admin.get<ConfigMap>(RESOURCE.ConfigMap, at)).binaryData
            : (await plane.admin.get<Secret>(RESOURCE.Secret, at)).data;
        json.set(part, await decodePart(part, Buffer.from(content?.[PART_KEY] ?? '', 'base64'), entry));
      }
      const keys = [...json].filter(([part]) => part.startsWith('keys-'));
      return {
        index,
        bundle: readBundle(json.get('bundle')!).gateway.name,
        secret: readCredentials(json.get('credentials')!).values['upstream']!.reveal(),
        keys: keys.flatMap(([part, text]) => parseJson(part, text) as KeyEntry[]),
      };
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

const summary = ({ bundle, secret, keys }: Reading): string =>
  [bundle, secret, ...keys.map(({ key, state }) => `${key} ${state}`).sort()].join('\n');

/** A client of a process that dies: writes from the given one on do not arrive, or their answers do not. */
function dyingAt(write: number, death: 'before' | 'after', written: () => Promise<void>): KubeClient {
  let writes = 0;
  let dead = false;
  async function mortal<T>(call: () => Promise<T>): Promise<T> {
    if (dead) throw new Error('dead');
    dead = writes++ === write;
    if (dead && death === 'before') throw new Error('dead');
    const answer = await call();
    await written();
    if (dead) throw new Error('dead');
    return answer;
  }
  return {
    ...operator,
    get: (...call) => operator.get(...call),
    list: (...call) => operator.list(...call),
    create: (...call) => mortal(() => operator.create(...call)),
    replace: (...call) => mortal(() => operator.replace(...call)),
    patch: (...call) => mortal(() => operator.patch(...call)),
  };
}

describe('on a real API server', () => {
  test('what is published is what a reader gets; unchanged writes nothing, one changed key its shard and the index', async () => {
    const gateway = await makeGateway('plain');
    const publisher = publisherOf();
    const pepper = (await publisher.load(gateway)).pepper.reveal();
    const entries = Array.from({ length: 3_000 }, (_, at) => entryOf(`key-${at}`));
    const first = await publisher.publish(gateway, compiledOf(entries, { pepper }), presentOf(entries));
    expect(first.changedParts).toHaveLength(2 + 4);
    expect(await read(gateway)).toMatchObject({
      index: { revision: first.revision, sequence: first.sequence },
      secret: 'sk-upstream',
    });

    const next = publisherOf();
    expect(await next.load(gateway)).toMatchObject({ published: { sequence: first.sequence } });
    expect((await next.publish(gateway, compiledOf(entries, { pepper }), presentOf(entries))).writes).toBe(0);
    const changed = entries.map((entry, at) => (at === 7 ? { ...entry, state: 'Disabled' as const } : entry));
    const { writes, changedParts } = await next.publish(gateway, compiledOf(changed, { pepper }), presentOf(entries));
    expect([writes, changedParts.length]).toEqual([2, 1]);
    expect((await read(gateway))!.keys.find(({ key }) => key === 'platform/key-7')?.state).toBe('Disabled');
  });

  test('[OPS-05] killed at any write: readers have the old publication or the new one, and the next start converges', async () => {
    const gateway = await makeGateway('killed');
    const starter = publisherOf();
    const pepper = (await starter.load(gateway)).pepper.reveal();
    let keys = [entryOf('old-1'), entryOf('old-2')];
    const compiled = (name: string) => compiledOf(keys, { pepper, bundle: name, secret: name });
    await starter.publish(gateway, compiled('start'), presentOf(keys));
    for (let write = 0; write < 8; write++) {
      for (const death of ['before', 'after'] as const) {
        const before = summary((await read(gateway))!);
        keys = [keys.at(-1)!, entryOf(`key-${write}-${death}`)];
        const next = compiled(`${write}-${death}`);
        const seen = new Set<string>();
        const client = dyingAt(write, death, async () => void seen.add(summary((await read(gateway))!)));
        const outcome = await publisherOf(client)
          .publish(gateway, next, presentOf(keys))
          .then(
            () => 'done',
            () => 'died',
          );
        // Claim, dead keys, tombstones, three parts, index.
        expect([write, death, outcome]).toEqual([write, death, write < 7 ? 'died' : 'done']);
        const heir = publisherOf();
        await heir.publish(gateway, next, presentOf(keys));
        const after = summary((await read(gateway))!);
        expect([...seen].filter((each) => each !== before && each !== after)).toEqual([]);
        expect(after).toContain(`${write}-${death}`);
        expect(await heir.verify(gateway)).toBe(true);
      }
    }
    const { tombstones } = await publisherOf().load(gateway);
    expect(tombstones.size).toBe(2 + 8 * 2 - 2);
  });

  test('[OPS-05] two operators at once: whoever claimed last wins, and a reader never finds a torn set', async () => {
    const gateway = await makeGateway('two');
    const older = publisherOf();
    const pepper = (await older.load(gateway)).pepper.reveal();
    const work = async (publisher: Publisher, name: string): Promise<string> => {
      for (let round = 0; round < 10; round++) {
        const keys = [entryOf(`${name}-${round}`)];
        const compiled = compiledOf(keys, { pepper, bundle: name, secret: name });
        try {
          await publisher.publish(gateway, compiled, presentOf(keys));
        } catch (error) {
          return (error as { code?: string }).code ?? String(error);
        }
      }
      return 'done';
    };
    await older.publish(gateway, compiledOf([], { pepper }), new Set());
    const working = new AbortController();
    const sequences: number[] = [];
    const reader = (async () => {
      while (!working.signal.aborted) {
        const { index, bundle, secret } = (await read(gateway))!;
        sequences.push(index.sequence);
        expect(index.sequence === sequences[0] || bundle === secret).toBe(true);
      }
    })();
    const outcome = await Promise.all([work(older, 'older'), work(publisherOf(), 'newer')]);
    working.abort();
    await reader;
    expect(outcome).toEqual(['superseded', 'done']);
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    expect(await read(gateway)).toMatchObject({ bundle: 'newer', secret: 'newer' });
  });

  test('the largest part we write is one the server takes', async () => {
    const content = { [PART_KEY]: randomBytes(MAX_PART_BYTES).toString('base64') };
    const secret: Secret = { metadata: { name: 'largest', namespace }, data: content };
    const configMap: ConfigMap = { metadata: { name: 'largest', namespace }, binaryData: content };
    await operator.create(RESOURCE.Secret, secret);
    await operator.create(RESOURCE.ConfigMap, configMap);
    await operator.delete(RESOURCE.Secret, { name: 'largest', namespace });
  });

  test('a Gateway that is deleted takes everything published with it', { timeout: 120_000 }, async () => {
    const gateway = await makeGateway('gone');
    const publisher = publisherOf();
    const pepper = (await publisher.load(gateway)).pepper.reveal();
    await publisher.publish(gateway, compiledOf([entryOf('a')], { pepper }), new Set(['platform/a']));
    await publisher.publish(gateway, compiledOf([], { pepper }), new Set());
    const left = async (): Promise<string[]> => {
      const query = { namespace, labelSelector: `${GATEWAY_LABEL}=gone`, metadataOnly: true };
      const pages = await Promise.all(
        [RESOURCE.Secret, RESOURCE.ConfigMap].map((type) => plane.admin.list(type, query, {})),
      );
      return pages.flatMap(({ items }) => items.map(({ metadata }) => metadata.labels?.[ROLE_LABEL] ?? ''));
    };
    expect(new Set(await left())).toEqual(new Set([...ROLES.ConfigMap, ...ROLES.Secret]));
    await plane.admin.delete(RESOURCE.Gateway, { namespace, name: 'gone' });
    // The garbage collector of a fresh control plane looks for new kinds every half minute.
    await expect.poll(left, { timeout: 90_000, interval: 200 }).toEqual([]);
  });
});

describe('100,000 keys', () => {
  test(
    'are published whole; one changed key takes a part of a second, and so does a revocation',
    { timeout: 120_000 },
    async () => {
      const gateway = await makeGateway('big');
      const publisher = publisherOf();
      const pepper = (await publisher.load(gateway)).pepper.reveal();
      const entries = Array.from({ length: 100_000 }, (_, at): KeyEntry => {
        const team = `team-${at % 300}`;
        const name = `${team}/key-${at}`;
        return entryOf(name, {
          hash: createHash('sha256').update(name).digest('hex'),
          key: name,
          namespace: team,
          owner: { type: 'User', name: `${team}/user-${at}@example.com` },
          labels: { team, 'cost-center': `cc-${at % 1000}` },
          expiresAt: 1_990_000_000_000 + at,
        });
      }).sort((a, b) => (a.hash < b.hash ? -1 : 1));
      const times: Record<string, number> = {};
      const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
        const start = performance.now();
        const result = await work();
        times[name] = Math.round(performance.now() - start);
        return result;
      };
      const present = presentOf(entries);
      const publish = (keys: readonly KeyEntry[], by = publisher) =>
        by.publish(gateway, { ...compiledOf([], { pepper }), keys }, present);

      const full = await timed('full publication', () => publish(entries));
      expect(full.changedParts).toHaveLength(2 + 32);
      const index = (await read(gateway))!;
      expect(index.keys).toHaveLength(100_000);

      const disabled = entries.with(50_000, { ...entries[50_000]!, state: 'Disabled' });
      const one = await timed('one changed key, objects kept', () => publish(disabled));
      expect([one.writes, one.changedParts.length]).toEqual([2, 1]);

      const fresh = structuredClone(disabled);
      const none = await timed('no change, every object another one', () => publish(fresh));
      expect(none.writes).toBe(0);

      const revoked = fresh.with(10, { ...fresh[10]!, state: 'Revoked' });
      const start = performance.now();
      const publishing = publish(revoked);
      await expect
        .poll(
          async () => {
            const { data } = await plane.admin.get<ConfigMap>(RESOURCE.ConfigMap, {
              namespace,
              name: indexName('big'),
            });
            const { revoked: named, sequence } = readIndex(data![INDEX_KEY]!);
            return named.includes(revoked[10]!.hash) || sequence > one.sequence + 1;
          },
          { interval: 5 },
        )
        .toBe(true);
      times['revocation readable'] = Math.round(performance.now() - start);
      await publishing;

      const heir = publisherOf();
      await timed('start of the next operator', () => heir.load(gateway));
      const compiledAnew = structuredClone(revoked);
      const again = await timed('its first publication, unchanged', () => publish(compiledAnew, heir));
      expect(again.writes).toBe(0);
      const sizes = Object.values(index.index.parts).map(({ size }) => size);
      console.log('100,000 keys, milliseconds:', times, 'largest part, bytes of JSON:', Math.max(...sizes));
      // Two cores shared with whatever else runs: the bounds catch a change of kind, not of degree.
      expect(times['one changed key, objects kept']).toBeLessThan(2_000);
      expect(times['revocation readable']).toBeLessThan(1_000);
    },
  );
});
