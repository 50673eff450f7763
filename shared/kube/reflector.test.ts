// The loop against a client that does as it is told, on a clock of the test's own.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiError, type KubeClient, type ListPage, type WatchEvent } from './client.ts';
import { RESOURCE, type KubeObject } from './object.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import { configMap } from './testing.ts';

type Page = ListPage<KubeObject> | Error;
type Told = WatchEvent<KubeObject> | Error | 'hold' | number;

const EXPIRED = new ApiError(410, 'Expired', 'too old');
const RESET = new Error('other side closed');

let now = 0;
let reflector: Reflector<KubeObject>;
let log: string[];
let changes: string[];
let counted: Record<string, number>;
/** What the server was asked, `list`, `page TOKEN` and `watch VERSION`, each with the second of the clock. */
let asked: string[];

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  now = 0;
  [log, changes, asked, counted] = [[], [], [], {}];
});

afterEach(async () => {
  await reflector.stop();
  vi.useRealTimers();
});

const page = (version: string, items: readonly KubeObject[], token?: string): ListPage<KubeObject> => ({
  items,
  resourceVersion: version,
  continue: token,
});
const added = (name: string, version: string): Told => ({ type: 'ADDED', object: configMap(name, version) });
const bookmark = (resourceVersion: string): Told => ({ type: 'BOOKMARK', resourceVersion });

/** Lists and watches are answered in the order given, the last one for ever. A number lets so many milliseconds pass. */
function server(pages: readonly Page[], watches: readonly (readonly Told[])[]): Pick<KubeClient, 'list' | 'watch'> {
  let listed = 0;
  let watched = 0;
  return {
    list: async <T extends KubeObject>(_type: unknown, _query: unknown, { continue: token }: { continue?: string }) => {
      asked.push(`${token === undefined ? 'list' : `page ${token}`} @${Math.round(performance.now() / 1000)}`);
      const answer = pages[Math.min(listed++, pages.length - 1)]!;
      if (answer instanceof Error) throw answer;
      return answer as ListPage<T>;
    },
    watch: async function* <T extends KubeObject>(
      _type: unknown,
      _query: unknown,
      version: string,
      signal: AbortSignal,
    ) {
      asked.push(`watch ${version} @${Math.round(performance.now() / 1000)}`);
      for (const event of watches[Math.min(watched++, watches.length - 1)]!) {
        if (event instanceof Error) throw event;
        if (typeof event === 'number') await new Promise((resolve) => setTimeout(resolve, event));
        else if (event === 'hold') {
          await new Promise((_resolve, reject) =>
            signal.addEventListener('abort', () => reject(signal.reason as Error)),
          );
        } else yield event as WatchEvent<T>;
      }
    },
  };
}

function follow(client: Pick<KubeClient, 'list' | 'watch'>, options: Partial<ReflectorOptions<KubeObject>> = {}): void {
  reflector = new Reflector({
    client,
    type: RESOURCE.ConfigMap,
    query: {},
    log: { warn: (context, text) => log.push(`${text} ${JSON.stringify(context)}`) },
    now: () => now + performance.now(),
    random: () => 0,
    onChange: (before, after) => changes.push(`${spell(before)}>${spell(after)}`),
    observe: (_resource, event) => (counted[event] = (counted[event] ?? 0) + 1),
    ...options,
  });
  reflector.start();
}

const spell = (object: KubeObject | undefined): string =>
  object === undefined ? '' : `${object.metadata.name}${object.metadata.resourceVersion}`;
const held = (): string[] => [...reflector.values()].map(spell);
const pass = async (milliseconds: number): Promise<void> => void (await vi.advanceTimersByTimeAsync(milliseconds));

test('lists page by page, then watches from the version of the list', async () => {
  follow(
    server(
      [page('9', [configMap('a', '1')], 'x'), page('9', [configMap('b', '2')])],
      [
        [
          added('c', '10'),
          { type: 'MODIFIED', object: configMap('a', '11') },
          { type: 'DELETED', object: configMap('b', '12') },
          'hold',
        ],
      ],
    ),
  );
  expect(held()).toEqual([]);
  await pass(0);
  await reflector.synced;
  expect(asked).toEqual(['list @0', 'page x @0', 'watch 9 @0']);
  expect(changes).toEqual(['>a1', '>b2', '>c10', 'a1>a11', 'b2>']);
  expect(held()).toEqual(['a11', 'c10']);
  expect(reflector.get('a/a')?.metadata.resourceVersion).toBe('11');
});

