// The operator dies, at any moment, or is not alone. Readers look after every single write.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import { PartError } from '#shared/bundle/parts.ts';
import type { BundleIndex } from '#shared/bundle/publication.ts';
import type { CompiledGateway } from '#shared/compile/types.ts';
import type { PublishError } from './errors.ts';
import type { Publisher } from './publisher.ts';
import {
  compiledOf,
  entryOf,
  GATEWAY,
  hashOf,
  LostAnswerError,
  MemoryApi,
  presentOf,
  publisherOn,
  readIndexObject,
  readPublication,
  type Reading,
} from './testing.ts';

/** What a reader makes of a publication, as one text: the same text, the same publication. */
function contentOf({ bundle, secret, keys }: Pick<Reading, 'bundle' | 'secret' | 'keys'>): string {
  const states = keys.map(({ hash, state }) => `${hash.slice(0, 8)} ${state}`).sort();
  return `${bundle} ${secret} ${states.length} ${hashOf(states.join())}`;
}

const expected = ({ bundle, credentials, keys }: CompiledGateway): string =>
  contentOf({ bundle: bundle.gateway.name, secret: credentials.values['upstream']!.reveal(), keys });

/** A reader that looks after each write: at what is there, and with the index it saw before at the parts that are there now. */
class Watcher {
  /** Contents it has read, each once in a row. */
  readonly seen: string[] = [];
  readonly #api: MemoryApi;
  #index: BundleIndex | undefined;
  #judged: Promise<void> = Promise.resolve();
  #sequence = 0;

  constructor(api: MemoryApi) {
    this.#api = api;
    api.written = () => this.look();
  }

