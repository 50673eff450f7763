import pino from 'pino';
import { beforeEach, describe, expect, test } from 'vitest';
import { PartError } from '#shared/bundle/parts.ts';
import { INDEX_KEY, indexName, MAX_REVOKED } from '#shared/bundle/publication.ts';
import { GATEWAY_LABEL, MANAGED_BY, ROLE_LABEL } from '#shared/kube/labels.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import { conditionOf } from './errors.ts';
import { PUBLISHER_ANNOTATION, type StoredObject } from './objects.ts';
import type { Published, Publisher } from './publisher.ts';
import {
  compiledOf,
  entryOf,
  GATEWAY,
  hashOf,
  MemoryApi,
  PEPPER,
  presentOf,
  publisherOn,
  readIndexObject,
  readPublication,
} from './testing.ts';
import type { KeyEntry } from '#shared/bundle/bundle.ts';

let api: MemoryApi;
let publisher: Publisher;
let pepper: string;

const keys = (count: number): KeyEntry[] => Array.from({ length: count }, (_, at) => entryOf(`key-${at}`));

function publish(
  entries: readonly KeyEntry[],
  parts: Parameters<typeof compiledOf>[1] = {},
  by = publisher,
): Promise<Published> {
  return by.publish(GATEWAY, compiledOf(entries, { pepper, ...parts }), presentOf(entries));
}

const without = (entries: readonly KeyEntry[], name: string): KeyEntry[] =>
  entries.filter(({ key }) => key !== `platform/${name}`);

async function restart(): Promise<Publisher> {
  const next = publisherOn(api);
  await next.load(GATEWAY);
  return next;
}

const hashes = (entries: readonly KeyEntry[]): string[] => entries.map(({ hash }) => hash).sort();

beforeEach(async () => {
  api = new MemoryApi();
  publisher = publisherOn(api);
  pepper = (await publisher.load(GATEWAY)).pepper.reveal();
});

describe('a catalog', () => {
  test('[SPEND-19] that is published is what stays in force, also for the next operator', async () => {
    const catalog = { models: [{ id: 'claude-opus-9' }] };
    const compiled = compiledOf(keys(1), { pepper });
    expect((await publisher.load(GATEWAY)).catalog).toBeUndefined();
    await publisher.publish(
      GATEWAY,
      { ...compiled, bundle: { ...compiled.bundle, catalog } },
      presentOf(compiled.keys),
    );
    expect((await publisher.load(GATEWAY)).catalog).toEqual(catalog);
    const next = await restart();
    expect((await next.load(GATEWAY)).catalog).toEqual(catalog);
    await next.publish(GATEWAY, compiled, presentOf(compiled.keys));
    expect((await next.load(GATEWAY)).catalog).toBeUndefined();
    expect((await (await restart()).load(GATEWAY)).catalog).toBeUndefined();
  });
});