test('a watch that ends is taken up where it ended: at the last event or bookmark', async () => {
  follow(server([page('9', [])], [[added('a', '10'), bookmark('15')], [added('b', '16')], ['hold']]));
  await pass(0);
  expect(asked).toEqual(['list @0', 'watch 9 @0', 'watch 15 @0', 'watch 16 @0']);
  expect(log).toEqual([]);
});

test('a watch that breaks is taken up again after a pause, without a new list', async () => {
  follow(server([page('9', [])], [[added('a', '10'), RESET], ['hold']]));
  await pass(700);
  expect(asked).toEqual(['list @0', 'watch 9 @0']);
  await pass(200);
  expect(asked).toEqual(['list @0', 'watch 9 @0', 'watch 10 @1']);
  expect(log.join()).toContain('other side closed');
  expect(counted).toMatchObject({ failure: 1, list: 1, watch: 2 });
});

describe('a version that is too old', () => {
  test('means a new list; only what differs is told, and the old is served until then', async () => {
    const second = page('20', [configMap('a', '1'), configMap('b', '18')]);
    follow(
      server(
        [page('9', [configMap('a', '1'), configMap('b', '2'), configMap('c', '3')]), second],
        [[1_000, EXPIRED], ['hold']],
      ),
    );
    await pass(0);
    const kept = reflector.get('a/a');
    changes.length = 0;
    await pass(1_000);
    // The first list was never watched with success, so the second waits.
    expect(held()).toEqual(['a1', 'b2', 'c3']);
    await pass(900);
    expect(changes).toEqual(['c3>', 'b2>b18']);
    expect(held()).toEqual(['a1', 'b18']);
    expect(reflector.get('a/a')).toBe(kept);
  });

  test('right away after a watch that worked, and with a pause when the new list is too old as well', async () => {
    follow(server([page('9', [])], [[bookmark('10'), EXPIRED], [EXPIRED], [EXPIRED], ['hold']]));
    await pass(0);
    expect(asked).toEqual(['list @0', 'watch 9 @0', 'list @0', 'watch 9 @0']);
    await pass(30_000);
    expect(asked.slice(4)).toEqual(['list @1', 'watch 9 @1', 'list @2', 'watch 9 @2']);
    expect(counted['expired']).toBe(3);
  });

  test('in the middle of a list begins the list anew', async () => {
    follow(server([page('9', [configMap('a', '1')], 'x'), EXPIRED, page('12', [configMap('b', '2')])], [['hold']]));
    await pass(0);
    expect(asked).toEqual(['list @0', 'page x @0', 'list @0', 'watch 12 @0']);
    expect(held()).toEqual(['b2']);
  });
});

test('a page that fails: nothing of the list is used, the old cache stays', async () => {
  follow(
    server(
      [
        page('9', [configMap('a', '1')]),
        page('20', [configMap('b', '2')], 'x'),
        new ApiError(500, 'InternalError', ''),
        page('21', [configMap('c', '3')]),
      ],
      [[bookmark('10'), EXPIRED], ['hold']],
    ),
  );
  await pass(0);
  expect(held()).toEqual(['a1']);
  await pass(1_000);
  expect(held()).toEqual(['c3']);
});

test('pauses double with jitter but stay short enough for the promise of 5 s after an outage, and start small again after two good minutes', async () => {
  follow(server([RESET], [['hold']]), { random: () => 0.5 });
  await pass(16_000);
  const at = asked.map((text) => Number(text.split('@')[1]));
  expect(at).toEqual([0, 1, 4, 7, 11, 15]);
  await reflector.stop();
  asked.length = 0;
  now = 0;
  follow(server([page('9', [])], [[RESET], [RESET], [bookmark('10'), 130_000, RESET], ['hold']]));
  await pass(140_000);
  const start = Number(asked[0]!.split('@')[1]);
  expect(asked.map((text) => Number(text.split('@')[1]) - start)).toEqual([0, 0, 1, 2, 133]);
});