  /** Objects are looked up before this returns; what they hold is judged in the order of the looks. */
  look(): Promise<void> {
    const index = readIndexObject(this.#api);
    const late = this.#index === undefined ? undefined : readPublication(this.#api, this.#index);
    const now = readPublication(this.#api);
    this.#index = index;
    this.#judged = this.#judge(this.#judged, now, late);
    return this.#judged;
  }

  async #judge(
    before: Promise<void>,
    now: Promise<Reading | undefined>,
    late: Promise<Reading | undefined> | undefined,
  ): Promise<void> {
    const overtaken = late?.catch((error: unknown) => expect(error).toBeInstanceOf(PartError));
    const [current, other] = await Promise.all([now, overtaken, before]);
    // Overtaken, a reader may find nothing that fits, but never something else.
    if (other) expect(this.seen).toContain(contentOf(other));
    if (current === undefined) return;
    expect(current.index.sequence).toBeGreaterThanOrEqual(this.#sequence);
    this.#sequence = current.index.sequence;
    if (this.seen.at(-1) !== contentOf(current)) this.seen.push(contentOf(current));
  }
}

type Death = 'before' | 'after';

/** From the given write on, nothing gets through any more; `after`: that one is done and its answer is lost. */
function killAt(api: MemoryApi, write: number, death: Death): { readonly reached: boolean } {
  const state = { reached: false };
  let writes = 0;
  api.hook = (verb) => {
    if (state.reached) throw new Error('dead');
    if (verb === 'get' || verb === 'list' || writes++ < write) return;
    state.reached = true;
    throw death === 'after' ? new LostAnswerError() : new Error('dead');
  };
  return state;
}

const everyone = Array.from({ length: 1_100 }, (_, at) => entryOf(`key-${at}`));
const later: KeyEntry[] = everyone
  .slice(1)
  .map((entry, at) => (at === 0 ? { ...entry, state: 'Revoked' } : at < 20 ? { ...entry, state: 'Disabled' } : entry));

describe('[OPS-05] the operator is killed', () => {
  const deaths = Array.from({ length: 12 }, (_, write) => write).flatMap(
    (write) =>
      [
        [write, 'before'],
        [write, 'after'],
      ] as const,
  );

  test.each(deaths)(
    'at write %i of a change of everything, %s it is done: old or new, and the next start converges',
    async (write, death) => {
      const api = new MemoryApi();
      const pepper = (await publisherOn(api).load(GATEWAY)).pepper.reveal();
      const first = compiledOf(everyone, { pepper });
      await publisherOn(api).publish(GATEWAY, first, presentOf(everyone));
      const watcher = new Watcher(api);
      await watcher.look();
      const second = compiledOf(later, { pepper, bundle: 'two', secret: 'other' });
      const killed = killAt(api, write, death);
      await publisherOn(api)
        .publish(GATEWAY, second, presentOf(later))
        .catch(() => {});
      // Claim, revocation, tombstones, bundle, credentials, two shards, index.
      expect(killed.reached).toBe(write < 8);
      const old = expected(first);
      expect([[old], [old, expected(second)]]).toContainEqual(watcher.seen);

      api.hook = () => {};
      const next = publisherOn(api);
      await next.publish(GATEWAY, second, presentOf(later));
      await watcher.look();
      expect(watcher.seen).toEqual([old, expected(second)]);
      expect(readIndexObject(api)?.revoked).toEqual([]);
      expect([...(await next.load(GATEWAY)).tombstones].sort()).toEqual([hashOf('key-0'), hashOf('key-1')].sort());
      expect((await publisherOn(api).publish(GATEWAY, second, presentOf(later))).changedParts).toEqual([]);
      expect(await next.verify(GATEWAY)).toBe(false);
    },
  );

  test('at any write of its first publication: nothing or all of it, with one pepper', async () => {
    for (let write = 0; write < 8; write++) {
      for (const death of ['before', 'after'] as const) {
        const api = new MemoryApi();
        const watcher = new Watcher(api);
        const entries = [entryOf('a'), entryOf('b')];
        const killed = killAt(api, write, death);
        const pepper = await publisherOn(api)
          .load(GATEWAY)
          .then(({ pepper }) => pepper.reveal())
          .catch(() => undefined);
        if (pepper !== undefined) {
          await publisherOn(api)
            .publish(GATEWAY, compiledOf(entries, { pepper }), presentOf(entries))
            .catch(() => {});
        }
        api.hook = () => {};
        const next = publisherOn(api);
        const again = (await next.load(GATEWAY)).pepper.reveal();
        expect(again).toBe(pepper ?? again);
        await next.publish(GATEWAY, compiledOf(entries, { pepper: again }), presentOf(entries));
        expect([write, watcher.seen]).toEqual([write, [expected(compiledOf(entries))]]);
        expect(killed.reached).toBe(write < 7);
      }
    }
  });
});

/** One round of somebody's work on the keys. */
interface Round {
  readonly add: number;
  readonly remove: number;
  readonly revoke: boolean;
  readonly bundle: string;
  readonly secret: string;
  /** Write at which the operator dies, or undefined. */
  readonly kill: number | undefined;
  readonly death: Death;
  /** Whether the next round is done by a new process even if this one lived. */
  readonly restart: boolean;
}

const rounds = fc.array(
  fc.record<Round>({
    add: fc.nat(3),
    remove: fc.nat(2),
    revoke: fc.boolean(),
    bundle: fc.constantFrom('one', 'two'),
    secret: fc.constantFrom('one', 'two'),
    kill: fc.option(fc.nat(8), { nil: undefined }),
    death: fc.constantFrom('before', 'after'),
    restart: fc.boolean(),
  }),
  { minLength: 1, maxLength: 8 },
);

test('[OPS-05] [KEY-10] whatever is edited and wherever the operator dies: readers go from one publication to the next, and no dead key is forgotten', async () => {
  await fc.assert(
    fc.asyncProperty(rounds, async (story) => {
      const api = new MemoryApi();
      let publisher: Publisher = publisherOn(api);
      const pepper = (await publisher.load(GATEWAY)).pepper.reveal();
      const watcher = new Watcher(api);
      let keys: KeyEntry[] = [];
      let named = 0;
      const readable = new Map<string, string>();
      for (const { add, remove, revoke, bundle, secret, kill, death, restart } of story) {
        keys = [...keys.slice(remove), ...Array.from({ length: add }, () => entryOf(`key-${named++}`))];
        if (revoke) keys = keys.map((entry, at) => (at === 0 ? { ...entry, state: 'Revoked' } : entry));
        const compiled = compiledOf(keys, { pepper, bundle, secret });
        const killed = kill === undefined ? { reached: false } : killAt(api, kill, death);
        const done = publisher.publish(GATEWAY, compiled, presentOf(keys)).then(
          () => true,
          () => false,
        );
        const seenBefore = watcher.seen.length;
        expect((await done) || killed.reached).toBe(true);
        api.hook = () => {};
        if (killed.reached || restart) publisher = publisherOn(api);
        // Only what was asked for, and at most once.
        expect(watcher.seen.slice(seenBefore).filter((content) => content !== expected(compiled))).toEqual([]);
        expect(watcher.seen.length - seenBefore).toBeLessThanOrEqual(1);
        for (const entry of (await readPublication(api))?.keys ?? []) readable.set(entry.hash, entry.key);
      }
      const compiled = compiledOf(keys, { pepper });
      await publisher.publish(GATEWAY, compiled, presentOf(keys));
      expect(contentOf((await readPublication(api))!)).toBe(expected(compiled));
      const { tombstones } = await publisherOn(api).load(GATEWAY);
      const present = presentOf(keys);
      const gone = [...readable].filter(([, key]) => !present.has(key)).map(([hash]) => hash);
      expect(gone.filter((hash) => !tombstones.has(hash))).toEqual([]);
      const alive = keys.filter(({ state }) => state !== 'Revoked').map(({ hash }) => hash);
      expect(alive.filter((hash) => tombstones.has(hash))).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test.each(['claude-bundle-a', 'claude-credentials-a', 'claude-keys-00-a', 'claude-index'])(
  '[OPS-05] a write of %s that was held up until another operator had taken over comes to nothing',
  async (held) => {
    const api = new MemoryApi();
    const older = publisherOn(api);
    const pepper = (await older.load(GATEWAY)).pepper.reveal();
    const keysOf = (name: string): KeyEntry[] => [entryOf(`${name}-1`), entryOf(`${name}-2`)];
    const publish = (by: Publisher, name: string): Promise<unknown> =>
      by.publish(
        GATEWAY,
        compiledOf(keysOf(name), { pepper, bundle: name, secret: name }),
        new Set(['platform/first-1', 'platform/first-2', 'platform/older-1', 'platform/older-2']),
      );
    // Twice, so that both slots are there.
    await publish(older, 'older');
    await publish(older, 'first');
    const watcher = new Watcher(api);
    await watcher.look();
    const released = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    let indexWrites = 0;
    api.hook = (verb, name) => {
      // The first index write names the keys that died; it is the second that would put the older's parts into force.
      if (verb === 'get' || name !== held || (name === 'claude-index' && indexWrites++ < 1)) return;
      api.hook = () => {};
      reached.resolve();
      return released.promise;
    };
    const late = publish(older, 'older').catch((error: unknown) => error);
    await reached.promise;
    const newer = publisherOn(api);
    await publish(newer, 'newer');
    released.resolve();
    expect(await late).toMatchObject({ code: 'superseded' });
    await watcher.look();
    expect(watcher.seen).toHaveLength(2);
    expect(await readPublication(api)).toMatchObject({ bundle: 'newer', secret: 'newer' });
    expect(await newer.verify(GATEWAY)).toBe(true);
  },
);

test('[OPS-05] two operators that both believe to lead: never a torn set, and the one that was there before never writes over the one that took over', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
      async (scheduler, edits) => {
        const api = new MemoryApi();
        const older = publisherOn(api);
        const newer = publisherOn(api);
        const pepper = (await older.load(GATEWAY)).pepper.reveal();
        const watcher = new Watcher(api);
        const run = (name: string) => (round: number) => {
          const keys = Array.from({ length: 3 }, (_, at) => entryOf(`${name}-${round}-${at}`));
          const compiled = compiledOf(keys, { pepper, bundle: edits[round] === true ? name : 'same', secret: name });
          return { compiled, present: presentOf(keys) };
        };
        const history = { older: new Set<string>(), newer: new Set<string>() };
        let tookOver: number | undefined;
        const refused: string[] = [];
        const work = async (publisher: Publisher, name: 'older' | 'newer'): Promise<void> => {
          for (const round of edits.keys()) {
            const { compiled, present } = run(name)(round);
            history[name].add(expected(compiled));
            const work =
              name === 'newer' && round === 0
                ? publisher.load(GATEWAY).then(() => (tookOver = watcher.seen.length))
                : Promise.resolve(0);
            const publishing = work.then(() => publisher.publish(GATEWAY, compiled, present));
            refused.push(
              await publishing.then(
                () => '',
                (error: PublishError) => `${name} ${error.code}`,
              ),
            );
          }
        };
        api.hook = () => scheduler.schedule(Promise.resolve());
        await scheduler.waitFor(Promise.all([work(older, 'older'), work(newer, 'newer')]));
        api.hook = () => {};
        // The one that took over is never refused.
        expect(refused.filter((answer) => answer !== '' && answer !== 'older superseded')).toEqual([]);
        const strangers = watcher.seen.filter((content) => !history.older.has(content) && !history.newer.has(content));
        expect(strangers).toEqual([]);
        expect(watcher.seen.slice(tookOver).filter((content) => history.older.has(content))).toEqual([]);
        const last = run('newer')(edits.length - 1).compiled;
        expect(contentOf((await readPublication(api))!)).toBe(expected(last));
      },
    ),
    { numRuns: 60 },
  );
});