describe('a publication', () => {
  test('is what readers get, and every object is owned and labelled, with nothing of its parent', async () => {
    const entries = keys(3);
    const { sequence, revision, changedParts } = await publish(entries);
    const reading = await readPublication(api);
    expect(reading).toMatchObject({
      bundle: 'one',
      secret: 'sk-upstream',
      pepper,
      index: { sequence, revision, writer: '1.0.0' },
    });
    expect(hashes(reading!.keys)).toEqual(hashes(entries));
    expect(changedParts).toEqual(['bundle', 'credentials', 'keys-00']);
    for (const { metadata } of api.objects.values()) {
      expect(metadata.ownerReferences).toEqual([
        { apiVersion: 'portcullis.dev/v1alpha1', kind: 'Gateway', name: 'claude', uid: 'uid-1', controller: true },
      ]);
      expect(Object.keys(metadata.labels ?? {}).sort()).toEqual(
        [...Object.keys(MANAGED_BY), GATEWAY_LABEL, ROLE_LABEL].sort(),
      );
      expect(Object.keys(metadata.annotations ?? {})).toEqual(
        metadata.name === 'claude-index' ? [PUBLISHER_ANNOTATION] : [],
      );
    }
    expect([...api.objects.keys()].sort()).toEqual([
      'ConfigMap platform/claude-bundle-a',
      'ConfigMap platform/claude-index',
      'Secret platform/claude-credentials-a',
      'Secret platform/claude-keys-00-a',
      'Secret platform/claude-pepper',
    ]);
  });

  test('[SEC-21] has no secret in a ConfigMap', async () => {
    await publish(keys(3));
    const text = [...api.objects]
      .filter(([key]) => key.startsWith('ConfigMap'))
      .map(([, object]) => JSON.stringify(object));
    const read = Buffer.from(JSON.parse(text[0]!).binaryData?.['part.json.gz'] ?? '', 'base64').toString('latin1');
    expect([...text, read].join('\n')).not.toContain('sk-upstream');
    expect(text.join('\n')).not.toContain(pepper);
  });

  test('unchanged writes nothing, whether entries are the same objects or new ones, also after a restart', async () => {
    const first = await publish(keys(5));
    for (const by of [publisher, await restart()]) {
      const { changedParts, writes, sequence, revision } = await publish(keys(5), {}, by);
      expect({ changedParts, writes, sequence, revision }).toEqual({
        changedParts: [],
        writes: 0,
        sequence: first.sequence,
        revision: first.revision,
      });
    }
  });

  test('of one changed key writes one shard of many and the index', async () => {
    const entries = keys(5_000);
    await publish(entries);
    api.log.length = 0;
    const changed = entries.map((entry) =>
      entry.key === 'platform/key-77' ? { ...entry, state: 'Disabled' as const } : entry,
    );
    const { changedParts, writes } = await publish(changed);
    expect(changedParts).toHaveLength(1);
    expect(changedParts[0]).toMatch(/^keys-0\d$/);
    expect(writes).toBe(2);
    expect(api.log).toEqual([`claude-${changedParts[0]}-b`, 'claude-index']);
    expect((await readPublication(api))!.keys.find(({ key }) => key === 'platform/key-77')?.state).toBe('Disabled');
  });

  test('counts up, and content that comes back has the revision it had', async () => {
    const a = await publish(keys(1));
    const b = await publish(keys(2));
    const c = await publish(keys(1));
    expect([b.sequence > a.sequence, c.sequence > b.sequence]).toEqual([true, true]);
    expect([a.revision === c.revision, a.revision === b.revision]).toEqual([true, false]);
  });

  test('made anew after its index was lost never counts from below', async () => {
    let clock = 5_000;
    publisher = publisherOn(api, { now: () => clock });
    await publisher.load(GATEWAY);
    for (let count = 1; count < 10; count++) await publish(keys(count));
    const { sequence } = await publish(keys(1));
    clock += 60_000;
    api.edit(RESOURCE.ConfigMap, 'claude-index', () => undefined);
    const next = publisherOn(api, { now: () => clock });
    await next.load(GATEWAY);
    expect((await publish(keys(1), {}, next)).sequence).toBeGreaterThan(sequence);
  });

  test('grows and shrinks its shards, with every key in them throughout', async () => {
    for (const count of [1_000, 1_025, 1_000, 5_000, 100]) {
      const entries = keys(count);
      await publish(entries);
      expect(hashes((await readPublication(api))!.keys)).toEqual(hashes(entries));
    }
    expect(readIndexObject(api)?.keyParts).toBe(1);
  });
});