test('after an outage the version is not trusted: a restored server may be behind it', async () => {
  follow(
    server(
      [page('90', [configMap('a', '80')]), page('50', [configMap('a', '40')])],
      [[bookmark('91'), RESET], [RESET], [RESET], ['hold']],
    ),
  );
  await pass(10_000);
  expect(asked.map((text) => text.split(' @')[0])).toEqual([
    'list',
    'watch 90',
    'watch 91',
    'watch 91',
    'list',
    'watch 50',
  ]);
  expect(held()).toEqual(['a40']);
});

test('a server that is busy is not an outage, and is left alone for as long as it says', async () => {
  const busy = new ApiError(429, 'TooManyRequests', 'later', 20_000);
  follow(server([page('9', [])], [[busy], [busy], [busy], [busy], ['hold']]));
  await pass(79_000);
  expect(asked.filter((text) => text.startsWith('list'))).toHaveLength(1);
  expect(asked.map((text) => Number(text.split('@')[1]))).toEqual([0, 0, 20, 40, 60]);
});

test('a watch that ends at once without a word is not opened in a tight loop', async () => {
  follow(server([page('9', [])], [[]]));
  await pass(60_000);
  expect(asked.length).toBeLessThan(40);
  expect(log.length).toBeGreaterThan(3);
});

test('a quiet watch that ends in time is renewed at once and without a warning', async () => {
  follow(server([page('9', [])], [[300_000], ['hold']]));
  await pass(300_000);
  expect(asked.map((text) => text.split(' @')[0])).toEqual(['list', 'watch 9', 'watch 9']);
  expect(log).toEqual([]);
});

test('objects are made smaller before they are kept', async () => {
  const transform = (object: KubeObject): KubeObject => ({ metadata: { ...object.metadata, labels: { slim: 'yes' } } });
  follow(server([page('9', [configMap('a', '1')])], [[added('b', '10'), 'hold']]), { transform });
  await pass(0);
  expect([...reflector.values()].map(({ metadata }) => metadata.labels)).toEqual([{ slim: 'yes' }, { slim: 'yes' }]);
});

test('an event that says what is known already tells nobody', async () => {
  follow(
    server(
      [page('9', [configMap('a', '1')])],
      [[added('a', '1'), { type: 'DELETED', object: configMap('z', '3') }, 'hold']],
    ),
  );
  await pass(0);
  expect(changes).toEqual(['>a1']);
});

test('a listener that throws is logged and stops nothing', async () => {
  const onChange = (): void => {
    throw new Error('no');
  };
  follow(server([page('9', [configMap('a', '1')])], [[added('b', '10'), 'hold']]), { onChange });
  await pass(0);
  expect(held()).toEqual(['a1', 'b10']);
  expect(log).toHaveLength(2);
});

test('listeners of a list see the whole list', async () => {
  const sizes: number[] = [];
  follow(server([page('9', [configMap('a', '1'), configMap('b', '1')])], [['hold']]), {
    onChange: () => sizes.push(reflector.size),
  });
  await pass(0);
  expect(sizes).toEqual([2, 2]);
});

test('stop: during the first list, no watch is opened, nothing is told, synced rejects', async () => {
  let answer: (page: ListPage<KubeObject>) => void = () => undefined;
  const client = server([], []);
  follow({
    ...client,
    list: async <T extends KubeObject>() => new Promise<ListPage<T>>((r) => (answer = r as typeof answer)),
  });
  const stopped = reflector.stop();
  answer(page('9', [configMap('a', '1')]));
  await stopped;
  await expect(reflector.synced).rejects.toThrow('stopped');
  expect([asked, changes, held()]).toEqual([[], [], []]);
});

test('stop: during a watch and during a pause', async () => {
  follow(server([page('9', [])], [['hold']]));
  await pass(0);
  await reflector.stop();
  follow(server([RESET], [['hold']]));
  await pass(0);
  await reflector.stop();
  await pass(60_000);
  expect(asked.filter((text) => text.startsWith('list'))).toHaveLength(2);
});
