// What a pod serves while publications come, go wrong and are mended.
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { writeIndex } from '#shared/bundle/index-text.ts';
import { INDEX_KEY, indexName, PART_KEY, partName } from '#shared/bundle/publication.ts';
import { ApiError } from '#shared/kube/client.ts';
import { HOME } from '../admit/testing.ts';
import type { LoadFault } from './cluster-fault.ts';
import { apiPlace } from './cluster-place.ts';
import { ClusterSource, type ClusterSourceOptions } from './cluster-source.ts';
import { openCredentials } from '../providers/testing.ts';
import { SnapshotHolder } from './snapshot.ts';
import { FakeCluster, GATEWAY, hashOf, indexObject, served, valueOf, type Content } from './testing.ts';

const KEYS = ['ada', 'bob', 'cyd'];
const ONE: Content = { bundle: 1, credentials: 1, keys: { ada: 1, bob: 1 } };
const TWO: Content = { bundle: 2, credentials: 1, keys: { ada: 1, bob: 2 } };
const INDEX = indexName(GATEWAY);

let cluster: FakeCluster;
let holder: SnapshotHolder;
let source: ClusterSource;
let faults: LoadFault[];
let lines: Record<string, unknown>[];
let loads: string[];

function make(options: Partial<ClusterSourceOptions> = {}): ClusterSource {
  holder = new SnapshotHolder();
  faults = [];
  lines = [];
  loads = [];
  source = new ClusterSource({
    holder,
    openCredentials: openCredentials(),
    api: apiPlace(cluster.client, { namespace: HOME, name: GATEWAY }),
    mount: cluster.mountPlace,
    watch: (listener) => {
      cluster.listener = listener;
      return () => (cluster.listener = () => undefined);
    },
    observer: {
      loaded: ({ index, changed }, place) => void loads.push(`${index.sequence} ${place} ${changed.join(' ')}`),
      failed: (fault) => void faults.push(fault),
      changed: () => undefined,
    },
    log: pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) }),
    now: () => performance.now(),
    random: Math.random,
    timing: { mountAfter: 20, mountEvery: 10, rereadEvery: 60_000, awayEvery: 10 },
    retry: { first: 5, most: 20 },
    complainEvery: 15,
    ...options,
  });
  return source;
}

/** Serving the first publication. */
async function serving(options: Partial<ClusterSourceOptions> = {}): Promise<void> {
  await cluster.publish(ONE);
  make(options).start();
  await source.first;
}

const now = (): Content | undefined => holder.current && served(holder.current, KEYS);
const eventually = async (content: Content): Promise<void> => {
  await expect.poll(now, { interval: 2 }).toEqual(content);
};
const stateOf = (name: string): string | undefined => holder.current?.keys.find(valueOf(name))?.state;
const apiAway = async (): Promise<void> => {
  throw new Error('connect ECONNREFUSED');
};

beforeEach(() => {
  cluster = new FakeCluster();
});
afterEach(() => source.stop());