describe('a key that dies', () => {
  test('[KEY-08] is named in the index before any other write, and by nothing once its shard is written', async () => {
    const entries = keys(5);
    await publish(entries);
    for (const [title, next] of [
      [
        'revoked',
        entries.map((entry) => (entry.key === 'platform/key-1' ? { ...entry, state: 'Revoked' as const } : entry)),
      ],
      ['deleted', without(entries, 'key-2')],
    ] as const) {
      const dead = hashOf(title === 'revoked' ? 'key-1' : 'key-2');
      const seen: (readonly string[])[] = [];
      api.written = () => void seen.push(readIndexObject(api)!.revoked);
      await publish(next);
      expect(seen[0]).toContain(dead);
      expect(seen.at(-1)).toEqual([]);
    }
  });

  test('[KEY-08] is named in the index also when the shards cannot be written', async () => {
    const entries = keys(3);
    await publish(entries);
    api.hook = (verb, name) => {
      if (name.startsWith('claude-keys') && verb !== 'get') throw new Error('slow store');
    };
    await expect(publish(without(entries, 'key-0'))).rejects.toThrow('slow store');
    expect(readIndexObject(api)?.revoked).toEqual([hashOf('key-0')]);
    api.hook = () => {};
    const next = await restart();
    await publish(without(entries, 'key-0'), {}, next);
    expect(readIndexObject(api)?.revoked).toEqual([]);
    expect(hashes((await readPublication(api))!.keys)).toEqual(hashes(without(entries, 'key-0')));
  });

  test('together with more than the index names is refused when its shard is written', async () => {
    const entries = keys(MAX_REVOKED + 50);
    await publish(entries);
    const sizes: number[] = [];
    api.written = () => void sizes.push(readIndexObject(api)!.revoked.length);
    await publish([]);
    expect(sizes[0]).toBe(MAX_REVOKED);
    expect((await readPublication(api))!.keys).toEqual([]);
  });

  test('is revoked for a Gateway that does not compile, until it is published again', async () => {
    const entries = keys(2);
    await publish(entries);
    await publisher.revoke(GATEWAY, [hashOf('key-0')]);
    await publisher.revoke(GATEWAY, [hashOf('key-0')]);
    expect(readIndexObject(api)?.revoked).toEqual([hashOf('key-0')]);
    await publish(entries);
    expect(readIndexObject(api)?.revoked).toEqual([]);
  });

  test('[KEY-10] leaves a tombstone, also when it was deleted while no operator ran; a typing error leaves none', async () => {
    const entries = keys(4);
    await publish(entries);
    const revoked = entries.map((entry) =>
      entry.key === 'platform/key-0' ? { ...entry, state: 'Revoked' as const } : entry,
    );
    await publish(without(revoked, 'key-1'));
    const next = await restart();
    expect([...(await next.load(GATEWAY)).tombstones].sort()).toEqual([hashOf('key-0'), hashOf('key-1')].sort());
    const left = without(without(revoked, 'key-1'), 'key-2');
    const broken = without(left, 'key-3');
    await next.publish(GATEWAY, compiledOf(broken, { pepper }), presentOf(left));
    const { tombstones } = await (await restart()).load(GATEWAY);
    expect([...tombstones].sort()).toEqual([hashOf('key-0'), hashOf('key-1'), hashOf('key-2')].sort());
  });

  test('[KEY-10] has its tombstone before its shard is written', async () => {
    const entries = keys(2);
    await publish(entries);
    api.log.length = 0;
    await publish(without(entries, 'key-0'));
    expect(api.log).toEqual(['claude-index', 'claude-tombstones', 'claude-keys-00-b', 'claude-index']);
  });
});

