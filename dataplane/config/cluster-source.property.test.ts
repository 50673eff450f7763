// Whatever happens to what is published, and in whatever order a pod hears of it: what it serves is one whole publication, never an older one
// than before, and a revoked key is refused from the moment its index was seen. Once everything is mended, the newest is served.
import * as fc from 'fast-check';
import pino from 'pino';
import { expect, test } from 'vitest';
import { writeIndex } from '#shared/bundle/index-text.ts';
import { ALL_PARTS, INDEX_KEY, indexName, PART_KEY, partName } from '#shared/bundle/publication.ts';
import { HOME } from '../admit/testing.ts';
import { apiPlace, type DataObject } from './cluster-place.ts';
import { ClusterSource } from './cluster-source.ts';
import { openCredentials } from '../providers/testing.ts';
import { SnapshotHolder } from './snapshot.ts';
import { FakeCluster, GATEWAY, hashOf, indexObject, served, valueOf, type Content } from './testing.ts';

const NAMES = ['ada', 'bob', 'cyd', 'dee', 'eve'];
const INDEX = indexName(GATEWAY);
const OBJECTS = [
  INDEX,
  ...ALL_PARTS.slice(0, 4).flatMap((part) => [partName(GATEWAY, part, 'a'), partName(GATEWAY, part, 'b')]),
];

type Step =
  | { readonly do: 'publish'; readonly change: readonly string[]; readonly stopAfter: number }
  | { readonly do: 'revoke'; readonly key: string; readonly stopAfter: number }
  | { readonly do: 'tell' | 'api-away' | 'api-back' | 'api-flaky' | 'api-slow' | 'wait' | 'repair' }
  | { readonly do: 'tell-old'; readonly back: number }
  | { readonly do: 'mount'; readonly names: readonly string[] }
  | { readonly do: 'spoil'; readonly name: string; readonly how: 'delete' | 'empty' | 'flip' | 'cut' | 'other' };

const plain = fc.constantFrom(
  'tell',
  'tell',
  'tell',
  'api-away',
  'api-back',
  'api-flaky',
  'api-slow',
  'wait',
  'repair',
);
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      change: fc.subarray(['bundle', 'credentials', ...NAMES]),
      stopAfter: fc.oneof({ weight: 3, arbitrary: fc.constant(99) }, fc.nat(4)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('revoke' as const),
      key: fc.constantFrom(...NAMES),
      stopAfter: fc.constantFrom(99, 99, 1),
    }),
  },
  { weight: 5, arbitrary: plain.map((name) => ({ do: name })) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tell-old' as const), back: fc.integer({ min: 1, max: 4 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('mount' as const), names: fc.subarray(OBJECTS, { minLength: 1 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('spoil' as const),
      name: fc.constantFrom(...OBJECTS),
      how: fc.constantFrom('delete', 'empty', 'flip', 'cut', 'other'),
    }),
  },
);

/** One life of a pod under a list of steps, watched at every swap. */
class Life {
  readonly cluster = new FakeCluster();
  readonly holder = new SnapshotHolder();
  readonly source: ClusterSource;
  /** Keys whose revocation the pod has seen; a revoked key never comes back. */
  readonly refused = new Set<string>();
  readonly #revoked = new Set<string>();
  #content: Content = { bundle: 1, credentials: 1, keys: Object.fromEntries(NAMES.map((name) => [name, 1])) };
  #version = 1;
  #last = 0;
  violation: string | undefined;

  constructor() {
    this.source = new ClusterSource({
      holder: this.holder,
      openCredentials: openCredentials(),
      api: apiPlace(this.cluster.client, { namespace: HOME, name: GATEWAY }),
      mount: this.cluster.mountPlace,
      watch: (listener) => {
        this.cluster.listener = listener;
        return () => (this.cluster.listener = () => undefined);
      },
      observer: { loaded: () => undefined, failed: () => undefined, changed: () => undefined },
      log: pino({ level: 'silent' }),
      now: () => performance.now(),
      random: Math.random,
      timing: { mountAfter: 1, mountEvery: 2, rereadEvery: 15, awayEvery: 5 },
      retry: { first: 1, most: 4 },
    });
    this.holder.onSwap(() => this.check());
  }

