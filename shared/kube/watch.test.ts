// A watch through a real connection to a server that misbehaves.
import { describe, expect, test } from 'vitest';
import type { ApiError, WatchEvent } from './client.ts';
import { RESOURCE, type KubeObject } from './object.ts';
import { configMap, fakeApi, refusal, type FakeApi, type Reply } from './testing.ts';

type Event = WatchEvent<KubeObject & { readonly data?: Readonly<Record<string, string>> }>;

const line = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;
const bookmark = (resourceVersion: string): string => line('BOOKMARK', { metadata: { resourceVersion } });

/** Sends the pieces one after the other, then ends, unless told to hold. */
const stream =
  (pieces: readonly (string | Buffer)[], end: 'end' | 'hold' | 'destroy' = 'end'): Reply =>
  (response) => {
    void (async () => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      for (const piece of pieces) {
        response.write(piece);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      if (end === 'end') response.end();
      if (end === 'destroy') response.socket?.destroy();
    })();
  };

async function follow(api: FakeApi, signal = new AbortController().signal): Promise<[Event[], unknown]> {
  const events: Event[] = [];
  try {
    for await (const event of api.client.watch<KubeObject>(RESOURCE.ConfigMap, { namespace: 'a' }, '5', signal)) {
      events.push(event);
    }
  } catch (error) {
    return [events, error];
  }
  return [events, undefined];
}

test('asks for bookmarks and for an end at a random time', async () => {
  const api = await fakeApi([stream([])], { random: () => 0.5 });
  await follow(api);
  const { pathname, searchParams } = new URL(api.heard[0]!.url, 'http://x');
  expect(pathname).toBe('/api/v1/namespaces/a/configmaps');
  expect(Object.fromEntries(searchParams)).toEqual({
    watch: '1',
    allowWatchBookmarks: 'true',
    timeoutSeconds: '450',
    resourceVersion: '5',
  });
});

test('events cut anywhere, also inside of a character', async () => {
  const text = Buffer.from(
    line('ADDED', configMap('m', '6', { x: 'ä€😀' })) + bookmark('8') + line('DELETED', configMap('m', '9')),
  );
  const pieces = [...text].map((byte) => Buffer.from([byte]));
  const api = await fakeApi([(response) => pieces.forEach((piece) => response.write(piece)) ?? response.end()]);
  const [events, error] = await follow(api);
  expect(error).toBeUndefined();
  expect(events.map(({ type }) => type)).toEqual(['ADDED', 'BOOKMARK', 'DELETED']);
  expect(events[0]).toMatchObject({ object: { data: { x: 'ä€😀' } } });
  expect(events[1]).toEqual({ type: 'BOOKMARK', resourceVersion: '8' });
});

describe('ends with an error when', () => {
  test.each<[string, Reply, Partial<ApiError>]>([
    ['the version is too old: as an answer', refusal(410, 'Expired'), { code: 410, reason: 'Expired' }],
    [
      'the version is too old: as an event',
      stream([line('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' })], 'hold'),
      { code: 410, reason: 'Expired' },
    ],
    [
      'the connection is lost inside of an event',
      stream([line('ADDED', configMap('m', '6')), '{"type":"ADD'], 'destroy'),
      {},
    ],
    [
      'it ends inside of an event',
      stream(['{"type":"ADD']),
      { message: expect.stringContaining('inside of an event') },
    ],
    ['an event is no JSON', stream(['{"type":\n']), {}],
  ])('%s', async (_name, reply, expected) => {
    const [, error] = await follow(await fakeApi([reply]));
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject(expected);
  });

  test('nothing is heard any more', async () => {
    const watchTiming = { silence: 50 };
    const [events, error] = await follow(await fakeApi([stream([bookmark('6')], 'hold')], { watchTiming }));
    expect(events).toHaveLength(1);
    expect(error).toMatchObject({ name: 'SilenceError', code: 'ETIMEDOUT' });
  });

  test('the server does not end it in time, however much it says', async () => {
    const watchTiming = { shortest: 50, longest: 50, grace: 50 };
    const chatty: Reply = (response) => {
      const timer = setInterval(() => response.write(bookmark('6')), 100);
      response.on('close', () => clearInterval(timer));
    };
    const [events, error] = await follow(await fakeApi([chatty], { watchTiming }));
    expect(events.length).toBeLessThan(20);
    expect(error).toMatchObject({ name: 'SilenceError' });
  });

  test('there is no answer at all', async () => {
    const [, error] = await follow(await fakeApi([() => undefined], { watchTiming: { answer: 50 } }));
    expect(error).toMatchObject({ name: 'DeadlineError' });
  });

  test('the caller stops it', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 50);
    const [events, error] = await follow(await fakeApi([stream([bookmark('6')], 'hold')]), controller.signal);
    expect([events.length, error]).toEqual([1, reason]);
  });
});

test('a slow consumer is not a silent server', async () => {
  const api = await fakeApi([stream([bookmark('6'), bookmark('7'), bookmark('8')])], { watchTiming: { silence: 100 } });
  const versions: string[] = [];
  for await (const event of api.client.watch(RESOURCE.ConfigMap, {}, '5', new AbortController().signal)) {
    if (event.type === 'BOOKMARK') versions.push(event.resourceVersion);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  expect(versions).toEqual(['6', '7', '8']);
});

test('a consumer that leaves closes the connection', async () => {
  let closed: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => (closed = resolve));
  const reply: Reply = (response, request) => {
    response.on('close', closed);
    stream([bookmark('6')], 'hold')(response, request);
  };
  const { client } = await fakeApi([reply]);
  for await (const _ of client.watch(RESOURCE.ConfigMap, {}, '5', new AbortController().signal)) break;
  await gone;
});