describe('what somebody alters by hand', () => {
  const alter = (name: string) => (object: StoredObject) => ({
    ...object,
    data: { [name]: Buffer.from('[]').toString('base64') },
  });
  test.each([
    ['a shard deleted', () => api.edit(RESOURCE.Secret, 'claude-keys-00-a', () => undefined)],
    ['a shard altered', () => api.edit(RESOURCE.Secret, 'claude-keys-00-a', alter('part.json.gz'))],
    ['a shard emptied', () => api.edit(RESOURCE.Secret, 'claude-keys-00-a', alter('other'))],
    ['the bundle deleted', () => api.edit(RESOURCE.ConfigMap, 'claude-bundle-a', () => undefined)],
    ['credentials altered', () => api.edit(RESOURCE.Secret, 'claude-credentials-a', alter('part.json.gz'))],
    ['the index deleted', () => api.edit(RESOURCE.ConfigMap, 'claude-index', () => undefined)],
    [
      'the index broken',
      () => api.edit(RESOURCE.ConfigMap, 'claude-index', (object) => ({ ...object, data: { [INDEX_KEY]: '{' } })),
    ],
    ['the index emptied', () => api.edit(RESOURCE.ConfigMap, 'claude-index', ({ metadata }) => ({ metadata }))],
    [
      'the index set back',
      () =>
        api.edit(RESOURCE.ConfigMap, 'claude-index', (object) => ({
          ...object,
          data: { [INDEX_KEY]: JSON.stringify({ ...readIndexObject(api), sequence: 1 }) },
        })),
    ],
    [
      'the index of a later format',
      () =>
        api.edit(RESOURCE.ConfigMap, 'claude-index', (object) => ({
          ...object,
          data: { [INDEX_KEY]: '{"format":2}' },
        })),
    ],
    ['the pepper deleted', () => api.edit(RESOURCE.Secret, 'claude-pepper', () => undefined)],
    ['the tombstones deleted', () => api.edit(RESOURCE.Secret, 'claude-tombstones', () => undefined)],
    [
      'labels gone',
      () =>
        api.edit(RESOURCE.Secret, 'claude-keys-00-a', (object) => ({
          ...object,
          metadata: { ...object.metadata, labels: {} },
        })),
    ],
    ['everything deleted', () => api.objects.clear()],
  ])('%s: is noticed, and mended by the next publication, by this operator and by the next', async (title, edit) => {
    for (const restarted of [false, true]) {
      api = new MemoryApi();
      publisher = publisherOn(api);
      pepper = (await publisher.load(GATEWAY)).pepper.reveal();
      await publish(keys(4));
      await publish(keys(3));
      await publish([...keys(3), entryOf('other')]);
      await publish(keys(3));
      expect(await publisher.verify(GATEWAY)).toBe(true);
      const before = await readPublication(api);
      edit();
      expect(await publisher.verify(GATEWAY)).toBe(false);
      const everything = api.objects.size === 0;
      const by = restarted ? publisherOn(api) : publisher;
      // The lost pepper of everything that was lost cannot come back from nowhere.
      if (restarted && everything) pepper = (await by.load(GATEWAY)).pepper.reveal();
      await publish(keys(3), {}, by);
      const after = await readPublication(api);
      expect(after).toEqual({ ...before, pepper, index: expect.anything() as unknown });
      expect(await by.verify(GATEWAY)).toBe(true);
      const { tombstones } = await (await restart()).load(GATEWAY);
      const lost = restarted && (everything || title === 'the tombstones deleted');
      expect([...tombstones].sort()).toEqual(lost ? [] : [hashOf('key-3'), hashOf('other')].sort());
    }
  });

  test('a watch tells it; our own writes and what is none of ours, it passes over', async () => {
    await publish(keys(1));
    const late = api.find(RESOURCE.ConfigMap, 'claude-index')!.metadata;
    await publish(keys(2));
    for (const { metadata } of api.objects.values())
      expect(publisher.notice('platform/claude', metadata, false)).toBe(false);
    expect(publisher.notice('platform/claude', late, false)).toBe(false);
    const labels = { ...late.labels, [ROLE_LABEL]: 'virtual-key' };
    expect(publisher.notice('platform/claude', { ...late, name: 'out', resourceVersion: '9', labels }, false)).toBe(
      false,
    );
    expect(publisher.notice('platform/other', { ...late, resourceVersion: '9' }, false)).toBe(false);
    expect(publisher.notice('platform/claude', { ...late, resourceVersion: '9' }, false)).toBe(true);
    await publish(keys(2));
    expect(publisher.notice('platform/claude', late, true)).toBe(true);
  });

  test('an object of the same name that is not ours is never overwritten, and the condition names it', async () => {
    const theirs = { metadata: { name: 'claude-keys-00-a', namespace: 'platform' }, data: { mine: 'AA==' } };
    await publisher.publish(GATEWAY, compiledOf(keys(1), { pepper }), new Set(['platform/key-0']));
    for (const name of ['claude-tombstones', 'claude-keys-00-b']) {
      await api.client().create(RESOURCE.Secret, { ...theirs, metadata: { ...theirs.metadata, name } });
      const error: unknown = await publish([]).catch((error: unknown) => error);
      expect(conditionOf(error)).toMatchObject({
        reason: 'NameTaken',
        message: expect.stringContaining(name) as unknown,
      });
      expect(api.find(RESOURCE.Secret, name)?.data).toEqual(theirs.data);
      api.edit(RESOURCE.Secret, name, () => undefined);
    }
    await publish([]);
  });

  test('what a deleted Gateway of the same name left behind is taken over, so that nothing goes with the old one', async () => {
    await publish(keys(3));
    await publish(keys(2));
    const renewed = { ...GATEWAY, uid: 'uid-2' };
    const { tombstones, pepper: same } = await publisher.load(renewed);
    expect([same.reveal(), tombstones.size]).toEqual([pepper, 1]);
    await publisher.publish(renewed, compiledOf(keys(2), { pepper }), presentOf(keys(2)));
    // Garbage collection, at last.
    for (const [key, { metadata }] of api.objects)
      if (metadata.ownerReferences?.[0]?.uid === 'uid-1') api.objects.delete(key);
    expect(hashes((await readPublication(api))!.keys)).toEqual(hashes(keys(2)));
    expect([...api.objects.keys()]).toEqual(
      expect.arrayContaining(['Secret platform/claude-pepper', 'Secret platform/claude-tombstones']),
    );
    await publisher.publish(renewed, compiledOf(keys(1), { pepper }), presentOf(keys(1)));
    expect(hashes((await readPublication(api))!.keys)).toEqual(hashes(keys(1)));
  });
});