  /** What is served now, held against every publication there ever was. */
  check(): void {
    const snapshot = this.holder.current;
    if (snapshot === undefined) return;
    const { revision } = snapshot.settings;
    const content = JSON.stringify(sorted(served(snapshot, NAMES)));
    const whole = this.cluster.published.filter(
      ({ index, content: published }) => index.revision === revision && JSON.stringify(sorted(published)) === content,
    );
    const newest = whole.at(-1)?.index.sequence;
    if (newest === undefined) this.violation ??= `served is no publication: ${revision} ${content}`;
    else if (newest < this.#last) this.violation ??= `older than before: ${newest} after ${this.#last}`;
    // The lowest that it can be: publications of equal content cannot be told apart.
    else this.#last = Math.max(this.#last, whole.find(({ index }) => index.sequence >= this.#last)!.index.sequence);
    for (const name of this.refused) {
      const state = snapshot.keys.find(valueOf(name))?.state;
      if (state === 'Active') this.violation ??= `${name} works although its revocation was seen`;
    }
  }

  async publish(change: readonly string[], stopAfter: number): Promise<void> {
    this.#version++;
    const next = (name: string, before: number): number => (change.includes(name) ? this.#version : before);
    const { bundle, credentials, keys } = this.#content;
    const content: Content = {
      bundle: next('bundle', bundle),
      credentials: next('credentials', credentials),
      keys: Object.fromEntries(
        Object.entries(keys)
          .filter(([name]) => !this.#revoked.has(name))
          .map(([name, version]) => [name, next(name, version)]),
      ),
    };
    if ((await this.cluster.publish(content, [], stopAfter)) !== undefined) this.#content = content;
  }

  /** As the operator does it: named in the index first, gone from its shard with the next publication. */
  async revoke(name: string, stopAfter: number): Promise<void> {
    if (stopAfter < 99) {
      await this.publish(NAMES, stopAfter);
      return;
    }
    this.#revoked.add(name);
    await this.cluster.publish(this.#content, [...this.#revoked]);
  }

  /** A readable index that the watch shows, and that is the newest, must be in force as far as revocations go when `tell` returns. */
  tell(): void {
    const text = this.cluster.objects.get(INDEX)?.data?.[INDEX_KEY];
    const shown = this.cluster.published.find(({ index }) => writeIndex(index) === text);
    for (const name of NAMES) if (shown?.index.revoked.includes(hashOf(name)) === true) this.refused.add(name);
    this.cluster.tell();
    this.check();
  }

  async run(step: Step): Promise<void> {
    const { cluster } = this;
    switch (step.do) {
      case 'publish':
        return this.publish(step.change, step.stopAfter);
      case 'revoke':
        return this.revoke(step.key, step.stopAfter);
      case 'tell':
        return this.tell();
      case 'tell-old': {
        const old = cluster.published.at(-1 - step.back);
        if (old !== undefined) cluster.tell(writeIndex(old.index));
        return this.check();
      }
      case 'api-away':
        cluster.hinder = () => Promise.reject(new Error('away'));
        return undefined;
      case 'api-back':
        cluster.hinder = () => Promise.resolve();
        return undefined;
      case 'api-flaky':
        cluster.hinder = () => (cluster.reads % 2 === 0 ? Promise.resolve() : Promise.reject(new Error('flaky')));
        return undefined;
      case 'api-slow':
        cluster.hinder = () => new Promise((resolve) => setTimeout(resolve, 3));
        return undefined;
      case 'wait':
        return new Promise((resolve) => setTimeout(resolve, 6));
      case 'repair':
        return cluster.repair();
      case 'mount':
        cluster.mount(step.names);
        return undefined;
      case 'spoil':
        return this.spoil(step.name, step.how);
    }
  }

  spoil(name: string, how: string): void {
    const { objects } = this.cluster;
    const object = objects.get(name);
    // What is empty already cannot be spoiled any more.
    if (object?.data === undefined && object?.binaryData === undefined) return;
    if (how === 'delete') objects.delete(name);
    else if (how === 'empty') objects.set(name, { metadata: object.metadata });
    else if (how === 'other' && name !== INDEX) {
      const twin = name.endsWith('a') ? `${name.slice(0, -1)}b` : `${name.slice(0, -1)}a`;
      const other = objects.get(twin);
      if (other !== undefined) objects.set(name, other);
    } else objects.set(name, spoiled(object, how));
  }

  async mend(): Promise<Content> {
    this.cluster.hinder = () => Promise.resolve();
    await this.cluster.repair();
    this.tell();
    return this.cluster.published.at(-1)!.content;
  }
}

function spoiled({ metadata, data, binaryData }: DataObject, how: string): DataObject {
  const index = data?.[INDEX_KEY];
  if (index !== undefined) {
    return indexObject(how === 'cut' ? index.slice(0, index.length / 2) : index.replace('"sequence"', '"sequense"'));
  }
  const member = data === undefined ? 'binaryData' : 'data';
  const bytes = Buffer.from((data ?? binaryData)![PART_KEY]!, 'base64');
  if (how === 'cut')
    return { metadata, [member]: { [PART_KEY]: bytes.subarray(0, bytes.length / 2).toString('base64') } };
  const at = bytes.length >> 1;
  bytes[at] = bytes[at]! ^ 1;
  return { metadata, [member]: { [PART_KEY]: bytes.toString('base64') } };
}

function sorted({ bundle, credentials, keys }: Content): Content {
  return { bundle, credentials, keys: Object.fromEntries(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1))) };
}

test(
  '[OPS-05] [KEY-08] under any sequence of publications, crashes, corruption and outages',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 5, maxLength: 30 }), async (script) => {
        const life = new Life();
        try {
          await life.publish([], 99);
          life.source.start();
          for (const step of script) {
            await life.run(step);
            if (life.violation !== undefined) throw new Error(life.violation);
          }
          const content = await life.mend();
          await expect
            .poll(() => life.holder.current && sorted(served(life.holder.current, NAMES)), { interval: 2 })
            .toEqual(sorted(content));
          await expect.poll(() => life.source.position.fault, { interval: 2 }).toBeUndefined();
          expect(life.source.position.loaded?.sequence).toBe(life.cluster.published.at(-1)!.index.sequence);
          if (life.violation !== undefined) throw new Error(life.violation);
        } finally {
          life.source.stop();
        }
      }),
      { numRuns: 80 * Number(process.env['FUZZ_SCALE'] ?? 1) },
    );
  },
  60_000 * Number(process.env['FUZZ_SCALE'] ?? 1),
);