describe('[OPS-06] a publication', () => {
  test('is in force when it is read whole, and only what changed is read', async () => {
    await serving();
    expect(now()).toEqual(ONE);
    const before = cluster.reads;
    await cluster.publish(TWO);
    cluster.tell();
    await eventually(TWO);
    expect(loads).toEqual([
      '1 api bundle credentials keys-00 keys-01',
      expect.stringMatching(/^2 api bundle keys-0\d$/),
    ]);
    expect(cluster.reads - before).toBe(2);
    expect(source.position).toMatchObject({ loaded: { sequence: 2 }, seen: 2, fault: undefined });
  });

  test('that only counts up is taken without reading a part', async () => {
    await serving();
    const before = cluster.reads;
    await cluster.publish(ONE);
    cluster.tell();
    await expect.poll(() => source.position.loaded?.sequence).toBe(2);
    expect(cluster.reads).toBe(before);
  });

  test('is noticed without a watch, by reading the index now and then', async () => {
    await serving({ timing: { rereadEvery: 20, awayEvery: 10 } });
    await cluster.publish(TWO);
    await eventually(TWO);
  });

  test('that comes while one is being read follows at once, and the slow one was never mixed with it', async () => {
    await serving();
    const seen = new Set<string>();
    holder.onSwap((next) => seen.add(JSON.stringify(served(next, KEYS))));
    cluster.hinder = () => new Promise((resolve) => setTimeout(resolve, 10));
    const contents = Array.from({ length: 6 }, (_, i) => ({ ...TWO, bundle: i + 2, credentials: i + 2 }));
    for (const content of contents) {
      await cluster.publish(content);
      cluster.tell();
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
    await eventually(contents.at(-1)!);
    for (const each of seen) expect(contents.map((content) => JSON.stringify(content))).toContain(each);
  });
});

describe('[OPS-05] whatever is wrong with a publication, the last good one serves, the fault is told, and it is mended by itself', () => {
  const bundleName = partName(GATEWAY, 'bundle', 'b');
  const cases: readonly [string, string, (index: string) => void, RegExp][] = [
    [
      'a part missing',
      'part_unavailable',
      () => cluster.objects.delete(bundleName),
      /part bundle cannot be had: .*not found/,
    ],
    [
      'a part without content',
      'bad_part',
      () => cluster.objects.set(bundleName, { metadata: { name: bundleName, namespace: HOME } }),
      /has no part\.json\.gz/,
    ],
    [
      'a part of another publication',
      'bad_part',
      () => cluster.objects.set(bundleName, cluster.objects.get(partName(GATEWAY, 'bundle', 'a'))!),
      /^bundle: its content is not the one that the index names/,
    ],
    [
      'a part that is no gzip',
      'bad_part',
      () => {
        const metadata = { name: bundleName, namespace: HOME };
        cluster.objects.set(bundleName, { metadata, binaryData: { [PART_KEY]: 'bm90IGd6aXA=' } });
      },
      /^bundle: is not gzip/,
    ],
    [
      'an index cut short',
      'bad_index',
      (text) => cluster.objects.set(INDEX, indexObject(text.slice(0, 90))),
      /is not JSON/,
    ],
    [
      'an index of a later format',
      'bad_index',
      (text) => cluster.objects.set(INDEX, indexObject(text.replace('"format":1', '"format":2'))),
      /is of format 2, this program reads 1/,
    ],
    [
      'an index without content',
      'no_index',
      () => cluster.objects.set(INDEX, { metadata: { name: INDEX, namespace: HOME } }),
      /has no index\.json/,
    ],
  ];
  test.each(cases)('%s', async (_name, reason, spoil, message) => {
    await serving();
    await cluster.publish(TWO);
    spoil(cluster.objects.get(INDEX)!.data![INDEX_KEY]!);
    cluster.tell();
    await faulty(reason);
    expect(source.position.fault?.message).toMatch(message);
    expect(now()).toEqual(ONE);
    expect(source.position.loaded?.sequence).toBe(1);
    expect(lines.map(({ msg }) => String(msg))).toContainEqual(
      expect.stringContaining('the last good configuration keeps serving'),
    );
    await cluster.repair();
    cluster.tell();
    await eventually(TWO);
    expect(source.position.fault).toBeUndefined();
  });

  test('a part that cannot be read for a while is tried again without being told', async () => {
    await serving();
    await cluster.publish(TWO);
    cluster.hinder = async (name) => {
      if (name.includes('bundle')) throw new ApiError(403, 'Forbidden', 'forbidden');
    };
    cluster.tell();
    await expect.poll(() => faults.length).toBeGreaterThan(3);
    expect(now()).toEqual(ONE);
    cluster.hinder = async () => undefined;
    await eventually(TWO);
  });

  test('parts that the writer has overwritten since: the index is read again, not only the watch believed', async () => {
    await serving();
    await cluster.publish(TWO);
    const stale = writeIndex(cluster.published.at(-1)!.index);
    await cluster.publish({ ...TWO, bundle: 3 });
    await cluster.publish({ ...TWO, bundle: 4 });
    cluster.tell(stale);
    await eventually({ ...TWO, bundle: 4 });
  });

  test('an index deleted by hand changes nothing but what is told', async () => {
    await serving();
    cluster.objects.delete(INDEX);
    cluster.tell();
    expect(source.position.fault?.reason).toBe('no_index');
    expect(now()).toEqual(ONE);
  });

  test('a secret that cannot be parsed is never quoted', async () => {
    await serving();
    cluster.listener('{"format":1,"writer":"sk-ant-planted');
    await faulty('bad_index');
    expect(JSON.stringify([lines, faults.map(({ message }) => message)])).not.toContain('planted');
  });
});

/** Waits until this is what is wrong. */
async function faulty(reason: string): Promise<void> {
  await expect.poll(() => source.position.fault?.reason, { interval: 2 }).toBe(reason);
}

describe('[KEY-08] a revocation', () => {
  test('is in force the moment its index is seen', async () => {
    await serving();
    await cluster.publish(ONE, ['ada']);
    cluster.tell();
    expect(stateOf('ada')).toBe('Revoked');
    expect(stateOf('bob')).toBe('Active');
  });

  test('is in force although no part of its publication can be had, and over several of them', async () => {
    await serving();
    cluster.hinder = apiAway;
    await cluster.publish(TWO, ['ada']);
    cluster.tell();
    await cluster.publish({ ...TWO, bundle: 3, keys: { cyd: 1 } }, ['bob']);
    cluster.tell();
    await faulty('part_unavailable');
    expect([stateOf('ada'), stateOf('bob')]).toEqual(['Revoked', 'Revoked']);
    expect(now()?.bundle).toBe(1);
    cluster.hinder = async () => undefined;
    await expect.poll(() => now()?.bundle).toBe(3);
    expect([stateOf('ada'), stateOf('bob'), stateOf('cyd')]).toEqual([undefined, undefined, 'Active']);
  });

  test('is not forgotten by an older publication that is still being read', async () => {
    await serving();
    await cluster.publish(TWO);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    cluster.hinder = async (name) => (name.includes('bundle') ? held : undefined);
    cluster.tell();
    const third = await cluster.publish(TWO, ['bob']);
    cluster.listener(writeIndex(third!.index));
    expect(stateOf('bob')).toBe('Revoked');
    const states = new Set<string | undefined>();
    holder.onSwap(({ keys }) => states.add(keys.find(valueOf('bob'))?.state));
    release();
    await expect.poll(() => source.position.loaded?.sequence).toBe(3);
    expect([...states]).toEqual(['Revoked']);
  });

  test('ends with a publication in which the key has a new value under the same name', async () => {
    await serving();
    await cluster.publish(ONE, ['ada']);
    cluster.tell();
    await cluster.publish({ ...ONE, keys: { bob: 1, cyd: 1 } });
    cluster.tell();
    await expect.poll(() => stateOf('cyd')).toBe('Active');
    expect(holder.current!.keys.byHash(hashOf('ada'))).toBeUndefined();
  });
});

describe('old news', () => {
  test('is not taken, from the watch or from the mount', async () => {
    await serving();
    const old = cluster.objects.get(INDEX)!.data![INDEX_KEY]!;
    cluster.mount();
    await cluster.publish(TWO);
    cluster.tell();
    await eventually(TWO);
    cluster.tell(old);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(now()).toEqual(TWO);
    expect(source.position).toMatchObject({ seen: 2, fault: undefined });
  });

  test.each([
    ['a lower sequence', 1],
    ['the same sequence', 3],
  ])('a writer that starts anew at %s is followed, and files of the time before are not', async (_name, sequence) => {
    await serving();
    for (const bundle of [2, 3]) await cluster.publish({ ...ONE, bundle });
    cluster.tell();
    await eventually({ ...ONE, bundle: 3 });
    cluster.restartAt(sequence);
    await cluster.publish({ ...ONE, bundle: 40 });
    cluster.tell();
    await eventually({ ...ONE, bundle: 40 });
    expect(source.position.loaded?.sequence).toBe(sequence);
    // A mount that lags shows what was published before.
    const late = cluster.published.at(-2)!;
    cluster.mounted = new Map(cluster.objects);
    cluster.mounted.set(INDEX, indexObject(writeIndex(late.index)));
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(now()?.bundle).toBe(40);
  });
});

describe('[OPS-22] without the API server', () => {
  test('a pod boots from the mount, follows it, and goes back to the API server when it is there', async () => {
    await cluster.publish(ONE);
    cluster.mount();
    cluster.hinder = apiAway;
    make().start();
    await source.first;
    expect(loads).toEqual(['1 mount bundle credentials keys-00 keys-01']);
    await cluster.publish(TWO);
    cluster.mount();
    await eventually(TWO);
    await cluster.publish({ ...TWO, bundle: 3 });
    cluster.hinder = async () => undefined;
    cluster.tell();
    await eventually({ ...TWO, bundle: 3 });
    expect(loads.at(-1)).toBe('3 api bundle');
  });

  test('a mount in the middle of a sync is not believed', async () => {
    await serving();
    cluster.mount();
    cluster.hinder = apiAway;
    await cluster.publish(TWO);
    cluster.mount([INDEX]);
    await faulty('part_unavailable');
    expect(now()).toEqual(ONE);
    cluster.mount();
    await eventually(TWO);
    expect(source.position.fault).toBeUndefined();
  });

  test('the API server has the first word: a mount that lags does not bring back a revoked key at boot', async () => {
    await cluster.publish(ONE);
    cluster.mount();
    await cluster.publish({ ...ONE, keys: { bob: 1 } });
    cluster.hinder = () => new Promise((resolve) => setTimeout(resolve, 2));
    make({ timing: { mountAfter: 500, awayEvery: 10 } }).start();
    await source.first;
    expect(loads.map((load) => load.slice(0, 5))).toEqual(['2 api']);
  });
});

describe('[OPS-04] without any configuration', () => {
  test('it waits, says what is missing, and goes on when something comes', async () => {
    cluster.hinder = apiAway;
    make().start();
    const said = (): string => String(lines.at(-1)?.['msg']);
    await expect
      .poll(said)
      .toMatch(/no configuration yet, so no listener\. API server: .*ECONNREFUSED.* Mounted: no such file/);
    cluster.hinder = async () => undefined;
    await expect.poll(said).toMatch(/API server: .*ConfigMap claude-index does not exist/);
    expect(holder.current).toBeUndefined();
    await cluster.publish(ONE);
    cluster.objects.delete(partName(GATEWAY, 'credentials', 'a'));
    await expect.poll(said).toMatch(/What was found cannot be used: part credentials cannot be had/);
    expect(holder.current).toBeUndefined();
    await cluster.repair();
    await source.first;
    expect(now()).toEqual(ONE);
  });
});

test('a listener that fails keeps no configuration from coming into force, and no revocation', async () => {
  await serving();
  holder.onSwap(() => {
    throw new Error('planted');
  });
  await cluster.publish(ONE, ['ada']);
  cluster.tell();
  expect(stateOf('ada')).toBe('Revoked');
  await cluster.publish(TWO);
  cluster.tell();
  await eventually(TWO);
  expect(lines.at(-1)).toMatchObject({ err: { message: 'planted' } });
});

test('a stopped source does nothing more', async () => {
  await serving();
  await cluster.publish(TWO);
  cluster.tell();
  source.stop();
  const swap = vi.fn<() => void>();
  holder.onSwap(swap);
  cluster.tell();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(swap).not.toHaveBeenCalled();
});