describe('the pepper', () => {
  const stored = (): string =>
    Buffer.from(api.find(RESOURCE.Secret, 'claude-pepper')!.data!['pepper']!, 'base64').toString();
  const set = (text: string): void =>
    api.edit(RESOURCE.Secret, 'claude-pepper', (object) => ({
      ...object,
      data: { pepper: Buffer.from(text).toString('base64') },
    }));

  test('is made once, of 256 random bits, kept from edits and found again', async () => {
    expect(stored()).toBe(pepper);
    expect(pepper).toMatch(/^[0-9a-f]{64}$/);
    expect(api.find(RESOURCE.Secret, 'claude-pepper')).toMatchObject({ immutable: true });
    expect((await (await restart()).load(GATEWAY)).pepper.reveal()).toBe(pepper);
  });

  test('comes back from the published copy when its Secret is lost', async () => {
    await publish(keys(1));
    api.edit(RESOURCE.Secret, 'claude-pepper', () => undefined);
    expect((await (await restart()).load(GATEWAY)).pepper.reveal()).toBe(pepper);
    expect(stored()).toBe(pepper);
  });

  test('altered while keys are published: theirs stays in use, the Secret is not touched, and people are told', async () => {
    await publish(keys(1));
    set(PEPPER);
    const next = await restart();
    expect((await next.load(GATEWAY)).pepper.reveal()).toBe(pepper);
    expect(stored()).toBe(PEPPER);
    expect((await publish(keys(2), {}, next)).warnings).toEqual([
      expect.stringMatching(/^Secret claude-pepper was altered/),
    ]);
    api.edit(RESOURCE.Secret, 'claude-pepper', () => undefined);
    await next.verify(GATEWAY);
    expect((await publish(keys(2), {}, next)).warnings).toEqual([]);
    expect(stored()).toBe(pepper);
  });

  test('lost with its published copy while keys are published is an error that says what to do; nothing is written', async () => {
    await publish(keys(1));
    api.edit(RESOURCE.Secret, 'claude-pepper', () => undefined);
    api.edit(RESOURCE.Secret, 'claude-credentials-a', () => undefined);
    const error: unknown = await publisherOn(api)
      .load(GATEWAY)
      .catch((error: unknown) => error);
    expect(conditionOf(error)).toMatchObject({
      reason: 'PepperLost',
      message: expect.stringContaining('claude-index') as unknown,
    });
    expect(api.find(RESOURCE.Secret, 'claude-pepper')).toBeUndefined();
    api.edit(RESOURCE.ConfigMap, 'claude-index', () => undefined);
    expect((await publisherOn(api).load(GATEWAY)).pepper.reveal()).toMatch(/^[0-9a-f]{64}$/);
  });

  test('that is none is an error, not a new one', async () => {
    set('short');
    const error: unknown = await publisherOn(api)
      .load(GATEWAY)
      .catch((error: unknown) => error);
    expect(conditionOf(error)).toMatchObject({ reason: 'PepperInvalid' });
    expect(stored()).toBe('short');
  });

  test('of people’s own, put there before any key, is used; what was compiled with another is not published', async () => {
    set(PEPPER);
    const next = await restart();
    expect((await next.load(GATEWAY)).pepper.reveal()).toBe(PEPPER);
    await expect(publish(keys(1), {}, next)).rejects.toMatchObject({ code: 'pepper_changed' });
  });
});

describe('limits and faults', () => {
  /** Text that does not compress. */
  const noise = (length: number): string =>
    Array.from({ length: Math.ceil(length / 64) }, (_, at) => hashOf(`${length} ${at}`)).join('');

  test('a part that is too large is a condition that names it, and the last publication stays', async () => {
    await publish(keys(1));
    const before = await readPublication(api);
    const error: unknown = await publish(keys(1), { bundle: noise(2_400_000) }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(PartError);
    expect(conditionOf(error)).toMatchObject({
      reason: 'PartTooLarge',
      message: expect.stringMatching(/^bundle: .*stays in force$/) as unknown,
    });
    expect(await readPublication(api)).toEqual(before);
  });

  test('few keys with much in them get as many shards as it takes', async () => {
    const entries = Array.from({ length: 60 }, (_, at) =>
      entryOf(`key-${at}`, { labels: { noise: noise(60_000 + at) } }),
    );
    const { changedParts } = await publish(entries);
    expect(readIndexObject(api)?.keyParts).toBe(4);
    expect(changedParts).toHaveLength(6);
    expect((await publish(entries)).writes).toBe(0);
    const one = [entryOf('key-0', { labels: { noise: noise(2_400_000) } })];
    const error: unknown = await publish(one).catch((error: unknown) => error);
    expect(conditionOf(error)).toMatchObject({
      reason: 'PartTooLarge',
      message: expect.stringMatching(/^keys-\d\d: .*fewer labels/) as unknown,
    });
  });

  test('another operator that took over is not written over, until it is long enough ago that this one must be the leader', async () => {
    let clock = 1_000;
    publisher = publisherOn(api, { now: () => clock });
    await publish(keys(2));
    const other = await restart();
    await publish(keys(3), {}, other);
    for (const wait of [0, 10_000, 19_999]) {
      clock += wait;
      await expect(publish(keys(1))).rejects.toMatchObject({ code: 'superseded' });
      await expect(publisher.load(GATEWAY)).rejects.toMatchObject({ code: 'superseded' });
    }
    expect(hashes((await readPublication(api))!.keys)).toEqual(hashes(keys(3)));
    clock += 1;
    await publish(keys(1));
    await expect(publish(keys(4), {}, other)).rejects.toMatchObject({ code: 'superseded' });
    expect(hashes((await readPublication(api))!.keys)).toEqual(hashes(keys(1)));
  });

  test('calls that overlap take turns', async () => {
    const results = await Promise.all([
      publish(keys(1)),
      publish(keys(2)),
      publisher.verify(GATEWAY),
      publish(keys(3)),
    ]);
    expect(hashes((await readPublication(api))!.keys)).toEqual(hashes(keys(3)));
    expect(results[2]).toBe(true);
  });

  test('[SEC-21] nothing secret is logged, whatever goes wrong', async () => {
    const lines: string[] = [];
    const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
    publisher = publisherOn(api, { log });
    await publisher.load(GATEWAY);
    await publish(keys(3));
    api.edit(RESOURCE.Secret, 'claude-credentials-a', () => undefined);
    api.edit(RESOURCE.Secret, 'claude-pepper', (object) => ({
      ...object,
      data: { pepper: Buffer.from('x'.repeat(40)).toString('base64') },
    }));
    api.edit(RESOURCE.ConfigMap, indexName('claude'), (object) => ({ ...object, data: { [INDEX_KEY]: pepper } }));
    await publisher.verify(GATEWAY);
    await publish(keys(2)).catch((error: Error) => lines.push(error.message));
    expect(lines.length).toBeGreaterThan(1);
    for (const secret of [pepper, 'sk-upstream', 'x'.repeat(40)]) expect(lines.join('\n')).not.toContain(secret);
  });
});
